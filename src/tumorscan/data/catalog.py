"""The catalog: every picture of some folders and csv files, with its label, hash and group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from tumorscan.config import ReadLimits
from tumorscan.data.groups import Links, group_names
from tumorscan.data.parallel import in_order
from tumorscan.data.records import (
    COLUMNS,
    REQUIRED,
    Catalog,
    Conflict,
    Record,
    Skipped,
    conflicts,
    from_row,
    pixels_sha256,
    to_row,
)
from tumorscan.data.sources import Listed, list_source
from tumorscan.data.table import read_table, relative_name, resolved_name, write_table
from tumorscan.errors import DataError, UnreadableScan
from tumorscan.read import read_scan

__all__ = [
    "Catalog",
    "Conflict",
    "Record",
    "Skipped",
    "build_catalog",
    "conflicts",
    "join_groups",
    "pixels_sha256",
    "read_catalog",
    "write_catalog",
]

_LIMITS: Final = ReadLimits()


def build_catalog(
    paths: Sequence[Path],
    *,
    where: Mapping[str, str] | None = None,
    limits: ReadLimits = _LIMITS,
    progress: bool = False,
) -> Catalog:
    """Read every picture once, hash its pixels and join what belongs together.

    Exact copies, pictures of one patient (within a source) and pictures of one group (within a csv) are
    linked; what any chain of links joins is one group.

    Args:
        paths: folders (label from the nearest folder named after a class) and csv files (columns file
            and label; group, patient, source and plane if there are; file relative to the csv, else to
            here).
        where: only the csv rows whose columns hold these values.
        limits: what is refused before it is decoded.
        progress: show a bar on stderr.

    Raises:
        DataError: a path holds no picture or none with a label, or a csv is not as it should be. A file
            that cannot be read is listed in `Catalog.skipped`.
    """
    listed: list[Listed] = []
    skipped: list[Skipped] = []
    for path in paths:
        found, without_label = list_source(Path(path), where or {})
        listed += found
        skipped += without_label
    first: dict[tuple[Path, str], Listed] = {}
    for item in listed:
        first.setdefault((item.file, item.label), item)
    read = partial(_record, limits=limits)
    outcomes = list(in_order(read, list(first.values()), title="reading", progress=progress))
    records = [outcome for outcome in outcomes if isinstance(outcome, Record)]
    skipped += [outcome for outcome in outcomes if isinstance(outcome, Skipped)]
    if not records:
        raise DataError(_nothing(paths, skipped))
    return Catalog(_named(records, _links(records, listed)), tuple(dict.fromkeys(skipped)))


def join_groups(catalog: Catalog, links: Iterable[tuple[str, str]]) -> Catalog:
    """The catalog with further links laid over its groups.

    Args:
        catalog: what there is; its groups stay joined.
        links: pairs of pixels_sha256 that belong together, as a search for near copies finds them.

    Raises:
        DataError: a link names a picture that the catalog does not hold.
    """
    joined = Links()
    for record in catalog.records:
        joined.join(record.pixels_sha256, ("group", record.group))
    known = {record.pixels_sha256 for record in catalog.records}
    for pair in links:
        for digest in pair:
            if digest not in known:
                raise DataError(f"link to {digest[:12]}: no such picture in the catalog: make the links anew")
        joined.join(*pair)
    return replace(catalog, records=_named(catalog.records, joined))


def _record(item: Listed, limits: ReadLimits) -> Record | Skipped:
    try:
        scan = read_scan(item.file, limits)
    except UnreadableScan as error:
        return Skipped(item.file, error.cause)
    return Record(
        file=item.file,
        label=item.label,
        pixels_sha256=pixels_sha256(scan.pixels),
        group="",
        source=item.source,
        patient=item.patient,
        width=scan.width,
        height=scan.height,
        mode=scan.mode,
        format=scan.format,
        file_bytes=scan.file_bytes,
        plane=item.plane,
    )


def _links(records: Iterable[Record], listed: Iterable[Listed]) -> Links:
    """Equal pixels are one thing, so copies are joined by being the same key."""
    digest_of = {record.file: record.pixels_sha256 for record in records}
    links = Links()
    for item in listed:
        digest = digest_of.get(item.file)
        if digest is None:
            continue
        if item.group:
            links.join(digest, ("group", item.group))
        if item.patient:
            links.join(digest, ("patient", item.source, item.patient))
    return links


def _named(records: Sequence[Record], links: Links) -> tuple[Record, ...]:
    names = group_names((record.pixels_sha256 for record in records), links)
    return tuple(replace(record, group=names[record.pixels_sha256]) for record in records)


def _nothing(paths: Sequence[Path], skipped: Sequence[Skipped]) -> str:
    where = ", ".join(str(path) for path in paths) or "nothing"
    if not skipped:
        return f"no picture found in {where}: name a folder or csv that holds some"
    one = skipped[0]
    return f"no picture found in {where}: {len(skipped)} files skipped, the first is {one.file}: {one.cause}"


def write_catalog(catalog: Catalog, path: Path) -> None:
    """Write the catalog as csv; skipped files go to ``<stem>.skipped.csv`` beside it, if there are any.

    Raises:
        EnvironmentProblem: a file cannot be written; an old one is as it was.
    """
    aside, folder = _skipped_file(path), path.parent.resolve()
    rows = [{"file": relative_name(s.file, folder), "cause": s.cause} for s in catalog.skipped]
    if rows:
        write_table(aside, ("file", "cause"), rows)
    write_table(path, COLUMNS, (to_row(record, folder) for record in catalog.records))
    if not rows:
        aside.unlink(missing_ok=True)


def read_catalog(path: Path) -> Catalog:
    """The catalog that `write_catalog` wrote; no picture is opened.

    Raises:
        DataError: the csv is absent, damaged or lacks a column; names the line.
    """
    folder = path.parent.resolve()
    records = tuple(from_row(row, path, line, folder) for line, row in read_table(path, REQUIRED))
    aside = _skipped_file(path)
    rows = read_table(aside, ("file", "cause")) if aside.exists() else []
    skipped = tuple(Skipped(resolved_name(row["file"], folder), row["cause"]) for _, row in rows)
    return Catalog(records, skipped)


def _skipped_file(path: Path) -> Path:
    return path.with_name(f"{path.stem}.skipped.csv")
