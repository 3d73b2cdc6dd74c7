"""Keyed pseudonyms: the same secret gives the same, and without it none leads back."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from tumorscan.atomic import atomic_file
from tumorscan.errors import SettingsError

_ENOUGH = 16  # bytes of a secret that nobody guesses


@dataclass(frozen=True)
class Pseudonyms:
    """Pseudonyms by HMAC-SHA-256 (RFC 2104) of what they stand for.

    Attributes:
        secret: bytes that are kept apart from the data; never shown.
    """

    secret: bytes = field(repr=False)

    def uid(self, old: str) -> str:
        """A UID for a UID, under the root of UUIDs (PS3.5 B.2); 122 of its bits follow from the secret."""
        digest = bytearray(self._digest("uid", old)[:16])
        digest[6], digest[8] = digest[6] & 0x0F | 0x80, digest[8] & 0x3F | 0x80  # RFC 9562: version 8
        return f"2.25.{int.from_bytes(digest, 'big')}"

    def patient(self, old: str) -> str:
        """A name for a patient's number."""
        return f"ANON-{self._digest('patient', old)[:6].hex().upper()}"

    def _digest(self, kind: str, old: str) -> bytes:
        return hmac.new(self.secret, f"{kind}\0{old}".encode(), hashlib.sha256).digest()


def fresh_pseudonyms() -> Pseudonyms:
    """Of a secret that nobody keeps: one run's files stay together, another run's get other names."""
    return Pseudonyms(secrets.token_bytes(32))


def kept_pseudonyms(file: Path) -> Pseudonyms:
    """Of a secret in a file, which is made where it is not there, for its owner's eyes alone.

    Raises:
        SettingsError: the file cannot be read, or holds too little to be a secret.
        EnvironmentProblem: it cannot be written.
    """
    try:
        text = file.read_bytes().strip()
    except FileNotFoundError:
        text = secrets.token_hex(32).encode()
        with atomic_file(file) as stream:
            stream.write(text + b"\n")
        file.chmod(0o600)
    except OSError as error:
        raise SettingsError(
            f"{file}: the secret cannot be read ({error.strerror}): check the path"
        ) from error
    if len(text) < _ENOUGH:
        raise SettingsError(
            f"{file}: holds {len(text)} bytes, too few for a secret: name a new file to have one made"
        )
    return Pseudonyms(text)
