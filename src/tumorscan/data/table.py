"""Tables as csv: UTF-8, comma, one header line. Refusals name the file and the line."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tumorscan.atomic import atomic_write_bytes
from tumorscan.errors import DataError

# File names need not be UTF-8 on Linux; this carries their bytes through unchanged.
_ODD_NAMES = "surrogateescape"


def read_table(path: Path, required: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a csv with the number of the line each ends on.

    Args:
        path: the csv. A byte order mark is taken off; further columns are kept.
        required: columns that must be there.

    Raises:
        DataError: the file cannot be read, is no csv, lacks a column, or a row has too few or too many
            values.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", errors=_ODD_NAMES)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}: name a csv that exists and may be read") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header, required)
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: no csv ({error}): save it as UTF-8 csv") from error
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(
                f"{path}: line {line}: {len(row)} values under {len(header)} columns: "
                "put values that hold a comma in quotes"
            )
    return [(line, dict(zip(header, row, strict=True))) for line, row in rows]


def _check_header(path: Path, header: Sequence[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in header]
    if missing:
        raise DataError(
            f"{path}: line 1: no column {', '.join(missing)}: "
            f"the first line must name the columns {', '.join(required)}, with commas between"
        )


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a csv, all or nothing.

    Raises:
        EnvironmentProblem: it cannot be written; an old file of this name is as it was.
    """
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_write_bytes(path, out.getvalue().encode("utf-8", errors=_ODD_NAMES))


def relative_name(file: Path, folder: Path) -> str:
    """A file's name as seen from a folder (both resolved), forward slashes; absolute on another drive."""
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # Windows: there is no way from one drive to another
        return file.as_posix()


def resolved_name(name: str, folder: Path) -> Path:
    """The file behind a name written by `relative_name`, from the folder, resolved.

    No look at the disk: both ends were resolved when the name was written, and 100,000 looks take long.
    """
    return Path(os.path.normpath(folder / name))
