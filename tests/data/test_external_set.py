from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tumorscan.data.catalog import build_catalog, read_catalog, write_catalog
from tumorscan.data.external import joined, read_set
from tumorscan.errors import DataError

TABLE = """\
file,label,patient,fold,plane
0.png,tumor,p1,5,axial
1.png,no,p1,5,cor
2.png,tumor,p2,4,axial
gone.png,no,p3,5,
3.png,no,p4,5,
"""


@pytest.fixture
def table(tmp_path: Path, draw_png: Callable[..., Path]) -> Path:
    for i in range(4):
        draw_png(tmp_path / f"{i}.png", i)
    path = tmp_path / "set.csv"
    path.write_text(TABLE)
    return path


def test_a_selection_by_columns(table: Path) -> None:
    found = read_set(table, {"fold": "5"})
    assert found.name == "set[fold=5]"
    assert [(r.file.name, r.plane, r.patient) for r in found.records] == [
        ("0.png", "axial", "p1"),
        ("1.png", "coronal", "p1"),
        ("3.png", "", "p4"),
    ]
    assert [skipped.file.name for skipped in found.skipped] == ["gone.png"], "the good rows go on"
    assert read_set(table, {"fold": "5", "plane": "axial"}).name == "set[fold=5,plane=axial]"


def test_rows_that_are_not_selected_do_not_matter(table: Path) -> None:
    table.write_text(TABLE + "x.png,perhaps,,4,\n")
    assert len(read_set(table, {"fold": "5"}).records) == 3
    with pytest.raises(DataError, match=r"set\.csv: line 7: unknown label 'perhaps'"):
        read_set(table, {"fold": "4"})


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            {"fald": "5"},
            r"set\.csv: no column 'fald' to select by: there are file, label, patient, fold, plane",
        ),
        ({"fold": "9"}, r"set\.csv: no row with fold = 9: the rows left to it hold 4, 5"),
        ({"fold": "4", "plane": "coronal"}, r"no row with plane = coronal: the rows left to it hold axial"),
    ],
)
def test_refuses_a_selection_of_nothing(table: Path, where: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_set(table, where)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\n0.png,tumor\ncopy.png,no\n", r"the same picture has two labels: .*: correct the label"),
        ("file,label\ngone.png,no\n", "1 files skipped, the first is"),
        ("file,label\n0.png,maybe\n", r"line 2: unknown label 'maybe'"),
        ("file,truth\n0.png,no\n", "line 1: no column label"),
    ],
)
def test_refuses_a_set_that_cannot_be_used(table: Path, text: str, message: str) -> None:
    shutil.copy(table.parent / "0.png", table.parent / "copy.png")
    table.write_text(text)
    with pytest.raises(DataError, match=message):
        read_set(table, {})


def test_a_folder_has_no_columns(tmp_path: Path, draw_png: Callable[..., Path]) -> None:
    draw_png(tmp_path / "no" / "a.png", 1)
    with pytest.raises(DataError, match="a folder has no columns to select by"):
        read_set(tmp_path / "no", {"fold": "5"})


@pytest.mark.parametrize(
    ("asked", "file", "source"),
    [
        ("no_tumor", "no_tumor/hospital/a.png", "hospital"),
        ("no_tumor", "no_tumor/healthy/deep/a.png", "healthy"),
        ("no_tumor", "no_tumor/a.png", "no_tumor"),
        ("set", "set/yes/a.png", "set"),
        ("set", "set/yes/sub/a.png", "set"),
        ("set", "set/site b/no/a.png", "site b"),
    ],
)
def test_subfolders_are_sources(
    tmp_path: Path, draw_png: Callable[..., Path], asked: str, file: str, source: str
) -> None:
    draw_png(tmp_path / file, 1)
    assert [record.source for record in build_catalog([tmp_path / asked]).records] == [source]


def test_the_hash_tells_a_set_under_any_path(tmp_path: Path, draw_png: Callable[..., Path]) -> None:
    for i in range(3):
        draw_png(tmp_path / "one" / "no" / f"{i}.png", i)
        draw_png(tmp_path / "other" / "normal" / f"x{5 - i}.png", i)
    draw_png(tmp_path / "other" / "normal" / "copy.png", 0)
    one, other = read_set(tmp_path / "one", {}), read_set(tmp_path / "other", {})
    assert one.sha256 == other.sha256
    assert (one.copies, len(other.copies)) == ((), 1)
    draw_png(tmp_path / "one" / "no" / "more.png", 9)
    assert read_set(tmp_path / "one", {}).sha256 != other.sha256


def test_copies_between_sources_are_kept_and_one_group(tmp_path: Path, draw_png: Callable[..., Path]) -> None:
    for name in ("a/no/1.png", "b/no/1.png", "b/no/2.png"):
        draw_png(tmp_path / name, 1)
    sets = [read_set(tmp_path / name, {}) for name in ("a", "b")]
    records = joined(sets)
    assert sorted(record.source for record in records) == ["a", "b"]
    assert len({record.group for record in records}) == 1


def test_sets_that_contradict_each_other(tmp_path: Path, draw_png: Callable[..., Path]) -> None:
    draw_png(tmp_path / "a" / "no" / "1.png", 1)
    draw_png(tmp_path / "b" / "yes" / "1.png", 1)
    with pytest.raises(DataError, match="the same picture has two labels"):
        joined([read_set(tmp_path / name, {}) for name in ("a", "b")])


def test_catalogs_from_before_there_were_planes(table: Path) -> None:
    catalog = build_catalog([table])
    path = table.with_name("catalog.csv")
    write_catalog(catalog, path)
    assert [record.plane for record in read_catalog(path).records] == ["axial", "coronal", "axial", ""]
    lines = [line.rpartition(",")[0] for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")
    assert {record.plane for record in read_catalog(path).records} == {""}


@pytest.mark.data
def test_no_tumor_has_three_sources(data_dir: Path) -> None:
    found = read_set(data_dir / "no_tumor", {})
    assert {record.source for record in found.records} == {"alzheimer", "healthy", "sartaj"}
    assert len(found.records) + len(found.copies) == 911
