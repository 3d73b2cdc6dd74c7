"""Who the node talks to: application entities and DICOMweb servers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from tumorscan.errors import SettingsError

# PS3.5, table 6.2-1, AE: at most 16 characters, no backslash, no control; here ASCII.
_AET = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")


@dataclass(frozen=True)
class Peer:
    """An application entity that takes results.

    Attributes:
        aet: its AE title.
        host: name or address.
        port: 1..65535.
    """

    aet: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.aet}@{self.host}:{self.port}"


def checked_aet(text: str, option: str) -> str:
    """An AE title as the standard has it, without spaces around.

    Raises:
        SettingsError: it is none.
    """
    title = text.strip()
    if not _AET.fullmatch(title):
        raise SettingsError(
            f"{option} {text!r}: an AE title has 1 to 16 printable characters and no backslash"
        )
    return title


def peer_from(text: str, option: str = "--send-to") -> Peer:
    """The peer that ``AET@HOST:PORT`` names.

    Raises:
        SettingsError: it is written otherwise.
    """
    aet, at, where = text.rpartition("@")
    host, colon, port = where.rpartition(":")
    if not (at and colon and host) or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise SettingsError(f"{option} {text}: write AET@HOST:PORT, for example PACS@127.0.0.1:4242")
    return Peer(checked_aet(aet, option), host.strip("[]"), int(port))


def checked_url(text: str, option: str = "--dicomweb") -> str:
    """The root of a DICOMweb server, without a slash at its end.

    Raises:
        SettingsError: it is no http address, or holds a password, which a list of processes would show.
    """
    try:
        parts = urlsplit(text)
        named = parts.scheme in {"http", "https"} and parts.hostname
    except ValueError:
        named = None
    if not named:
        raise SettingsError(f"{option} {text}: write its address, such as http://127.0.0.1:8042/dicom-web")
    if parts.username or parts.password:
        raise SettingsError(f"{option}: keep name and password out of the address and in ~/.netrc")
    return text.rstrip("/")
