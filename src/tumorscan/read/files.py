"""Which files a list of paths means."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tumorscan.errors import UnreadableScan


def list_files(paths: Sequence[Path]) -> list[Path]:
    """The files that paths name: a file stays, a folder is walked through all its folders.

    A path that does not exist and holds ``*``, ``?`` or ``[`` is a pattern, ``**`` for folders at any
    depth: patterns reach us unexpanded where they stand in quotes, and from Windows's shell always.

    Files of a folder come in natural order (2 before 10), a folder's own before those of its
    subfolders. Hidden files and folders (named from a dot) are left out, unless a path names them.
    Linked folders are followed, each folder once, so a circle of links ends.

    Args:
        paths: files, folders and patterns, in the order wanted.

    Returns:
        Paths that start as the given ones do; a link that leads nowhere is among them, so that
        reading it says so.

    Raises:
        UnreadableScan: a path does not exist, a pattern matches nothing, or a folder may not be listed.
    """
    found: list[Path] = []
    for path in paths:
        try:
            is_folder = path.is_dir()
            exists = is_folder or path.exists() or path.is_symlink()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise UnreadableScan(str(path), f"cannot be looked at ({why}): check the path") from error
        if exists:
            found.extend(_walk(path, set()) if is_folder else [path])
        elif any(sign in str(path) for sign in "*?["):
            found.extend(_matches(path))
        else:
            raise UnreadableScan(str(path), "does not exist: check the path")
    return found


def _matches(pattern: Path) -> list[Path]:
    matches = [Path(name) for name in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207 - Path.glob takes no absolute pattern
    if not matches:
        raise UnreadableScan(str(pattern), "no file matches this pattern: check it, and the folder before it")
    # A folder that matches is walked, as when the shell had expanded the pattern.
    return list_files(sorted(matches, key=lambda path: [_natural(part) for part in path.parts]))


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        status = folder.stat()
        entries = sorted(
            (entry for entry in folder.iterdir() if entry.name[0] != "."),
            key=lambda entry: _natural(entry.name),
        )
    except OSError as error:
        cause = f"the folder may not be listed ({error.strerror}): ask for the right to read it"
        raise UnreadableScan(str(folder), cause) from error
    here = (status.st_dev, status.st_ino)
    if here in seen:
        return
    seen.add(here)
    yield from (entry for entry in entries if not entry.is_dir())
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry, seen)


def _natural(name: str) -> tuple[list[str | int], str]:
    # Splitting at digits alternates text and number, so only like is compared with like.
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if part.isdigit() and part.isascii() else part for part in parts], name
