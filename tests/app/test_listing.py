"""What the arguments of `predict` mean: files, folders, patterns, csv lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from tumorscan.app.commands.listing import list_items
from tumorscan.errors import DataError, UnreadableScan


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for name in ("scans/2.png", "scans/10.png", "scans/more/a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_csv_names_files_from_its_folder_and_brings_its_columns(scans, monkeypatch):
    (scans / "a.csv").write_text("label,file,patient\ntumor,scans/2.png,7\nno,gone.png,8\n")
    (scans / "b.csv").write_text("file,site\nscans\\10.png,north\n")
    monkeypatch.chdir(scans / "scans")
    listing = list_items([Path("../a.csv"), Path("2.png"), Path("../b.csv"), Path("../a.csv")])
    assert listing.carried == ("label", "patient", "site")
    assert [(item.name, Path(item.file).name, item.carried) for item in listing.items] == [
        ("scans/2.png", "2.png", ("tumor", "7", "")),
        ("gone.png", "gone.png", ("no", "8", "")),
        ("2.png", "2.png", ()),
        ("scans\\10.png", "10.png", ("", "", "north")),
        ("scans/2.png", "2.png", ("tumor", "7", "")),
        ("gone.png", "gone.png", ("no", "8", "")),
    ]
    assert Path(listing.items[0].file) == (scans / "scans/2.png").resolve()


def test_an_argument_that_means_nothing_is_an_item_with_a_problem(scans):
    (scans / "void").mkdir()
    (scans / "empty.csv").write_text("file,label\n")
    (scans / "long.csv").write_text(f"file\n{'a' * 5000}\n")
    names = ["gone.png", "void", "scans/*.gif", "empty.csv", "long.csv", "scans/2.png"]
    items = list_items([scans / name for name in names]).items
    problems = ["does not exist", "holds no file", "no file matches", "lists no file", "name too long", ""]
    assert len(items) == len(problems)
    for item, problem in zip(items, problems, strict=True):
        assert problem.lower() in item.problem.lower()
        assert bool(item.problem) == bool(problem)


def test_the_results_are_not_read_as_pictures(scans):
    out, journal = scans / "scans/r.csv", scans / "scans/r.csv.part.jsonl"
    for file in (out, journal, scans / "scans/more/r.csv"):
        file.touch()
    names = [item.name for item in list_items([scans / "scans"], [out, journal]).items]
    assert [Path(name).relative_to(scans / "scans").as_posix() for name in names] == [
        "2.png", "10.png", "more/a.png", "more/r.csv",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("name,label\na.png,1\n", r"line 1: no column file"),
        ("file,label\na.png\n", r"line 2: 1 values under 2 columns"),
        ("file,label\n ,1\n", r"line 2: no file: name a picture"),
        ("", r"no column file"),
    ],
)
def test_a_bad_csv_is_refused_as_a_whole(tmp_path, text, cause):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DataError, match=rf"list\.csv: .*{cause}"):
        list_items([tmp_path / "list.csv"])


def test_a_list_without_any_file_is_refused(scans):
    (scans / "void").mkdir()
    with pytest.raises(UnreadableScan, match="void: holds no file: name a folder with pictures"):
        list_items([scans / "void", scans / "gone.png"]).check()
    list_items([scans / "void", scans / "scans"]).check()
