"""Slices whose tumor type a csv gives, with the patient and the fold of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.data.sources import file_of
from tumorscan.data.table import read_table
from tumorscan.errors import DataError

COLUMNS: Final = ("file", "tumor_type", "patient", "fold")


@dataclass(frozen=True, eq=False)
class TypedSlices:
    """N slices with a tumor each.

    Attributes:
        files: N, absolute, links resolved.
        names: the types, in order of the alphabet.
        types: int64, N: which of the names.
        patients: str, N.
        folds: str, N: as the csv says.
        whole: str, N: the same, but no patient is divided: see `whole_patients`.
        planes: str, N; empty where the csv does not say.
    """

    files: tuple[Path, ...]
    names: tuple[str, ...]
    types: NDArray[np.int64]
    patients: NDArray[np.str_]
    folds: NDArray[np.str_]
    whole: NDArray[np.str_]
    planes: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.files)

    @property
    def divided(self) -> tuple[str, ...]:
        """Patients whose slices the csv puts into several folds."""
        pairs = set(zip(self.patients.tolist(), self.folds.tolist(), strict=True))
        counts = Counter(patient for patient, _ in pairs)
        return tuple(sorted(patient for patient, count in counts.items() if count > 1))


def read_typed(path: Path) -> TypedSlices:
    """The slices of a csv with the columns file, tumor_type, patient and fold; plane where there is one.

    Raises:
        DataError: the csv cannot be read, a value is missing, a patient has two types, a file is named twice
            or is not there, or there are fewer than two types or folds.
    """
    rows = read_table(path, COLUMNS)
    if not rows:
        raise DataError(f"{path}: holds no row: it must name slices with a tumor")
    for line, row in rows:
        empty = [name for name in COLUMNS if not row[name].strip()]
        if empty:
            raise DataError(f"{path}: line {line}: {', '.join(empty)} is empty: fill it or take the row out")
    files = tuple(file_of(row["file"], path.parent) for _, row in rows)
    _check_files(path, files, [line for line, _ in rows])
    kinds = _column(rows, "tumor_type")
    patients, folds = _column(rows, "patient"), _column(rows, "fold")
    names, types = np.unique(kinds, return_inverse=True)
    _check_types(path, patients, kinds, names, folds)
    planes = np.array([row.get("plane", "").strip() for _, row in rows])
    whole = whole_patients(patients, folds)
    return TypedSlices(files, tuple(names.tolist()), types.astype(np.int64), patients, folds, whole, planes)


def whole_patients(patients: NDArray[np.str_], folds: NDArray[np.str_]) -> NDArray[np.str_]:
    """The folds with no patient divided: each goes with most of its slices, to the first fold of equals.

    Args:
        patients: str, N.
        folds: str, N.
    """
    home = {}
    for patient in np.unique(patients):
        names, counts = np.unique(folds[patients == patient], return_counts=True)
        home[patient] = names[int(counts.argmax())]
    return np.array([home[patient] for patient in patients])


def _column(rows: Sequence[tuple[int, dict[str, str]]], name: str) -> NDArray[np.str_]:
    return np.array([row[name].strip() for _, row in rows])


def _check_files(path: Path, files: Sequence[Path], lines: Sequence[int]) -> None:
    seen: dict[Path, int] = {}
    for file, line in zip(files, lines, strict=True):
        if seen.setdefault(file, line) != line:
            raise DataError(f"{path}: line {line}: {file.name} stands in line {seen[file]} too: keep one")
        if not file.is_file():
            raise DataError(f"{path}: line {line}: there is no picture {file}")


def _check_types(
    path: Path,
    patients: NDArray[np.str_],
    kinds: NDArray[np.str_],
    names: NDArray[np.str_],
    folds: NDArray[np.str_],
) -> None:
    if len(names) < 2:
        raise DataError(f"{path}: every slice is {names[0]}: two tumor types are needed to tell them apart")
    if len(np.unique(folds)) < 2:
        raise DataError(f"{path}: there is one fold: at least two are needed")
    of: dict[str, str] = {}
    for patient, kind in zip(patients.tolist(), kinds.tolist(), strict=True):
        if of.setdefault(patient, kind) != kind:
            raise DataError(f"{path}: patient {patient} has {of[patient]} and {kind}: correct the table")
