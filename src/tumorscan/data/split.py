"""Four splits by group, stratified by label, made once and read back: split.csv."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tumorscan.config import SplitSettings
from tumorscan.data.labels import LABELS
from tumorscan.data.records import COLUMNS, REQUIRED, Catalog, Record, conflicts, from_row, to_row
from tumorscan.data.table import read_table, write_table
from tumorscan.errors import DataError
from tumorscan.types import Label

PARTS: Final = ("train", "validation", "calibration", "test")
"""Train; early stopping and checkpoint; temperature and operating point; opened by `evaluate` only."""

COPY: Final = "copy"
"""Later exact copies of a picture, used nowhere."""

_FIRST: Final = ("file", "label", "group", "pixels_sha256")
SPLIT_COLUMNS: Final = (*_FIRST, "split", "seed", *(name for name in COLUMNS if name not in _FIRST))
_NEEDED: Final = (*REQUIRED, "split", "seed")


@dataclass(frozen=True)
class Split:
    """Who stands where.

    Attributes:
        parts: records of "train", "validation", "calibration", "test" and "copy", each in the order of
            its files' names.
        seed: the lots were drawn with it.
    """

    parts: Mapping[str, tuple[Record, ...]]
    seed: int


def make_split(catalog: Catalog, settings: SplitSettings) -> Split:
    """Draw the four splits.

    No group is divided, every part holds both labels, and later exact copies are kept aside. Groups are
    shuffled, then dealt largest first, each to the part that is furthest below its share of that group's
    label (the greedy rule of makespan scheduling, Graham 1969): a share is missed by at most one group's
    size as long as it is larger than that. The outcome depends on the seed and on which pictures there
    are, not on the order of the files.

    Raises:
        DataError: a picture has two labels, or a label has fewer than four groups.
    """
    refuse_conflicts(catalog)
    kept, copies = without_copies(catalog.records)
    groups = count_labels(kept)
    _refuse_few_groups(groups)
    part_of = deal(groups, {part: getattr(settings, part) for part in PARTS}, settings.seed)
    parts: dict[str, list[Record]] = {name: [] for name in PARTS}
    for record in kept:
        parts[part_of[record.group]].append(record)
    split = Split({**{name: tuple(parts[name]) for name in PARTS}, COPY: copies}, settings.seed)
    assert_disjoint(split)
    return split


def make_source_split(catalog: Catalog, settings: SplitSettings, held_out: Collection[str] = ()) -> Split:
    """Draw the splits source by source, so that each part has its share of every source.

    Args:
        catalog: of several sources, each of which may hold one class only.
        settings: shares and seed; of what is not held out, training also gets the test's share.
        held_out: groups that are the test split; where there are none, lots are drawn for it too.

    Raises:
        DataError: a picture has two labels, or a source has fewer groups than there are parts.
    """
    refuse_conflicts(catalog)
    kept, copies = without_copies(catalog.records)
    shares = {part: getattr(settings, part) for part in PARTS}
    if held_out:
        shares["train"] += shares.pop("test")
    parts: dict[str, list[Record]] = {name: [] for name in PARTS}
    part_of = dict.fromkeys(held_out, "test")
    for source in sorted({record.source for record in kept}):
        mine = [record for record in kept if record.source == source and record.group not in part_of]
        groups = count_labels(mine)
        if mine and len(groups) < len(shares):
            raise DataError(
                f"source {source}: {len(groups)} groups of pictures, and each of the {len(shares)} splits "
                "needs one of its own: add pictures of other patients, or leave the source out"
            )
        part_of |= deal(groups, shares, settings.seed)
    for record in kept:
        parts[part_of[record.group]].append(record)
    split = Split({**{name: tuple(parts[name]) for name in PARTS}, COPY: copies}, settings.seed)
    assert_disjoint(split)
    return split


def assert_disjoint(split: Split) -> None:
    """Refuse a split in which a group or a picture stands in two of the four parts.

    Raises:
        DataError: names the group and both parts.
    """
    for name, what in (("group", "group"), ("pixels_sha256", "picture")):
        home: dict[str, str] = {}
        for part in PARTS:
            for record in split.parts.get(part, ()):
                key = getattr(record, name)
                if home.setdefault(key, part) != part:
                    raise DataError(
                        f"{what} {key} ({record.file.name}, group {record.group}) is in both {home[key]} "
                        f"and {part}: delete the split and let it be made anew"
                    )


def write_split(split: Split, path: Path) -> None:
    """Write split.csv: one line a picture, with its part and the seed.

    Raises:
        EnvironmentProblem: it cannot be written; an old file is as it was.
    """
    folder = path.parent.resolve()
    rows = [
        {**to_row(record, folder), "split": part, "seed": split.seed}
        for part in (*PARTS, COPY)
        for record in split.parts.get(part, ())
    ]
    write_table(path, SPLIT_COLUMNS, rows)


def read_split(path: Path, *, allow_leaks: bool = False) -> Split:
    """The split that `write_split` wrote, checked again.

    Args:
        path: the csv.
        allow_leaks: take it although a group or a picture stands in two parts.

    Raises:
        DataError: the csv is absent, damaged or lacks a column; or a group or a picture stands in two
            parts.
    """
    parts: dict[str, list[Record]] = {name: [] for name in (*PARTS, COPY)}
    seeds: set[int] = set()
    folder = path.parent.resolve()
    for line, row in read_table(path, _NEEDED):
        if row["split"] not in parts:
            raise DataError(
                f"{path}: line {line}: there is no split {row['split']!r}: "
                f"it must be one of {', '.join(parts)}"
            )
        parts[row["split"]].append(from_row(row, path, line, folder))
        seeds.add(_seed(row["seed"], path, line))
    if len(seeds) != 1:
        found = "no picture" if not seeds else f"the seeds {', '.join(map(str, sorted(seeds)))}"
        raise DataError(f"{path}: {found} in it: delete it and let it be made anew")
    split = Split({name: tuple(records) for name, records in parts.items()}, seeds.pop())
    if not allow_leaks:
        try:
            assert_disjoint(split)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error
    return split


def _seed(value: str, path: Path, line: int) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise DataError(
            f"{path}: line {line}: seed is {value!r}, it must be a whole number: let the split be made anew"
        ) from error


def refuse_conflicts(catalog: Catalog) -> None:
    """Refuse a catalog in which a picture or a group has two labels.

    Raises:
        DataError: names the files.
    """
    found = conflicts(catalog)
    if not found:
        return
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    raise DataError(f"{found[0]}{more}: decide, then correct the label or take the files out")


def without_copies(records: Sequence[Record]) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """The first file of each picture, by name, and all later ones."""
    ordered = sorted(records, key=lambda record: (record.file.as_posix(), record.label))
    first: dict[str, Record] = {}
    for record in ordered:
        first.setdefault(record.pixels_sha256, record)
    copies = tuple(record for record in ordered if first[record.pixels_sha256] is not record)
    return tuple(first.values()), copies


Counts = dict[Label, int]


def count_labels(records: Sequence[Record], names: Sequence[str] | None = None) -> dict[str, Counts]:
    """How many pictures of each label every group holds; `names` stand in for the records' groups."""
    groups: defaultdict[str, Counts] = defaultdict(dict)
    for record, name in zip(records, names or [record.group for record in records], strict=True):
        counts = groups[name]
        counts[record.label] = counts.get(record.label, 0) + 1
    return dict(groups)


