"""Folders that only this user may enter, and that go with the process: at its end, or when the next starts.

A process that is killed outright cannot tidy up. So each folder is locked (`flock`) for as long as its
process lives, and whoever starts next deletes those that nobody holds any more.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

from tumorscan.errors import EnvironmentProblem

_NAME: Final = "tumorscan-"
_KINDS: Final = ("page", "work", "volumes", "bundle")
_BEING_MADE: Final = 60.0
"""Seconds for which a folder is left alone although nobody holds it yet."""
_held: dict[Path, int | None] = {}
"""Folders of this process, with what locks them."""


def make_private(kind: str) -> Path:
    """A new folder, mode 0700, for the process's life or until `remove_private`; absolute, links resolved.

    Args:
        kind: one of page, work, volumes, bundle; a part of its name.

    Raises:
        EnvironmentProblem: there is no place for one.
    """
    folder = Path(tempfile.gettempdir()).resolve() / f"{_NAME}{kind}-{secrets.token_hex(8)}"
    # Before it is there: a signal that ends the process may come at any line from here on.
    _held[folder] = None
    try:
        folder.mkdir(0o700)
    except OSError as error:
        del _held[folder]
        raise EnvironmentProblem(
            f"{folder.parent}: no private folder can be made ({error.strerror}): set TMPDIR"
        ) from error
    _held[folder] = _locked(folder)
    return folder


def remove_private(folder: Path) -> None:
    """Delete a folder of `make_private` and all that is in it; may be called more than once."""
    shutil.rmtree(folder, ignore_errors=True)
    lock = _held.pop(folder, None)
    if lock is not None:
        os.close(lock)


@atexit.register
def _remove_all() -> None:
    for folder in list(_held):
        remove_private(folder)


def sweep_private() -> int:
    """Delete what processes of this user left that were killed; returns how many folders that were.

    Where there is no `flock` (Windows) nobody can tell, and nothing is deleted.
    """
    home, swept = Path(tempfile.gettempdir()).resolve(), 0
    for folder in (one for kind in _KINDS for one in home.glob(f"{_NAME}{kind}-*")):
        if folder not in _held and _is_old(folder):
            lock = _locked(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
                swept += 1
    return swept


def _is_old(folder: Path) -> bool:
    try:
        about = folder.lstat()
    except OSError:
        return False
    ours = not hasattr(os, "getuid") or about.st_uid == os.getuid()
    return ours and not folder.is_symlink() and time.time() - about.st_ctime > _BEING_MADE


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the folder; None if another process does, or locks are not to be had."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
