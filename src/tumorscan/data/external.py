"""An external set: what one path holds, under a name, and a hash that tells it under any path."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tumorscan.data.catalog import build_catalog, join_groups
from tumorscan.data.records import Catalog, Record, Skipped, conflicts
from tumorscan.errors import DataError


@dataclass(frozen=True)
class ExternalSet:
    """Pictures that a model is tested on and that had no part in making it.

    Attributes:
        name: of the folder or csv, with the selection: ``figshare[fold=5]``.
        records: without later exact copies within a source.
        copies: these copies; they are not measured.
        skipped: files that could not be used, and why.
        sha256: over the hashes of its pictures; neither path, name nor order of the files plays a part.
    """

    name: str
    records: tuple[Record, ...]
    copies: tuple[Record, ...]
    skipped: tuple[Skipped, ...]
    sha256: str


def read_set(path: Path, where: Mapping[str, str], *, progress: bool = False) -> ExternalSet:
    """Read what a folder or a csv lists.

    Args:
        path: of the folder or csv; see `build_catalog`.
        where: only the csv rows whose columns hold these values.
        progress: show a bar on stderr.

    Raises:
        DataError: nothing can be used, a label or column is unknown, no row is selected, or a picture
            has two labels.
    """
    catalog = build_catalog([path], where=where, progress=progress)
    _refuse_two_labels(catalog)
    kept: dict[tuple[str, str], Record] = {}
    for record in sorted(catalog.records, key=lambda record: record.file.as_posix()):
        kept.setdefault((record.source, record.pixels_sha256), record)
    records = tuple(kept.values())
    first = set(records)
    return ExternalSet(
        name=_name(path, where),
        records=records,
        copies=tuple(record for record in catalog.records if record not in first),
        skipped=catalog.skipped,
        sha256=set_sha256(records),
    )


def set_sha256(records: Sequence[Record]) -> str:
    """SHA-256 (FIPS 180-4), in hex, over the sorted distinct hashes of the pictures."""
    distinct = sorted({record.pixels_sha256 for record in records})
    return hashlib.sha256("\n".join(distinct).encode()).hexdigest()


def joined(sets: Sequence[ExternalSet]) -> tuple[Record, ...]:
    """All records of some sets, each file once; groups reach over the sets.

    Raises:
        DataError: a picture has two labels.
    """
    by_file = {(record.file, record.label): record for one in sets for record in one.records}
    catalog = join_groups(Catalog(tuple(by_file.values())), ())
    _refuse_two_labels(catalog)
    return catalog.records


def _refuse_two_labels(catalog: Catalog) -> None:
    clash = next((clash for clash in conflicts(catalog) if clash.same_pixels), None)
    if clash:
        files = ", ".join(f"{record.file} ({record.label})" for record in clash.records[:4])
        raise DataError(f"the same picture has two labels: {files}: correct the label or take the files out")


def _name(path: Path, where: Mapping[str, str]) -> str:
    stem = path.resolve().stem if path.suffix.lower() == ".csv" else path.resolve().name
    chosen = ",".join(f"{column}={value}" for column, value in sorted(where.items()))
    return f"{stem}[{chosen}]" if chosen else stem
