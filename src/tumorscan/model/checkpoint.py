"""What a killed training goes on from: arrays and history, written so that no kill leaves a half."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.atomic import atomic_write_bytes, atomic_write_text
from tumorscan.errors import BundleError
from tumorscan.model.schedule import Epoch
from tumorscan.model.weights import Named, read_npz


class Checkpoints:
    """The state of one training in one folder: history, the newest epoch and the best of each phase."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._history = folder / "history.json"

    @property
    def disk(self) -> Path | None:
        """Where features may be put; None for nowhere."""
        return self.folder

    def history(self) -> list[Epoch]:
        """All finished epochs of all phases.

        Raises:
            BundleError: the history file is damaged.
        """
        if not self._history.is_file():
            return []
        try:
            return [Epoch(**row) for row in json.loads(self._history.read_text(encoding="utf-8"))]
        except (ValueError, TypeError) as error:
            raise BundleError(
                f"{self._history}: damaged ({error}); delete the run's folder and start again"
            ) from error

    def write_history(self, history: Sequence[Epoch]) -> None:
        """Make the epochs count: called after their arrays are safe."""
        rows = [row.to_table() for row in history]
        atomic_write_text(self._history, json.dumps(rows, indent=1))

    def has(self, name: str) -> bool:
        """Is there an array file of this name?"""
        return self._path(name).is_file()

    def read(self, name: str) -> Named:
        """Named arrays of a finished step."""
        return read_npz(self._path(name))

    def write(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Named arrays, uncompressed: they are large and short-lived."""
        atomic_write_bytes(self._path(name), npz_bytes(arrays))

    def read_best(self, phase: str) -> Named:
        """What trained in a phase, at its best epoch."""
        return self.read(f"best-{phase}")

    def write_best(self, phase: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Replace a phase's best epoch."""
        self.write(f"best-{phase}", arrays)

    def drop(self, name: str) -> None:
        """Forget a step that a newer one replaces."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"


class InMemory(Checkpoints):
    """Checkpoints that are as short-lived as their training: for fits that are small enough to do again."""

    def __init__(self) -> None:
        super().__init__(Path())
        self._rows: list[Epoch] = []
        self._arrays: dict[str, Named] = {}

    @property
    def disk(self) -> Path | None:
        """None: nothing is to be put on disk."""
        return None

    def history(self) -> list[Epoch]:
        """All finished epochs of all phases."""
        return list(self._rows)

    def write_history(self, history: Sequence[Epoch]) -> None:
        """Make the epochs count."""
        self._rows = list(history)

    def has(self, name: str) -> bool:
        """Are there arrays of this name?"""
        return name in self._arrays

    def read(self, name: str) -> Named:
        """Named arrays of a finished step."""
        return self._arrays[name]

    def write(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep named arrays; the newest epoch need not be, since nobody will resume it."""
        if not name.startswith("last-"):
            self._arrays[name] = {key: np.array(value) for key, value in arrays.items()}

    def drop(self, name: str) -> None:
        """Forget a step."""
        self._arrays.pop(name, None)


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A .npz of plain arrays; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    return buffer.getvalue()