def _refuse_few_groups(groups: Mapping[str, Counts]) -> None:
    for label in LABELS:
        count = sum(label in counts for counts in groups.values())
        if count < len(PARTS):
            raise DataError(
                f"label {label}: {count} groups of pictures, and each of the {len(PARTS)} splits "
                f"needs one of its own: add pictures of {label} from other patients"
            )


def deal(groups: Mapping[str, Counts], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """The part of each group; `make_split` says how.

    Args:
        groups: name -> pictures of each label in it; each label in at least as many groups as there
            are parts.
        shares: part -> wanted share of every label; they add up to 1.
        seed: of the lots.
    """
    parts, wanted = list(shares), np.array(list(shares.values()))
    totals = {label: sum(counts.get(label, 0) for counts in groups.values()) for label in LABELS}
    missing = {label: wanted * totals[label] for label in LABELS}
    empty = {label: set(range(len(parts))) for label in LABELS}
    left = {label: sum(label in counts for counts in groups.values()) for label in LABELS}
    part_of: dict[str, str] = {}
    for name in _order(groups, seed):
        labels = list(groups[name])
        open_to = set(range(len(parts)))
        for label in labels:
            # The last groups of a label are kept for the parts that have none of it yet.
            if left[label] <= len(empty[label]):
                open_to &= empty[label]
        part = max(sorted(open_to), key=lambda p: float(sum(missing[label][p] for label in groups[name])))
        for label in labels:
            missing[label][part] -= groups[name][label]
            empty[label].discard(part)
            left[label] -= 1
        part_of[name] = parts[part]
    return part_of


def _order(groups: Mapping[str, Counts], seed: int) -> list[str]:
    """Groups of both labels first (they settle two counts at once), then by size; lots within a size."""
    names = sorted(groups)
    lots = np.random.default_rng(seed).permutation(len(names))
    shuffled = [names[i] for i in lots]
    return sorted(shuffled, key=lambda name: (-len(groups[name]), -sum(groups[name].values())))
