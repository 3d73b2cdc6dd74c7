"""Rows to a csv, JSON lines or Parquet file: a few rows at a time, and all or nothing."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from tumorscan.atomic import atomic_file
from tumorscan.detect.rows import LISTS, NUMBERS, Row
from tumorscan.errors import SettingsError, require

# Parquet keeps statistics a group, and a group is held in memory until it is written.
_GROUP_ROWS = 5000

_Writer = Callable[[IO[bytes], Sequence[str], Iterator[Row]], None]


def check_format(out: Path) -> None:
    """Refuse a result file that could not be written, before any work is done.

    Raises:
        SettingsError: the suffix is none of `FORMATS`, or a folder has this name.
        MissingExtra: Parquet without pyarrow.
    """
    if out.suffix.lower() not in FORMATS:
        raise SettingsError(f"{out}: its suffix says the format: choose one of {', '.join(FORMATS)}")
    if out.is_dir():
        raise SettingsError(f"{out}: is a folder: name a file")
    if out.suffix.lower() == ".parquet":
        require("pyarrow.parquet", "parquet")


def write_results(out: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write every row, in order.

    A csv has notes and reasons joined by "; " and nothing where there is no value. Names of files that are no
    UTF-8 keep their bytes in a csv; Parquet, which has no place for them, gets the bytes as escapes.

    Args:
        out: its suffix says the format, see `check_format`.
        columns: of the file, in order; every row has them all.
        rows: with None where there is no value.

    Raises:
        EnvironmentProblem: it cannot be written; an old file of this name is as it was.
    """
    with atomic_file(out) as file:
        FORMATS[out.suffix.lower()](file, columns, iter(rows))


def _write_csv(file: IO[bytes], columns: Sequence[str], rows: Iterator[Row]) -> None:
    text = io.TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
    text.detach()  # flushes, and leaves the file open for its owner


def _cell(value: object) -> object:
    return "; ".join(value) if isinstance(value, list) else value


def _write_jsonl(file: IO[bytes], columns: Sequence[str], rows: Iterator[Row]) -> None:
    for row in rows:
        file.write(json.dumps({name: row[name] for name in columns}).encode() + b"\n")


def _write_parquet(file: IO[bytes], columns: Sequence[str], rows: Iterator[Row]) -> None:
    arrow, parquet = require("pyarrow", "parquet"), require("pyarrow.parquet", "parquet")
    texts = dict.fromkeys(LISTS, arrow.list_(arrow.string()))
    types = {**texts, **dict.fromkeys(NUMBERS, arrow.float64())}
    schema = arrow.schema([(name, types.get(name, arrow.string())) for name in columns])
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(rows, _GROUP_ROWS)):
            plain = [{name: _utf8(row[name]) for name in columns} for row in group]
            writer.write_table(arrow.Table.from_pylist(plain, schema=schema))


def _utf8(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return [_utf8(one) for one in value] if isinstance(value, list) else value


FORMATS: Final[dict[str, _Writer]] = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
"""By suffix."""
