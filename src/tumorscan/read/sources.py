"""Files to read a study from: on disk, in a folder, or in an archive, all by one way."""

from __future__ import annotations

import io
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tumorscan.config import StudyLimits
from tumorscan.errors import UnreadableScan

HEAD = 400
"""First bytes that tell what a file is."""


@dataclass(frozen=True)
class Source:
    """A file that may hold slices.

    Attributes:
        name: as people know it; a member of an archive is ``archive.zip!member``.
        size: in bytes, unpacked.
        open: gives a stream over its bytes that can seek.
    """

    name: str
    size: int
    open: Callable[[], BinaryIO]

    def head(self) -> bytes:
        """Its first bytes.

        Raises:
            UnreadableScan: it cannot be read.
        """
        return self._first(HEAD)

    def whole(self) -> bytes:
        """All of it.

        Raises:
            UnreadableScan: it cannot be read.
        """
        return self._first(self.size)

    def _first(self, count: int) -> bytes:
        try:
            with self.open() as stream:
                return stream.read(count)
        except OSError as error:
            raise UnreadableScan(self.name, f"cannot be read ({error.strerror or error})") from error


class _Clamped(io.BufferedReader):
    """A file that reads no more than is there.

    Damaged lengths make parsers ask for gigabytes at once, and Python would set them aside before it looks.
    """

    def __init__(self, path: Path, size: int) -> None:
        super().__init__(io.FileIO(path))
        self._bytes = size

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(self._bytes - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


def file_source(path: Path, limits: StudyLimits) -> Source:
    """A file on disk.

    Raises:
        UnreadableScan: it is no file, may not be looked at, is empty or too large.
    """
    name = str(path)
    try:
        # Asked before opening: to open a pipe would wait for its other end.
        status = path.stat()
    except FileNotFoundError as error:
        raise UnreadableScan(name, "does not exist: check the path") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UnreadableScan(name, f"cannot be looked at ({why}): check the path") from error
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableScan(name, "is a device or a pipe, not a file: save it to a file first")
    check_bytes(name, status.st_size, limits)
    return Source(name, status.st_size, lambda: _Clamped(path, status.st_size))


def check_bytes(name: str, size: int, limits: StudyLimits) -> None:
    """Refuse what is empty or too large.

    Raises:
        UnreadableScan: it is.
    """
    if not size:
        raise UnreadableScan(name, "is empty (0 bytes): copy it again from its source")
    if size > limits.max_bytes:
        cause = (
            f"is {size} bytes, more than the limit of {limits.max_bytes}: make it smaller or raise max_bytes"
        )
        raise UnreadableScan(name, cause)


def printable(name: str) -> str:
    """A name on one line, whatever is in it."""
    return "".join(sign if sign.isprintable() else "?" for sign in name)
