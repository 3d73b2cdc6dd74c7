"""`tumorscan phantom --study`: a drawn head as a DICOM series."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tumorscan.app.cli import main
from tumorscan.read.study import read_study


def test_a_second_run_writes_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        assert main(["phantom", str(tmp_path / name), "--study", "-n", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[0])
    assert told == {"folder": str(tmp_path / "a"), "slices": 3, "seed": 1, "tumor": True}
    first, second = (sorted((tmp_path / name).iterdir()) for name in ("a", "b"))
    assert [one.name for one in first] == ["IM0001.dcm", "IM0002.dcm", "IM0003.dcm"]
    assert [one.read_bytes() for one in first] == [one.read_bytes() for one in second]
    (volume,) = read_study(tmp_path / "a").volumes
    assert (len(volume), volume.plane, volume.modality, volume.notes) == (3, "axial", "MR", ())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--study", "-n", "0"], "slices of a phantom are 0: they must lie in [1, 400]"),
        (["--study", "--seed", "-1"], "phantom seed -1"),
        (["--healthy"], "--healthy goes with --study"),
    ],
)
def test_refusals(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["phantom", str(tmp_path / "x"), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_full_folder_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("x")
    assert main(["phantom", str(tmp_path), "--study", "-n", "2"]) == 6
    assert "the folder is not empty" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["mine"]
