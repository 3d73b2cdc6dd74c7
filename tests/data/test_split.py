"""Splits never divide a group, hold both labels everywhere, and come back as they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.config import SplitSettings
from tumorscan.data.catalog import Catalog, Record, build_catalog, join_groups
from tumorscan.data.split import (
    COPY,
    PARTS,
    SPLIT_COLUMNS,
    Split,
    assert_disjoint,
    make_split,
    read_split,
    write_split,
)
from tumorscan.errors import DataError, EnvironmentProblem

Make = Callable[..., Record]
SHARES = SplitSettings()
SIZES = st.lists(st.integers(1, 6), min_size=4, max_size=40)
# A tenth of these is at least one group; of less, a small part takes more than its due: it must hold one.
MANY = st.lists(st.integers(1, 4), min_size=40, max_size=60)


def _catalog(record: Make, tumor: list[int], no_tumor: list[int], mixed: int = 0) -> Catalog:
    """Groups of given sizes; `mixed` patients bring three slices of each label."""
    records: list[Record] = []
    for label, sizes in (("tumor", tumor), ("no_tumor", no_tumor)):
        for g, size in enumerate(sizes):
            records += [record(len(records) + i, label, f"g{label}{g}") for i in range(size)]
    for g in range(mixed):
        for label in ("tumor", "no_tumor"):
            records += [record(len(records) + i, label, f"gm{g}", patient=str(g)) for i in range(3)]
    return Catalog(tuple(records))


def _homes(split: Split, name: str) -> dict[str, set[str]]:
    homes: dict[str, set[str]] = {}
    for part in PARTS:
        for record in split.parts[part]:
            homes.setdefault(getattr(record, name), set()).add(part)
    return homes


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES, st.integers(0, 5), st.integers(0, 2**31))
def test_no_group_is_divided_and_every_part_has_both_labels(
    record: Make, tumor: list[int], no_tumor: list[int], mixed: int, seed: int
) -> None:
    catalog = _catalog(record, tumor, no_tumor, mixed)
    split = make_split(catalog, SplitSettings(seed=seed))
    assert all(len(parts) == 1 for parts in _homes(split, "group").values())
    placed = [r for part in PARTS for r in split.parts[part]]
    assert sorted(r.file for r in placed) == sorted(r.file for r in catalog.records)
    assert all({r.label for r in split.parts[part]} == {"tumor", "no_tumor"} for part in PARTS)


@pytest.mark.parametrize("mixed", [4, 5, 9])
def test_patients_with_both_labels_alone_are_enough(record: Make, mixed: int) -> None:
    split = make_split(_catalog(record, [], [], mixed), SHARES)
    assert all({r.label for r in split.parts[part]} == {"tumor", "no_tumor"} for part in PARTS)


@settings(max_examples=80, deadline=None)
@given(MANY, MANY, st.tuples(*[st.floats(0.1, 0.3)] * 3))
def test_shares_are_missed_by_at_most_one_groups_size(
    record: Make, tumor: list[int], no_tumor: list[int], shares: tuple[float, float, float]
) -> None:
    wanted = SplitSettings(*shares)
    split = make_split(_catalog(record, tumor, no_tumor), wanted)
    for label, sizes in (("tumor", tumor), ("no_tumor", no_tumor)):
        for part in PARTS:
            count = sum(r.label == label for r in split.parts[part])
            assert abs(count - getattr(wanted, part) * sum(sizes)) <= max(sizes) + 1e-9


@settings(max_examples=30, deadline=None)
@given(SIZES, SIZES, st.randoms(use_true_random=False))
def test_order_of_files_does_not_matter(
    record: Make, tumor: list[int], no_tumor: list[int], random: Random
) -> None:
    catalog = _catalog(record, tumor, no_tumor, 2)
    shuffled = list(catalog.records)
    random.shuffle(shuffled)
    assert make_split(Catalog(tuple(shuffled)), SHARES) == make_split(catalog, SHARES)


def test_the_seed_decides(record: Make) -> None:
    catalog = _catalog(record, [1] * 40, [1] * 40)
    splits = [make_split(catalog, SplitSettings(seed=seed)) for seed in (1, 1, 2)]
    assert splits[0] == splits[1]
    assert splits[0].parts != splits[2].parts
    assert [len(splits[0].parts[part]) for part in PARTS] == [40, 12, 12, 16]


def test_later_copies_are_kept_aside(record: Make) -> None:
    catalog = _catalog(record, [1] * 8, [1] * 8)
    twice = catalog.records[3]
    copies = [replace(twice, file=twice.file.with_name(name)) for name in ("z2.png", "z1.png")]
    split = make_split(Catalog((copies[0], *catalog.records, copies[1])), SHARES)
    assert [r.file.name for r in split.parts[COPY]] == ["z1.png", "z2.png"]
    assert {len(parts) for parts in _homes(split, "pixels_sha256").values()} == {1}
    assert sum(r.pixels_sha256 == twice.pixels_sha256 for part in PARTS for r in split.parts[part]) == 1


@pytest.mark.parametrize(
    ("tumor", "no_tumor", "message"),
    [
        ([], [1] * 9, r"label tumor: 0 groups of pictures, and each of the 4 splits needs one"),
        ([1] * 9, [], r"label no_tumor: 0 groups .*: add pictures of no_tumor from other patients"),
        ([1] * 9, [50], r"label no_tumor: 1 groups"),
        ([20, 20, 20], [1] * 9, r"label tumor: 3 groups"),
    ],
)
def test_refuses_too_few_groups(record: Make, tumor: list[int], no_tumor: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        make_split(_catalog(record, tumor, no_tumor), SHARES)


def test_copies_do_not_count_as_groups_or_pictures(record: Make) -> None:
    catalog = _catalog(record, [1] * 3, [1] * 9)
    copies = tuple(replace(catalog.records[0], file=Path(f"/pictures/z{i}.png")) for i in range(9))
    with pytest.raises(DataError, match="label tumor: 3 groups"):
        make_split(Catalog(catalog.records + copies), SHARES)


def test_refuses_the_same_picture_with_two_labels(record: Make) -> None:
    catalog = _catalog(record, [1] * 8, [1] * 8)
    turncoat = replace(catalog.records[0], label="no_tumor", file=Path("/pictures/turncoat.png"))
    with pytest.raises(
        DataError, match=r"the same picture has two labels: .*0\.png \(tumor\), .*turncoat\.png"
    ):
        make_split(Catalog((*catalog.records, turncoat)), SHARES)


def test_refuses_a_group_with_two_labels(record: Make) -> None:
    catalog = _catalog(record, [1] * 8, [1] * 8)
    linked = join_groups(catalog, [(catalog.records[0].pixels_sha256, catalog.records[9].pixels_sha256)])
    with pytest.raises(
        DataError, match=r"group g[0-9a-f]{12} has two labels: .*: decide, then correct the label"
    ):
        make_split(linked, SHARES)


@settings(max_examples=15, deadline=None)
@given(SIZES, SIZES, st.integers(0, 2**40))
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, record: Make, tumor: list[int], no_tumor: list[int], seed: int
) -> None:
    path = tmp_path_factory.mktemp("split") / "split.csv"
    catalog = _catalog(record, tumor, no_tumor, 1)
    copy = replace(catalog.records[0], file=Path("/pictures/zz.png"))
    split = make_split(Catalog((*catalog.records, copy)), SplitSettings(seed=seed))
    write_split(split, path)
    assert read_split(path) == split


def test_columns() -> None:
    assert SPLIT_COLUMNS[:6] == ("file", "label", "group", "pixels_sha256", "split", "seed")


@pytest.fixture
def written(tmp_path: Path, record: Make) -> Path:
    path = tmp_path / "split.csv"
    write_split(make_split(_catalog(record, [2] * 8, [2] * 8), SHARES), path)
    return path


def _rows(path: Path) -> list[dict[str, str]]:
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    return [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_refuses_a_group_moved_by_hand(written: Path) -> None:
    rows = _rows(written)
    moved = next(row for row in rows if row["split"] == "train")
    moved["split"] = "test"
    _write(written, rows)
    message = rf"split\.csv: group {moved['group']} \(.*\) is in both train and test: delete the split"
    with pytest.raises(DataError, match=message):
        read_split(written)


def test_refuses_a_picture_under_two_groups(written: Path) -> None:
    rows = _rows(written)
    one = next(row for row in rows if row["split"] == "train")
    rows.append({**one, "file": "other.png", "group": "gother", "split": "test"})
    _write(written, rows)
    with pytest.raises(DataError, match=rf"picture {one['pixels_sha256']} \(.*\) is in both train and test"):
        read_split(written)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("split", "dev", r"split\.csv: line 2: there is no split 'dev': it must be one of train, validation"),
        ("seed", "x", r"split\.csv: line 2: seed is 'x', it must be a whole number"),
        ("seed", "7", r"split\.csv: the seeds 1, 7 in it: delete it"),
        ("label", "maybe", r"split\.csv: line 2: label is 'maybe'"),
        ("group", "", r"split\.csv: line 2: group is ''"),
        ("pixels_sha256", "12", r"split\.csv: line 2: pixels_sha256 is '12'"),
    ],
)
def test_refuses_a_damaged_split(written: Path, column: str, value: str, message: str) -> None:
    rows = _rows(written)
    rows[0][column] = value
    _write(written, rows)
    with pytest.raises(DataError, match=message):
        read_split(written)


def test_refuses_a_split_that_is_absent_empty_or_lacks_a_column(written: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv: No such file"):
        read_split(written.with_name("gone.csv"))
    text = written.read_text(encoding="utf-8")
    written.write_text(text.replace(",split,", ",part,", 1), encoding="utf-8")
    with pytest.raises(DataError, match=r"split\.csv: line 1: no column split"):
        read_split(written)
    written.write_text(text.splitlines()[0] + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"split\.csv: no picture in it: delete it"):
        read_split(written)


def test_refuses_to_write_into_a_file(written: Path) -> None:
    split = read_split(written)
    with pytest.raises(EnvironmentProblem, match=r"cannot be written"):
        write_split(split, written / "split.csv")
    assert read_split(written) == split


@pytest.mark.data
def test_kaggle253(data_dir: Path) -> None:
    split = make_split(build_catalog([data_dir / "kaggle253"]), SHARES)
    assert_disjoint(split)
    counts = Counter({part: len(records) for part, records in split.parts.items()})
    assert counts[COPY] == 25
    assert sum(counts[part] for part in PARTS) == 228
    for part in PARTS:
        assert abs(counts[part] - getattr(SHARES, part) * 228) <= 2
