"""conflicts.csv: pictures that belong together and bear both labels, for a person to look at and decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tumorscan.data.groups import NearLink
from tumorscan.data.records import Conflict, Record
from tumorscan.data.table import read_table, relative_name, write_table
from tumorscan.errors import DataError

_COLUMNS: Final = (
    *("conflict", "kind", "file", "label", "group", "correlation", "view"),
    *("pixels_sha256", "copy_of_sha256"),
)
_NEAR: Final = "near copy"


def write_conflicts(conflicts: Sequence[Conflict], path: Path) -> None:
    """Write one line a picture; the lines of one conflict bear its number.

    Raises:
        EnvironmentProblem: it cannot be written; an old file is as it was.
    """
    rows = (
        _row(number, conflict, record, path.parent.resolve())
        for number, conflict in enumerate(conflicts, 1)
        for record in conflict.records
    )
    write_table(path, _COLUMNS, rows)


def _row(number: int, conflict: Conflict, record: Record, folder: Path) -> dict[str, object]:
    link = conflict.link
    row: dict[str, object] = {
        "conflict": number,
        "kind": _NEAR if link else "same pixels" if conflict.same_pixels else "one group",
        "file": relative_name(record.file, folder),
        "label": record.label,
        "group": record.group,
        "pixels_sha256": record.pixels_sha256,
    }
    if link:
        twin = link.other if record.pixels_sha256 == link.one else link.one
        row |= {"correlation": repr(link.correlation), "view": link.view, "copy_of_sha256": twin}
    return row


def read_refused(path: Path) -> tuple[NearLink, ...]:
    """The near copies among the conflicts that `write_conflicts` wrote; none where there is no such file.

    Raises:
        DataError: the csv is damaged or lacks a column; names the line.
    """
    return tuple(dict.fromkeys(_links(path))) if path.exists() else ()


def _links(path: Path) -> Iterator[NearLink]:
    for line, row in read_table(path, _COLUMNS):
        if row["kind"] != _NEAR:
            continue
        one, other = sorted((row["pixels_sha256"], row["copy_of_sha256"]))
        try:
            yield NearLink(one, other, float(row["correlation"]), row["view"])
        except ValueError as error:
            raise DataError(
                f"{path}: line {line}: correlation is {row['correlation']!r}, it must be a number: "
                "make the catalog anew"
            ) from error
