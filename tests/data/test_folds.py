from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.config import SplitSettings
from tumorscan.data.folds import make_folds
from tumorscan.data.records import Record
from tumorscan.errors import DataError, SettingsError


def record(number: int, label: str, group: str) -> Record:
    return Record(
        file=Path(f"/set/{number:04d}.png"), label=label, pixels_sha256=f"{number:064x}", group=group, source="set",
        patient="", width=10, height=10, mode="L", format="PNG", file_bytes=100,
    )  # fmt: skip


@st.composite
def data_sets(draw):
    """Groups of one label each, enough of both."""
    records = []
    for label in ("tumor", "no_tumor"):
        for group in range(draw(st.integers(8, 25))):
            size = draw(st.integers(1, 4))
            records += [record(len(records) + i, label, f"{label}{group}") for i in range(size)]
    return records


@settings(max_examples=40, deadline=None)
@given(data_sets(), st.integers(2, 5), st.integers(0, 5))
def test_folds_divide_no_group_and_test_each_picture_once(records, count, seed):
    folds = make_folds(records, count, SplitSettings(), seed)
    assert sorted(row for fold in folds for row in fold.test) == list(range(len(records)))
    for fold in folds:
        parts = (fold.train, fold.validation, fold.calibration, fold.test)
        assert sorted(row for part in parts for row in part) == list(range(len(records)))
        groups = [{records[row].group for row in part} for part in parts]
        assert sum(len(g) for g in groups) == len(set.union(*groups))
        assert all({records[row].label for row in part} == {"tumor", "no_tumor"} for part in parts)


@settings(max_examples=20, deadline=None)
@given(data_sets(), st.randoms(use_true_random=False))
def test_folds_do_not_depend_on_the_order_of_files(records, random):
    shuffled = list(records)
    random.shuffle(shuffled)

    def tested(rows):
        return {
            frozenset(rows[i].file for i in fold.test) for fold in make_folds(rows, 4, SplitSettings(), 3)
        }

    assert tested(records) == tested(shuffled)


def test_shares_hold_inside_a_fold():
    records = [record(i, "tumor" if i % 2 else "no_tumor", f"g{i}") for i in range(200)]
    fold = make_folds(records, 5, SplitSettings(), 1)[0]
    sizes = [len(part) for part in (fold.train, fold.validation, fold.calibration, fold.test)]
    assert sizes == pytest.approx([100, 30, 30, 40], abs=2)


def test_other_groups_may_stand_in():
    records = [record(i, "tumor" if i % 2 else "no_tumor", f"g{i % 2}") for i in range(40)]
    with pytest.raises(DataError, match="too few for 4 folds"):
        make_folds(records, 4, SplitSettings(), 1)
    assert len(make_folds(records, 4, SplitSettings(), 1, groups=[str(i) for i in range(40)])) == 4


@pytest.mark.parametrize(
    ("tumor", "no_tumor", "count", "error", "message"),
    [
        (20, 20, 1, SettingsError, "folds is 1: it must be at least 2"),
        (1, 20, 5, DataError, "label tumor: 1 groups of pictures are too few for 5 folds"),
        (20, 4, 5, DataError, "label no_tumor: 4 groups"),
        (20, 0, 5, DataError, "label no_tumor: 0 groups"),
    ],
)
def test_refused(tumor, no_tumor, count, error, message):
    labels = ["tumor"] * tumor + ["no_tumor"] * no_tumor
    records = [record(i, label, f"g{i}") for i, label in enumerate(labels)]
    with pytest.raises(error, match=message):
        make_folds(records, count, SplitSettings(), 1)
