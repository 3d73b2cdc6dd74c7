"""The node's folder: for this user alone, for one node at a time, with no identity in any of its names."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import IO

from tumorscan.app.node.database import FILE, Database
from tumorscan.app.node.record import AUDIT, KEY, Pseudonyms
from tumorscan.errors import EnvironmentProblem

_OBJECTS, _RESULTS, _WORK = "objects", "results", "work"


class Store:
    """What the node keeps.

    Attributes:
        folder: absolute; mode 0700.
        names: makes keyed hashes of UIDs.
        database: the queue's.
        audit: file of JSON lines.

    Raises:
        EnvironmentProblem: the folder cannot be made, or another node has it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.folder.chmod(0o700)
            self._lock = (self.folder / "lock").open("wb")
        except OSError as error:
            raise EnvironmentProblem(
                f"{folder}: cannot be used as a store ({error.strerror}): choose another with --store"
            ) from error
        _lock_or_refuse(self._lock, folder)
        self.names = Pseudonyms(self.folder / KEY)
        self.database = Database(self.folder / FILE)
        self.audit = self.folder / AUDIT

    def object_file(self, study: str, key: str) -> Path:
        """Where an object of a study stands."""
        return self.folder / _OBJECTS / study / f"{key}.dcm"

    def results_folder(self, study: str, generation: int) -> Path:
        """Where the results of a study stand, once they are whole."""
        return self.folder / _RESULTS / f"{study}-{generation}"

    def relative(self, file: Path) -> str:
        """A file of the store as the queue names it."""
        return str(file.relative_to(self.folder))

    @contextlib.contextmanager
    def bench(self, study: str, objects: Iterable[str]) -> Iterator[tuple[Path, Path]]:
        """Folders for one analysis: its pictures, which nothing changes meanwhile, and its results."""
        bench = self.folder / _WORK / study
        shutil.rmtree(bench, ignore_errors=True)
        pictures, results = bench / "study", bench / "results"
        pictures.mkdir(parents=True)
        results.mkdir()
        try:
            for key in objects:
                _link(self.object_file(study, key), pictures / f"{key}.dcm")
            yield pictures, results
        finally:
            shutil.rmtree(bench, ignore_errors=True)

    def tidy(self, present: Callable[[str], Collection[str]]) -> None:
        """Delete what a killed node left half done: benches, and files that nobody was told of.

        Args:
            present: gives the objects of a study whose files the queue knows.
        """
        shutil.rmtree(self.folder / _WORK, ignore_errors=True)
        for folder in (self.folder / _OBJECTS).glob("*"):
            known = set(present(folder.name))
            for file in folder.iterdir():
                if file.stem not in known:
                    file.unlink()

    def close(self) -> None:
        """Let another node have it."""
        self.database.close()
        self._lock.close()


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def _lock_or_refuse(file: IO[bytes], folder: Path) -> None:
    """Two nodes on one queue would do everything twice; where there are no locks, hope."""
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise EnvironmentProblem(
            f"{folder}: another node is using it: stop that one, or choose another --store"
        ) from None
    except OSError:
        return  # a network drive without locks
