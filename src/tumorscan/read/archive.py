"""A zip as files to read, in memory: nothing is unpacked to the disk, so no name in it leads anywhere."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath, PureWindowsPath
from typing import BinaryIO

from tumorscan.config import StudyLimits
from tumorscan.errors import UnreadableScan
from tumorscan.read.sources import Source, printable

_SMALL = 16 * 1024**2  # what may unpack to this does no harm, however well it was packed
_ENCRYPTED = 0x1


@contextmanager
def opened(archive: Source, limits: StudyLimits) -> Iterator[tuple[list[Source], list[str]]]:
    """The members of a zip while it is open, in the order of their names, and what was left out.

    Args:
        archive: the zip.
        limits: number of members, bytes of all of them unpacked, and how well they may be packed.

    Raises:
        UnreadableScan: it is damaged, or a limit is exceeded; told from its directory, before unpacking.
    """
    try:
        with archive.open() as stream, zipfile.ZipFile(stream) as folder:
            infos = [info for info in folder.infolist() if not info.is_dir()]
            _check(archive, infos, limits)
            problems: list[str] = []
            members = []
            for info in sorted(infos, key=lambda one: one.filename):
                name = f"{archive.name}!{printable(info.filename)}"
                if why := _odd(info):
                    problems.append(f"{name}: {why}")
                elif not _hidden(info.filename):
                    members.append(Source(name, info.file_size, _opener(folder, info, name)))
            yield members, problems
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise UnreadableScan(archive.name, f"is a damaged or cut zip ({why}): copy it again") from error


def _check(archive: Source, infos: list[zipfile.ZipInfo], limits: StudyLimits) -> None:
    if len(infos) > limits.max_files:
        over = f"holds {len(infos)} files, more than the limit of {limits.max_files}"
        cause = f"{over}: split it or raise max_files"
        raise UnreadableScan(archive.name, cause)
    total = sum(info.file_size for info in infos)
    if total > limits.max_bytes:
        over = f"unpacks to {total} bytes, more than the limit of {limits.max_bytes}"
        cause = f"{over}: split it or raise max_bytes"
        raise UnreadableScan(archive.name, cause)
    if total > _SMALL and total > limits.max_ratio * archive.size:
        cause = (
            f"unpacks to {total // archive.size} times its size, more than the limit of {limits.max_ratio}, "
            "as archives do that are made to fill memory: unpack it yourself if you trust it"
        )
        raise UnreadableScan(archive.name, cause)


def _odd(info: zipfile.ZipInfo) -> str:
    """Why a member is left out; empty where it is not."""
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted: unpack it with its password first"
    for path in (PurePosixPath(info.filename), PureWindowsPath(info.filename)):
        if path.is_absolute() or path.drive or ".." in path.parts:
            return "its name leads out of the archive, which no honest archive's does: left out"
    return ""


def _hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _opener(folder: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Callable[[], BinaryIO]:
    def unpacked() -> BinaryIO:
        try:
            with folder.open(info) as stream:
                return io.BytesIO(stream.read(info.file_size))
        except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, EOFError) as error:
            why = " ".join(str(error).split())[:120] or type(error).__name__
            raise UnreadableScan(name, f"cannot be unpacked ({why}): make the archive again") from error

    return unpacked
