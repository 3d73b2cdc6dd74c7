"""Files that are either the old one or the whole new one, never something between."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tumorscan.errors import EnvironmentProblem


def atomic_write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, all or nothing; see `atomic_write_bytes`."""
    atomic_write_bytes(path, text.encode("utf-8"))


def atomic_write_bytes(path: Path, data: bytes) -> None:
    """Write a file, all or nothing; see `atomic_file`."""
    with atomic_file(path) as file:
        file.write(data)


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to be written piece by piece, all or nothing; folders on the way are made.

    The bytes go to a temporary file in the same folder, to the disk, and only then take the name
    (`os.replace`), so a reader, a full disk or a kill never meets half a file. An exception inside the
    block leaves things as they were.

    Raises:
        EnvironmentProblem: the disk is full, the folder is read-only or cannot be made. An old file
            of this name is as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
    except OSError as error:
        raise cannot_write(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_usual_mode(path))
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _usual_mode(path: Path) -> int:
    """The old file's permissions, else what `open` would give: mkstemp's 0600 is too narrow to share."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        return 0o666 & ~_UMASK


def _read_umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


# Read once at import: the call sets the mask of the whole process for an instant, which is not for threads.
_UMASK = _read_umask()


def cannot_write(path: Path, error: OSError) -> EnvironmentProblem:
    """The error of a file that could not be written, with cause and cure."""
    cause = (error.strerror or str(error)).lower()
    return EnvironmentProblem(
        f"{path}: cannot be written ({cause}): free some space or choose a folder that you may write in"
    )
