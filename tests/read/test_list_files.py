"""Which files a list of paths means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tumorscan.errors import UnreadableScan
from tumorscan.read import list_files


def grow(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def listed(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in list_files([folder])]


def test_folders_are_walked_in_natural_order(tmp_path: Path) -> None:
    grow(
        tmp_path,
        "no/10.jpg",
        "no/2.jpg",
        "yes/Y10.png",
        "yes/y9.png",
        "no/deep/a",
        "top.txt",
        "no/1b2",
        "no/1b10",
    )
    assert listed(tmp_path) == [
        "top.txt", "no/1b2", "no/1b10", "no/2.jpg", "no/10.jpg", "no/deep/a", "yes/y9.png", "yes/Y10.png",
    ]  # fmt: skip


def test_the_order_of_the_paths_and_named_files_stay(tmp_path: Path) -> None:
    grow(tmp_path, "b", "a", ".hidden", ".folder/x")
    paths = [tmp_path / "b", tmp_path / "a", tmp_path / ".hidden", tmp_path / ".folder"]
    assert list_files(paths) == [*paths[:3], tmp_path / ".folder" / "x"]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    grow(tmp_path, "a", ".DS_Store", ".git/config", "sub/.x/y", "sub/z")
    assert listed(tmp_path) == ["a", "sub/z"]


def test_circles_of_links_end_and_linked_folders_are_followed(tmp_path: Path) -> None:
    grow(tmp_path, "real/a", "elsewhere/b")
    (tmp_path / "real" / "up").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "real")
    assert listed(tmp_path / "real") == ["a", "other/b"]


def test_a_link_to_nowhere_is_listed_so_that_reading_says_so(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    assert listed(tmp_path) == ["gone"]
    assert list_files([tmp_path / "gone"]) == [tmp_path / "gone"]


def test_a_link_to_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "me").symlink_to(tmp_path / "me")
    assert listed(tmp_path) == ["me"]


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    assert list_files([tmp_path]) == []
    assert list_files([]) == []


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("none", "none: does not exist: check the path"),
        ("none/deeper", "deeper: does not exist"),
        ("file/inside", "inside: does not exist"),
        ("x" * 300, "check the path"),
        ("a\x00b", "check the path"),
    ],
)
def test_missing_paths_are_refused(name: str, cause: str, tmp_path: Path) -> None:
    grow(tmp_path, "file")
    with pytest.raises(UnreadableScan, match=cause):
        list_files([tmp_path / "file", tmp_path / name])


def test_a_folder_that_may_not_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    real = Path.iterdir

    def refuse(self: Path) -> object:
        if self.name == "locked":
            raise PermissionError(13, os.strerror(13))
        return real(self)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(
        UnreadableScan, match=r"locked: the folder may not be listed .Permission denied.: ask"
    ):
        list_files([tmp_path])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*/*.png", ["no/2.png", "no/10.png", "yes/1.png"]),
        ("n?/*", ["no/2.png", "no/10.png"]),
        ("**/1*.png", ["no/10.png", "yes/1.png"]),
        ("yes*", ["yes/1.png", "yes/deep/3.tif"]),
        ("no/[2-3].png", ["no/2.png"]),
    ],
)
def test_a_pattern_is_expanded_as_a_shell_would(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    grow(tmp_path, "no/10.png", "no/2.png", "no/.hidden.png", "yes/1.png", "yes/deep/3.tif")
    found = [path.relative_to(tmp_path).as_posix() for path in list_files([tmp_path / pattern])]
    assert found == expected


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    grow(tmp_path, "scan[1].png", "scan1.png")
    assert listed_by(tmp_path / "scan[1].png") == ["scan[1].png"]


def test_a_pattern_that_nothing_matches(tmp_path: Path) -> None:
    with pytest.raises(UnreadableScan, match=r"\*\.png: no file matches this pattern: check it"):
        list_files([tmp_path / "*.png"])


def listed_by(path: Path) -> list[str]:
    return [found.name for found in list_files([path])]
