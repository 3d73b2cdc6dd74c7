"""Folds of a cross-validation: grouped, stratified, and split again inside for all that is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tumorscan.config import SplitSettings
from tumorscan.data.labels import LABELS
from tumorscan.data.records import Record
from tumorscan.data.split import Counts, count_labels, deal
from tumorscan.errors import DataError, SettingsError

_INNER = ("train", "validation", "calibration")


@dataclass(frozen=True)
class Fold:
    """Rows of the records in each part; no group is divided, and together they are all rows."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    calibration: tuple[int, ...]
    test: tuple[int, ...]


def make_folds(
    records: Sequence[Record],
    count: int,
    inner: SplitSettings,
    seed: int,
    *,
    groups: Sequence[str] | None = None,
) -> list[Fold]:
    """Deal groups into folds; each is the test part once, the others are split again.

    Args:
        records: the pictures, without later copies unless `groups` says otherwise.
        count: folds, at least 2.
        inner: shares of train, validation and calibration, scaled to what the test fold leaves.
        seed: of the lots; the folds do not depend on the order of the records.
        groups: N names to keep together instead of the records' groups.

    Raises:
        SettingsError: `count` is under 2.
        DataError: a label has too few groups for the folds and their inner parts.
    """
    if count < 2:
        raise SettingsError(f"folds is {count}: it must be at least 2")
    names = [record.group for record in records] if groups is None else list(groups)
    counts = count_labels(records, names)
    _refuse_few_groups(counts, count)
    fold_of = deal(counts, {str(i): 1 / count for i in range(count)}, seed)
    left = sum(getattr(inner, part) for part in _INNER)
    shares = {part: getattr(inner, part) / left for part in _INNER}
    folds = []
    for fold in range(count):
        rest = {name: counts[name] for name in counts if fold_of[name] != str(fold)}
        part_of = deal(rest, shares, seed)
        rows: dict[str, list[int]] = {part: [] for part in (*_INNER, "test")}
        for row, name in enumerate(names):
            rows[part_of.get(name, "test")].append(row)
        folds.append(Fold(*(tuple(rows[part]) for part in (*_INNER, "test"))))
    return folds


def _refuse_few_groups(counts: Mapping[str, Counts], folds: int) -> None:
    for label in LABELS:
        have = sum(label in one for one in counts.values())
        # What is left of a label without its largest fold must fill the inner parts.
        if have < folds or have - -(-have // folds) < len(_INNER):
            raise DataError(
                f"label {label}: {have} groups of pictures are too few for {folds} folds with "
                f"{len(_INNER)} parts inside: ask for fewer folds or add pictures"
            )
