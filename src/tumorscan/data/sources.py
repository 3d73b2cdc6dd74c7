"""Which pictures a folder or a csv lists, with the label, patient and group that it gives them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tumorscan.data.labels import ALLOWED, label_from_folders, label_of, plane_of
from tumorscan.data.records import Skipped
from tumorscan.data.table import read_table
from tumorscan.errors import DataError
from tumorscan.read.files import list_files
from tumorscan.types import Label

_SHOWN: Final = 8


@dataclass(frozen=True)
class Listed:
    """A file as a source lists it, not yet read.

    Attributes:
        file: absolute, links resolved.
        label: what the source says it is.
        source: the source's name: the csv's word or stem; of a folder its subfolder
            (``no_tumor/hospital_a``), or its own name where the subfolders are the classes.
        patient: empty if not known.
        group: unique over all sources; empty if the source gives none.
        plane: empty if not known.
    """

    file: Path
    label: Label
    source: str
    patient: str = ""
    group: str = ""
    plane: str = ""


def list_source(path: Path, where: Mapping[str, str] | None = None) -> tuple[list[Listed], list[Skipped]]:
    """What a folder or a csv lists, and the files whose label cannot be told.

    Args:
        path: of the folder or the csv.
        where: only the csv rows whose columns hold these values; what the others hold does not matter.

    Raises:
        DataError: the path is neither, lists no picture, or the csv has a missing column or an unknown
            label; or there is no such column or no such row.
    """
    where = where or {}
    if path.is_dir() and where:
        raise DataError(
            f"{path}: a folder has no columns to select by: name a csv, or leave the selection out"
        )
    if path.is_dir():
        listed, skipped = _list_folder(path)
    elif path.suffix.lower() == ".csv" and path.is_file():
        listed, skipped = _list_csv(path, where), []
    else:
        what = "is neither a folder nor a csv" if path.exists() else "there is no such folder or csv"
        raise DataError(f"{path}: {what}: name a folder of pictures or a csv with the columns file,label")
    if not listed and not skipped:
        raise DataError(f"no picture found in {path}: name a folder or csv that holds some")
    return listed, skipped


def _list_folder(folder: Path) -> tuple[list[Listed], list[Skipped]]:
    listed: list[Listed] = []
    skipped: list[Skipped] = []
    # By the name it was called by: a link named yes may lead to a folder named otherwise.
    root = folder.resolve() if ".." in folder.parts else folder.absolute()
    for found in list_files([root]):
        if found.suffix.lower() == ".csv":
            continue  # a table that stands beside its pictures, as catalogs and phantoms do
        label = label_from_folders(_folders_around(found, root), root.parent.name)
        if label is None:
            cause = f"label unknown: no folder around it, from {root.name} down, is named {ALLOWED}"
            skipped.append(Skipped(found.resolve(), cause))
        else:
            listed.append(Listed(found.resolve(), label, _source(found, root)))
    return listed, skipped


def _source(file: Path, root: Path) -> str:
    """The subfolder of the root that it is in, or the root itself where its subfolders are the classes.

    Below a folder that is itself named after a class, ``no_tumor/healthy`` is a source like any other.
    """
    subfolder = next(iter(file.relative_to(root).parent.parts), "")
    is_class = label_of(subfolder) is not None and label_of(root.name) is None
    return root.name if not subfolder or is_class else subfolder


def _folders_around(file: Path, root: Path) -> Sequence[str]:
    inside = file.relative_to(root).parent.parts
    return (*reversed(inside), root.name)


def _list_csv(path: Path, where: Mapping[str, str]) -> list[Listed]:
    listed = []
    for line, row in selected_rows(path, where):
        label = label_in(path, line, row)
        if not row["file"].strip():
            raise DataError(f"{path}: line {line}: no file: name a picture, relative to {path.parent}")
        group = row.get("group", "").strip()
        listed.append(
            Listed(
                file=file_of(row["file"], path.parent),
                label=label,
                source=row.get("source", "").strip() or path.stem,
                patient=row.get("patient", "").strip(),
                # A catalog's groups span its sources, and two csv files may both have a group "1".
                group=f"{path.resolve()}\n{group}" if group else "",
                plane=plane_of(row.get("plane", "")),
            )
        )
    return listed


def label_in(path: Path, line: int, row: Mapping[str, str]) -> Label:
    """The label of a csv's row.

    Raises:
        DataError: it means neither class.
    """
    label = label_of(row["label"])
    if label is None:
        raise DataError(f"{path}: line {line}: unknown label {row['label']!r}: it must be one of {ALLOWED}")
    return label


def selected_rows(path: Path, where: Mapping[str, str]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a csv with the columns file and label whose columns hold some values, with their lines.

    Raises:
        DataError: the csv cannot be read, or there is no such column or no such row.
    """
    rows = read_table(path, ("file", "label"))
    for column, wanted in where.items():
        if rows and column not in rows[0][1]:
            raise DataError(f"{path}: no column {column!r} to select by: there are {', '.join(rows[0][1])}")
        values = sorted({row[column].strip() for _, row in rows})
        rows = [(line, row) for line, row in rows if row[column].strip() == wanted]
        if values and not rows:
            shown = ", ".join(values[:_SHOWN]) + (" ..." if len(values) > _SHOWN else "")
            raise DataError(f"{path}: no row with {column} = {wanted}: the rows left to it hold {shown}")
    return rows


def selected_files(path: Path, where: Mapping[str, str]) -> set[Path]:
    """The files (resolved) of the rows that `selected_rows` gives; none of a folder, or without the column.

    Raises:
        DataError: the csv cannot be read, or has the columns and no such row.
    """
    if path.suffix.lower() != ".csv":
        return set()
    rows = read_table(path, ("file", "label"))
    if not rows or not set(where) <= set(rows[0][1]):
        return set()
    return {file_of(row["file"], path.parent) for _, row in selected_rows(path, where)}


def divided_patients(path: Path) -> list[str]:
    """Patients whose pictures stand in two folds of a csv that brings folds of its own.

    Such folds are no honest split: a model would be tested on patients that it was trained on. The
    csv's groups still join the patients, so only who selects by fold has to beware.

    Raises:
        DataError: the csv cannot be read.
    """
    folds: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for _, row in read_table(path, ("file", "label")):
        patient, fold = row.get("patient", "").strip(), row.get("fold", "").strip()
        if patient and fold:
            folds[row.get("source", ""), patient].add(fold)
    return sorted(patient for (_, patient), found in folds.items() if len(found) > 1)


def file_of(name: str, folder: Path) -> Path:
    """The file that a csv in `folder` names: relative to that folder, else to the current one.

    A csv written on Windows has backslashes.
    """
    for spelled in dict.fromkeys((name, name.strip(), name.replace("\\", "/"))):
        for file in (folder / spelled, Path(spelled)):
            if file.exists():
                return file.resolve()
    return (folder / name).resolve()
