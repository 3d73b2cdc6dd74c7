"""A bundle in memory, loaded from a private copy: what happens to its folder later cannot reach it.

The arrays of a model are mapped from their file, so a file that is overwritten in place would change answers
of a running process, and one that is cut short would end it. Hence the copy; its hashes are what is verified.
"""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tumorscan.app.gather import GatherEngine
from tumorscan.app.private import make_private, remove_private
from tumorscan.detect.detector import Detector
from tumorscan.detect.engines import AUTO, load_engine
from tumorscan.errors import EnvironmentProblem, TumorscanError
from tumorscan.model.bundle import MANIFEST, Bundle, read_bundle

Stamp = tuple[tuple[str, int, int, int], ...]


class LoadedBundle:
    """One bundle, one engine, and a detector for each operating point.

    Args:
        path: folder of a bundle, or of a run that holds one.
        engine: as `load_engine` takes it.
        batch: pictures that the network sees at once.
        on_batch: told the size of every batch.

    Attributes:
        bundle: the verified copy; its folder goes when the last detector of it does.
        engine: shared by all detectors.
        points: names of the operating points, the default first.

    Raises:
        BundleError: absent, damaged, never fitted, or without a file for the engine.
        EnvironmentProblem: the engine is not installed, or there is no room for the copy.
    """

    def __init__(
        self,
        path: Path,
        engine: str = AUTO,
        *,
        batch: int = 16,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        self._home = folder_of(path)
        self.bundle = _copied(path)
        with _named(self.bundle.folder, self._home):
            self.bundle.fitted()
            inner = load_engine(self.bundle, engine)
        self.points = tuple(point.name for point in self.bundle.manifest.operating_points)
        # The first run sets up buffers: nobody's wait here, and a network that fails is never used.
        inner.run(np.zeros((1, inner.size, inner.size, 3), np.uint8))
        self.engine = GatherEngine(inner, batch, on_batch)
        self._detectors: dict[str, Detector] = {}

    def detector(self, operating_point: str = "") -> Detector:
        """The detector at an operating point, the default one if empty.

        Raises:
            SettingsError: there is no operating point of that name.
        """
        name = operating_point or self.points[0]
        if name not in self._detectors:
            with _named(self.bundle.folder, self._home):
                self._detectors[name] = Detector(self.bundle, self.engine, name)
        return self._detectors[name]

    def close(self) -> None:
        """Finish what waits for the engine; whoever still holds a detector may go on with it."""
        self.engine.close()


def folder_of(path: Path) -> Path:
    """Where the bundle of a path stands: the path itself, or the run's folder in it."""
    return path if (path / MANIFEST).is_file() else path / "bundle"


def stamp(path: Path) -> Stamp:
    """What tells one state of a bundle's folder from the next; empty while there is none."""
    try:
        files = sorted(folder_of(path).iterdir())
        seen = [(one.name, one.stat()) for one in files if one.is_file() and one.name[0] != "."]
    except OSError:
        return ()
    return tuple((name, status.st_mtime_ns, status.st_size, status.st_ino) for name, status in seen)


@contextmanager
def _named(copy: Path, folder: Path) -> Iterator[None]:
    """Errors speak of the folder that people know, not of our copy."""
    try:
        yield
    except TumorscanError as error:
        error.args = (str(error).replace(str(copy), str(folder)),)
        raise


def _copied(path: Path) -> Bundle:
    folder = folder_of(path)
    if not (folder / MANIFEST).is_file():
        return read_bundle(path)  # which says what is missing
    copy = make_private("bundle")
    try:
        for file in folder.iterdir():
            if file.is_file():
                shutil.copyfile(file, copy / file.name)
        with _named(copy, folder):
            bundle = read_bundle(copy)
    except OSError as error:
        remove_private(copy)
        raise EnvironmentProblem(
            f"{folder}: no copy can be made in {copy.parent} ({error.strerror})"
        ) from error
    except TumorscanError:
        remove_private(copy)
        raise
    weakref.finalize(bundle, remove_private, copy)
    return bundle
