"""Who may ask: tokens by name, as programs send them, and the cookie that a browser gets for one."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tumorscan.errors import SettingsError

VARIABLE: Final = "TUMORSCAN_TOKEN"
COOKIE: Final = "tumorscan_session"
SESSION_SECONDS: Final = 12 * 3600
_SHORTEST = 16
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


class Tokens:
    """Knows clients by their token; without any, everyone is let in and known by their address alone.

    Args:
        tokens: by name of the client.
        clock: seconds since 1970.
    """

    def __init__(self, tokens: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self._tokens = {name: token.encode() for name, token in tokens.items()}
        self._clock = clock
        # Of this process alone: a restart ends all sessions, and nothing secret is kept anywhere.
        self._key = secrets.token_bytes(32)

    def __bool__(self) -> bool:
        return bool(self._tokens)

    def client_of(self, token: str) -> str | None:
        """The name of the client that a token belongs to."""
        given, found = token.encode(), None
        for name, known in self._tokens.items():  # all of them, so that the time tells nothing
            if hmac.compare_digest(known, given):
                found = name
        return found

    def session(self, client: str) -> str:
        """The value of a cookie for a client that showed its token."""
        until = f"{client}.{int(self._clock()) + SESSION_SECONDS}"
        return f"{until}.{self._seal(until)}"

    def client_of_session(self, value: str) -> str | None:
        """The client that a cookie was made for, until it runs out."""
        until, _, seal = value.rpartition(".")
        if not hmac.compare_digest(self._seal(until).encode(), seal.encode("utf-8", "replace")):
            return None
        client, _, end = until.rpartition(".")
        return client if int(end) >= self._clock() and client in self._tokens else None

    def _seal(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def read_tokens(file: Path | None, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The tokens of a file, or the one in TUMORSCAN_TOKEN, by name.

    A line is a token, or a name, a blank and a token: each name is a client of its own. Empty lines and
    those that begin with # are left out.

    Raises:
        SettingsError: the file cannot be read, holds none, or one that is too short to be safe.
    """
    if file is None:
        alone = environment.get(VARIABLE, "").strip()
        return _checked({"user": alone}, VARIABLE) if alone else {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no text"
        raise SettingsError(f"{file}: the tokens cannot be read ({why})") from error
    tokens: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        name, token = words if len(words) == 2 else (f"client{number}", words[0])
        if len(words) > 2 or not _NAME.fullmatch(name) or name in tokens:
            raise SettingsError(
                f"{file}: line {number}: write a token, or a name of letters and digits, a blank and a token"
            )
        tokens[name] = token
    if not tokens:
        raise SettingsError(
            f"{file}: holds no token: write one of at least {_SHORTEST} characters, a line each"
        )
    return _checked(tokens, str(file))


def _checked(tokens: dict[str, str], where: str) -> dict[str, str]:
    for token in tokens.values():
        if len(token) < _SHORTEST or not token.isascii() or not token.isprintable():
            raise SettingsError(
                f"{where}: a token has {_SHORTEST} or more ASCII characters without blanks: "
                'python3 -c "import secrets; print(secrets.token_urlsafe(32))" makes one'
            )
    return tokens
