"""The catalog: every picture of some folders and csv files, with its label, hash and group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from tumorscan.config import ReadLimits
from tumorscan.data.conflict_table import read_refused, write_conflicts
from tumorscan.data.duplicates import near_links
from tumorscan.data.fingerprints import Fingerprint, fingerprint
from tumorscan.data.groups import Links, NearLink, group_names
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
from tumorscan.errors import DataError, UnreadableScan, require
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
    near: bool = True,
    progress: bool = False,
) -> Catalog:
    """Read every picture once, hash its pixels and join what belongs together.

    Exact and near copies, pictures of one patient (within a source) and pictures of one group (within a
    csv) are linked; what any chain of links joins is one group. Near copies are pictures resaved,
    resized, sharpened, blurred, with other margins or other brightness, mirrored, flipped or turned; two
    that bear different labels are not joined, but listed in `Catalog.refused` for a person to decide.

    Args:
        paths: folders (label from the nearest folder named after a class) and csv files (columns file
            and label; group, patient, source and plane if there are; file relative to the csv, else to
            here).
        where: only the csv rows whose columns hold these values.
        limits: what is refused before it is decoded.
        near: look for near copies; else only exact ones are joined.
        progress: show a bar on stderr.

    Raises:
        DataError: a path holds no picture or none with a label, or a csv is not as it should be. A file
            that cannot be read is listed in `Catalog.skipped`.
        MissingExtra: near copies are wanted and faiss is not installed.
    """
    if near:
        require("faiss", "train")  # before an hour of reading, not after
    listed: list[Listed] = []
    skipped: list[Skipped] = []
    for path in paths:
        found, without_label = list_source(Path(path), where or {})
        listed += found
        skipped += without_label
    first: dict[tuple[Path, str], Listed] = {}
    for item in listed:
        first.setdefault((item.file, item.label), item)
    records: list[Record] = []
    prints: dict[str, Fingerprint] = {}
    read = partial(_record, limits=limits, near=near)
    for outcome, print_ in in_order(read, list(first.values()), title="reading", progress=progress):
        if isinstance(outcome, Skipped):
            skipped.append(outcome)
            continue
        records.append(outcome)
        if print_ is not None:
            prints[outcome.pixels_sha256] = print_
    if not records:
        raise DataError(_nothing(paths, skipped))
    links = _links(records, listed)
    refused = _join_near(records, prints, links, progress)
    return Catalog(_named(records, links), tuple(dict.fromkeys(skipped)), refused)


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


def _record(item: Listed, limits: ReadLimits, near: bool) -> tuple[Record | Skipped, Fingerprint | None]:
    try:
        scan = read_scan(item.file, limits)
    except UnreadableScan as error:
        return Skipped(item.file, error.cause), None
    record = Record(
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
    return record, fingerprint(scan.pixels) if near else None


def _join_near(
    records: Iterable[Record], prints: Mapping[str, Fingerprint], links: Links, progress: bool
) -> tuple[NearLink, ...]:
    """Join near copies; returns those that are not joined because their labels differ.

    Such a link would put both labels into one group, and a chain of them two classes. As copies of one
    label are joined whatever else is refused, the groups do not depend on the order of the links.
    """
    labels: dict[str, set[str]] = {}
    for record in records:
        labels.setdefault(record.pixels_sha256, set()).add(record.label)
    refused: list[NearLink] = []
    known = partial(_are_joined, links)
    for link in near_links(prints, skip=known, progress=progress):
        if labels[link.one] == labels[link.other]:
            links.join(link.one, link.other)
        else:
            refused.append(link)
    told: dict[frozenset[object], NearLink] = {}
    for link in refused:
        # One patient's slices may bear both labels, and once joined otherwise they are no conflict.
        if not known(link.one, link.other):
            told.setdefault(frozenset((links.find(link.one), links.find(link.other))), link)
    return tuple(told.values())


def _are_joined(links: Links, one: str, other: str) -> bool:
    return links.find(one) == links.find(other)


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
    """Write the catalog as csv.

    What is left for a person goes beside it, if there is any: skipped files to ``<stem>.skipped.csv``,
    pictures that bear two labels to ``<stem>.conflicts.csv``.

    Raises:
        EnvironmentProblem: a file cannot be written; an old one is as it was.
    """
    aside, folder = _skipped_file(path), path.parent.resolve()
    rows = [{"file": relative_name(s.file, folder), "cause": s.cause} for s in catalog.skipped]
    if rows:
        write_table(aside, ("file", "cause"), rows)
    clashes = conflicts(catalog)
    if clashes:
        write_conflicts(clashes, _conflicts_file(path))
    write_table(path, COLUMNS, (to_row(record, folder) for record in catalog.records))
    if not rows:
        aside.unlink(missing_ok=True)
    if not clashes:
        _conflicts_file(path).unlink(missing_ok=True)


def read_catalog(path: Path) -> Catalog:
    """The catalog that `write_catalog` wrote; no picture is opened.

    Near copies that were refused for their labels are joined where the labels have been corrected since.

    Raises:
        DataError: a csv is absent, damaged or lacks a column; names the line.
    """
    folder = path.parent.resolve()
    records = tuple(from_row(row, path, line, folder) for line, row in read_table(path, REQUIRED))
    aside = _skipped_file(path)
    rows = read_table(aside, ("file", "cause")) if aside.exists() else []
    skipped = tuple(Skipped(resolved_name(row["file"], folder), row["cause"]) for _, row in rows)
    known = {record.pixels_sha256 for record in records}
    refused = [link for link in read_refused(_conflicts_file(path)) if {link.one, link.other} <= known]
    catalog = Catalog(records, skipped, tuple(refused))
    open_ = {conflict.link for conflict in conflicts(catalog)}
    settled = [(link.one, link.other) for link in refused if link not in open_]
    left = tuple(link for link in refused if link in open_)
    return join_groups(replace(catalog, refused=left), settled) if settled else replace(catalog, refused=left)


def kept_catalog(sources: Sequence[Path], path: Path, *, progress: bool = False) -> Catalog:
    """The catalog of a study: the one that stands at `path`, else made and written there."""
    if path.is_file():
        return read_catalog(path)
    catalog = build_catalog(sources, progress=progress)
    write_catalog(catalog, path)
    return catalog


def _skipped_file(path: Path) -> Path:
    return path.with_name(f"{path.stem}.skipped.csv")


def _conflicts_file(path: Path) -> Path:
    return path.with_name(f"{path.stem}.conflicts.csv")
