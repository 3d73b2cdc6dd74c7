"""Folders and csv files to a catalog, and back from its csv."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tumorscan.data.catalog import (
    Catalog,
    Record,
    Skipped,
    build_catalog,
    conflicts,
    join_groups,
    pixels_sha256,
    read_catalog,
    write_catalog,
)
from tumorscan.data.table import read_table
from tumorscan.errors import DataError, EnvironmentProblem

Draw = Callable[[Path, int], Path]


@pytest.fixture
def folder(tmp_path: Path, draw_png: Draw) -> Path:
    """Three tumors (two of them one picture), two without, one unlabelled, one damaged."""
    root = tmp_path / "set"
    for name, seed in [("yes/a.png", 1), ("yes/b.png", 2), ("YES/sub/copy of a.png", 1), ("no/c.png", 3)]:
        draw_png(root / name, seed)
    draw_png(root / "no" / "d.png", 4)
    draw_png(root / "masks" / "m.png", 5)
    (root / "no" / "text.jpg").write_text("not a picture")
    return root


def _csv(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_folder(folder: Path) -> None:
    catalog = build_catalog([folder])
    labels = {record.file.name: record.label for record in catalog.records}
    tumor = dict.fromkeys(["a.png", "b.png", "copy of a.png"], "tumor")
    assert labels == {**tumor, "c.png": "no_tumor", "d.png": "no_tumor"}
    assert {record.source for record in catalog.records} == {"set"}
    assert all(record.file == record.file.resolve() for record in catalog.records)
    causes = {skipped.file.name: skipped.cause for skipped in catalog.skipped}
    assert sorted(causes) == ["m.png", "text.jpg"]
    assert causes["m.png"].startswith("label unknown: no folder around it, from set down, is named yes/no")


def test_folder_by_other_names(tmp_path: Path, draw_png: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_png(tmp_path / "no_tumor" / "hospital" / "a.png", 1)
    draw_png(tmp_path / "elsewhere" / "b.png", 2)
    (tmp_path / "yes").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    ways = [Path("../no_tumor/hospital"), tmp_path / "yes"]
    found = [build_catalog([way]).records for way in ways]
    assert [(r.source, r.label) for records in found for r in records] == [
        ("hospital", "no_tumor"),
        ("yes", "tumor"),
    ]
    assert found[1][0].file == (tmp_path / "elsewhere" / "b.png").resolve()


def test_record_says_what_the_file_holds(folder: Path) -> None:
    record = next(r for r in build_catalog([folder]).records if r.file.name == "b.png")
    assert (record.width, record.height, record.mode, record.format) == (24, 20, "L", "PNG")
    assert record.file_bytes == record.file.stat().st_size
    grey = np.asarray(Image.open(record.file))
    assert record.pixels_sha256 == pixels_sha256(np.repeat(grey[..., None], 3, axis=2))


def test_exact_copies_are_one_group_named_after_the_pixels(folder: Path) -> None:
    records = {record.file.name: record for record in build_catalog([folder]).records}
    assert (
        records["a.png"].group == records["copy of a.png"].group == "g" + records["a.png"].pixels_sha256[:12]
    )
    assert len({record.group for record in records.values()}) == 4


def test_the_same_pixels_in_another_shape_are_another_picture() -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    assert pixels_sha256(pixels) != pixels_sha256(pixels.reshape(6, 4, 3))


def test_csv_links_chain_within_their_scope(tmp_path: Path, draw_png: Draw) -> None:
    for i in range(8):
        draw_png(tmp_path / f"{i}.png", i)
    draw_png(tmp_path / "copy4.png", 4)
    one = _csv(
        tmp_path / "one.csv",
        "file,label,group,patient,source,plane\n"
        "0.png,tumor,a,,x,axial\n1.png,no,a,7,x,axial\n2.png,yes,,7,x,\n3.png,yes,,7,y,\n4.png,0,b,,y,\n",
    )
    two = _csv(tmp_path / "two.csv", "file,label,group\ncopy4.png,no,c\n5.png,no,c\n6.png,no,a\n7.png,no,\n")
    group = {r.file.stem: r.group for r in build_catalog([one, two]).records}
    assert group["0"] == group["1"] == group["2"], "a group and a patient chain"
    assert group["4"] == group["copy4"] == group["5"], "copies carry a group from csv to csv"
    assert len({group[name] for name in ("0", "3", "4", "6", "7")}) == 5, "patient 7 of y, group a of two.csv"
    sources = {r.file.stem: r.source for r in build_catalog([one, two]).records}
    assert (sources["0"], sources["3"], sources["7"]) == ("x", "y", "two")


def test_csv_finds_files_beside_it_or_from_here(
    tmp_path: Path, draw_png: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_png(tmp_path / "lists" / "in" / "a.png", 1)
    draw_png(tmp_path / "b.png", 2)
    absolute = draw_png(tmp_path / "elsewhere" / "c.png", 3)
    monkeypatch.chdir(tmp_path)
    table = _csv(
        tmp_path / "lists" / "set.csv",
        f"\ufefffile , label\nin\\a.png, yes\nb.png,no\n{absolute},no\ngone.png,no\n",
    )
    catalog = build_catalog([table])
    assert [record.file.name for record in catalog.records] == ["a.png", "b.png", "c.png"]
    assert catalog.skipped[0].file == (tmp_path / "lists" / "gone.png").resolve()
    assert "does not exist" in catalog.skipped[0].cause


def test_a_file_listed_twice_is_one_record_with_the_links_of_both(folder: Path, tmp_path: Path) -> None:
    table = _csv(tmp_path / "more.csv", "file,label,group\nset/yes/a.png,yes,z\nset/yes/b.png,yes,z\n")
    catalog = build_catalog([folder, table, folder])
    assert len(catalog.records) == 5
    assert len(catalog.skipped) == 2
    group = {record.file.name: record.group for record in catalog.records}
    assert group["a.png"] == group["b.png"]


def test_one_unreadable_among_many_is_not_fatal(tmp_path: Path, draw_png: Draw) -> None:
    for i in range(60):
        draw_png(tmp_path / "set" / ("yes" if i % 2 else "no") / f"{i}.png", i)
    bad = tmp_path / "set" / "yes" / "31.png"
    bad.write_bytes(bad.read_bytes()[:100])
    catalog = build_catalog([tmp_path / "set"])
    assert len(catalog.records) == 59
    assert [skipped.file for skipped in catalog.skipped] == [bad]


def test_progress_goes_to_stderr_only_when_asked(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build_catalog([folder])
    assert capfd.readouterr() == ("", "")
    build_catalog([folder], progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "reading" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"set\.csv: line 1: no column file, label"),
        (
            "name,label\na.png,yes\n",
            r"set\.csv: line 1: no column file: the first line must name .* file, label",
        ),
        ("file;label\na.png;yes\n", r"set\.csv: line 1: no column file, label: .*with commas between"),
        (
            "file,label\na.png,yes\nb.png,maybe\n",
            r"set\.csv: line 3: unknown label 'maybe': .*yes/no, tumor/no_tumor",
        ),
        ("file,label\na.png,\n", r"set\.csv: line 2: unknown label ''"),
        ("file,label\n ,yes\n", r"set\.csv: line 2: no file"),
        ("file,label\na.png,yes,more\n", r"set\.csv: line 2: 3 values under 2 columns"),
        ("file,label\na.png\n", r"set\.csv: line 2: 1 values under 2 columns"),
        ('file,label\n"a.png,yes\n', r"set\.csv: line 2: no csv \(unexpected end of data\)"),
        ("file,label\n", r"no picture found in .*set\.csv"),
        (
            "file,label\ngone.png,yes\n",
            r"no picture found in .*set\.csv: 1 files skipped, the first is .*gone\.png",
        ),
    ],
)
def test_refuses_csv(tmp_path: Path, draw_png: Draw, text: str, message: str) -> None:
    draw_png(tmp_path / "a.png", 1)
    with pytest.raises(DataError, match=message):
        build_catalog([_csv(tmp_path / "set.csv", text)])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone", r"gone: there is no such folder or csv: name a folder"),
        ("gone.csv", r"gone\.csv: there is no such folder or csv"),
        ("picture.png", r"picture\.png: is neither a folder nor a csv"),
        ("empty", r"no picture found in .*empty: name a folder or csv that holds some"),
        (
            "unlabelled",
            r"no picture found in .*unlabelled: 1 files skipped, the first is .*a\.png: label unknown",
        ),
        ("yes", r"no picture found in .*yes: 1 files skipped, the first is .*text\.png: "),
    ],
)
def test_refuses_path(tmp_path: Path, draw_png: Draw, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "yes").mkdir()
    (tmp_path / "yes" / "text.png").write_text("text")
    draw_png(tmp_path / "picture.png", 1)
    draw_png(tmp_path / "unlabelled" / "a.png", 1)
    with pytest.raises(DataError, match=message):
        build_catalog([tmp_path / name])


def test_no_path_at_all() -> None:
    with pytest.raises(DataError, match="no picture found in nothing"):
        build_catalog([])


def test_conflicts(folder: Path, tmp_path: Path, draw_png: Draw) -> None:
    assert conflicts(build_catalog([folder])) == ()
    draw_png(folder / "no" / "a again.png", 1)
    found = conflicts(build_catalog([folder]))
    assert [(one.same_pixels, sorted(r.file.name for r in one.records)) for one in found] == [
        (True, ["a again.png", "a.png", "copy of a.png"])
    ]


def test_one_file_with_two_labels_is_a_conflict(tmp_path: Path, draw_png: Draw) -> None:
    draw_png(tmp_path / "a.png", 1)
    catalog = build_catalog([_csv(tmp_path / "set.csv", "file,label\na.png,yes\na.png,no\n")])
    assert [len(conflict.records) for conflict in conflicts(catalog)] == [2]


def test_a_group_with_two_labels_is_a_conflict_unless_it_is_patients(record: Callable[..., Record]) -> None:
    mixed = (record(1, "tumor", "ga"), record(2, "no_tumor", "ga"), record(3, "tumor", "gb"))
    (conflict,) = conflicts(Catalog(mixed))
    assert (conflict.group, conflict.same_pixels, conflict.records) == ("ga", False, mixed[:2])
    assert conflicts(Catalog(tuple(replace(r, patient="7") for r in mixed))) == ()


def test_join_groups(record: Callable[..., Record]) -> None:
    records = tuple(record(i, "tumor", f"g{i // 2}") for i in range(6))
    joined = join_groups(Catalog(records), [(records[1].pixels_sha256, records[4].pixels_sha256)])
    group = [r.group for r in joined.records]
    assert group[0] == group[1] == group[4] == group[5] != group[2] == group[3]
    assert group[0] == "g" + min(r.pixels_sha256 for r in (*records[:2], *records[4:]))[:12]
    with pytest.raises(DataError, match=r"link to ffffffffffff: no such picture in the catalog"):
        join_groups(Catalog(records), [(records[0].pixels_sha256, "f" * 64)])


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.permutations(range(9)))
def test_groups_do_not_depend_on_file_order(tmp_path: Path, draw_png: Draw, order: list[int]) -> None:
    lines = [f"{i}.png,yes,{'a' if i in (1, 5) else ''},{i % 2 if i > 6 else ''}" for i in range(9)]
    for i in range(9):
        draw_png(tmp_path / f"{i}.png", min(i, 5))
    table = _csv(
        tmp_path / "set.csv", "\n".join(["file,label,group,patient", *(lines[i] for i in order)]) + "\n"
    )
    group = {record.file.stem: record.group for record in build_catalog([table]).records}
    assert len(set(group.values())) == 5
    assert group == {r.file.stem: r.group for r in _straight(tmp_path, lines).records}


def _straight(folder: Path, lines: list[str]) -> Catalog:
    return build_catalog(
        [_csv(folder / "straight.csv", "\n".join(["file,label,group,patient", *lines]) + "\n")]
    )


def test_round_trip(folder: Path, tmp_path: Path) -> None:
    odd = folder / "no" / 'ein "Bild", ä.png'
    shutil.copy(folder / "no" / "d.png", odd)
    catalog = build_catalog([folder])
    path = tmp_path / "out" / "catalog.csv"
    write_catalog(catalog, path)
    assert read_catalog(path) == catalog
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == "file,label,pixels_sha256,group,source,patient,width,height,mode,format,file_bytes,plane"
    names = [row["file"] for _, row in read_table(path, ("file",))]
    assert 'set/no/ein "Bild", ä.png' in [name.removeprefix("../") for name in names]
    assert (path.parent / "catalog.skipped.csv").exists()


def test_written_catalog_moves_with_its_pictures_and_can_be_built_from(folder: Path, tmp_path: Path) -> None:
    catalog = build_catalog([folder])
    write_catalog(catalog, folder / "catalog.csv")
    moved = tmp_path / "moved"
    folder.rename(moved)
    again = build_catalog([moved / "catalog.csv"])
    assert [(r.file, r.group) for r in again.records] == [
        (moved / r.file.relative_to(folder), r.group) for r in catalog.records
    ]
    assert [r.file for r in read_catalog(moved / "catalog.csv").records] == [r.file for r in again.records]


def test_skipped_file_goes_when_nothing_is_skipped_any_more(folder: Path, tmp_path: Path) -> None:
    catalog = build_catalog([folder])
    path = tmp_path / "catalog.csv"
    write_catalog(catalog, path)
    write_catalog(Catalog(catalog.records), path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["catalog.csv", "set"]


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes exist on POSIX")
def test_file_name_that_is_no_utf8(tmp_path: Path, draw_png: Draw) -> None:
    odd = tmp_path / "yes" / os.fsdecode(b"caf\xe9.png")
    shutil.copy(draw_png(tmp_path / "a.png", 1), (tmp_path / "yes").mkdir() or odd)
    catalog = build_catalog([tmp_path / "yes"])
    write_catalog(catalog, tmp_path / "catalog.csv")
    assert read_catalog(tmp_path / "catalog.csv") == catalog
    assert read_catalog(tmp_path / "catalog.csv").records[0].file.exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("width", "breadth", r"catalog\.csv: line 1: no column width"),
        (",24,", ",wide,", r"catalog\.csv: line 2: width is 'wide', it must be a whole number"),
        (",24,", ",-24,", r"line 2: width is '-24'"),
        (",24,", ",٢٤,", r"line 2: width is '٢٤'"),
        (",tumor,", ",yes,", r"line 2: label is 'yes', it must be no_tumor or tumor: make the file anew"),
        (",g", ",", None),
        (",drawn", "", r"line 2: 11 values under 12 columns"),
        ("1.png", "", None),
    ],
)
def test_refuses_damaged_catalog(
    tmp_path: Path, record: Callable[..., Record], old: str, new: str, message: str | None
) -> None:
    path = tmp_path / "catalog.csv"
    write_catalog(Catalog((record(1, "tumor", "g1"),)), path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    if message is None:
        header, line = text.splitlines()
        values = line.split(",")
        column = 3 if old == ",g" else 0
        values[column] = ""
        text = f"{header}\n{','.join(values)}\n"
        message = rf"line 2: {('file', '', '', 'group')[column]} is '', it must be a"
        path.write_text(text, encoding="utf-8")
    else:
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_catalog(path)


def test_refuses_a_hash_that_is_none(tmp_path: Path, record: Callable[..., Record]) -> None:
    path = tmp_path / "catalog.csv"
    write_catalog(Catalog((replace(record(1, "tumor", "g1"), pixels_sha256="../../etc"),)), path)
    with pytest.raises(DataError, match=r"line 2: pixels_sha256 is '../../etc', it must be 64 hex digits"):
        read_catalog(path)


def test_refuses_a_catalog_that_is_not_there_or_cannot_be_written(
    tmp_path: Path, record: Callable[..., Record]
) -> None:
    with pytest.raises(DataError, match=r"gone\.csv: No such file or directory: name a csv"):
        read_catalog(tmp_path / "gone.csv")
    (tmp_path / "file").write_text("in the way")
    catalog = Catalog((record(1, "tumor", "g1"),), (Skipped(tmp_path / "x", "because"),))
    with pytest.raises(EnvironmentProblem, match="cannot be written"):
        write_catalog(catalog, tmp_path / "file" / "catalog.csv")


@pytest.mark.data
def test_kaggle253(data_dir: Path, tmp_path: Path) -> None:
    catalog = build_catalog([data_dir / "kaggle253"], near=False)
    assert len(catalog.records) == 253
    assert catalog.skipped == ()
    assert [sum(r.label == name for r in catalog.records) for name in ("tumor", "no_tumor")] == [155, 98]
    assert len({record.pixels_sha256 for record in catalog.records}) == 228
    assert len({record.group for record in catalog.records}) == 228
    assert conflicts(catalog) == ()
    write_catalog(catalog, tmp_path / "catalog.csv")
    assert read_catalog(tmp_path / "catalog.csv") == catalog


@pytest.mark.data
def test_progression_patients_are_groups(data_dir: Path) -> None:
    catalog = build_catalog([data_dir / "progression.csv"])
    assert len(catalog.records) == 200
    assert len({record.group for record in catalog.records}) == 5
    assert conflicts(catalog) == ()
