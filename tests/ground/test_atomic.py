"""A written file is the old one or the whole new one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tumorscan.atomic import atomic_write_bytes, atomic_write_text
from tumorscan.errors import EnvironmentProblem


def test_writes_and_replaces(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "a.txt"
    atomic_write_text(file, "grün")
    assert file.read_bytes() == "grün".encode()
    atomic_write_bytes(file, b"second")
    assert file.read_bytes() == b"second"
    assert [found.name for found in file.parent.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_are_the_usual_ones_and_kept(tmp_path: Path) -> None:
    usual, ours = tmp_path / "usual", tmp_path / "ours"
    usual.write_bytes(b"")
    atomic_write_bytes(ours, b"")
    assert ours.stat().st_mode == usual.stat().st_mode
    ours.chmod(0o640)
    atomic_write_bytes(ours, b"again")
    assert ours.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("call", "code", "cause"),
    [
        ("fsync", errno.ENOSPC, "no space left on device"),
        ("replace", errno.EACCES, "permission denied"),
        ("replace", errno.EROFS, "read-only file system"),
    ],
)
def test_the_old_file_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int, cause: str
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, fail)
    if call == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(EnvironmentProblem, match=rf"a\.txt: cannot be written \({cause}\): free some space"):
        atomic_write_text(file, "new")
    monkeypatch.undo()
    assert file.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(EnvironmentProblem, match=r"cannot be written \((file exists|not a directory)\)"):
        atomic_write_text(tmp_path / "runs" / "a.txt", "new")


def test_a_folder_in_the_way_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(EnvironmentProblem, match=r"a\.txt: cannot be written"):
        atomic_write_text(tmp_path / "a.txt", "new")
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name != "posix" or not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_is_really_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tempfile.mkstemp", lambda **_: (os.open("/dev/full", os.O_WRONLY), str(tmp_path / "x"))
    )
    with pytest.raises(EnvironmentProblem, match=r"no space left on device"):
        atomic_write_bytes(tmp_path / "a.bin", b"1" * 100_000)
    assert [file.name for file in tmp_path.iterdir()] == []
