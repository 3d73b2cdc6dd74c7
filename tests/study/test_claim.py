"""A folder goes on with the settings and pictures that it began with, and with no others."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.app.cli import main
from tumorscan.config import preset
from tumorscan.data.split import read_split
from tumorscan.errors import DataError, SettingsError
from tumorscan.study import run as run_module
from tumorscan.study.claim import claim

QUICK = preset("quick")


@pytest.fixture
def pictures(phantoms, tmp_path):
    """A folder of drawn slices with their csv."""
    return shutil.copytree(phantoms, tmp_path / "drawn")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def _table(pictures: Path) -> Path:
    return next(pictures.glob("*.csv"))


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _write(table: Path, rows: list[dict[str, str]]) -> None:
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _again(pictures, out, *, begun, settings=QUICK, sources=None, where=None):
    chosen = [_table(pictures), pictures] if sources is None else sources
    return claim(out, settings, chosen, "a run", begun=begun, where=where)


def _corrected(pictures):
    rows = _rows(_table(pictures))
    _write(_table(pictures), [*rows[:-1], {**rows[-1], "label": "no_tumor"}])
    return {}


def _one_more(pictures):
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(pictures / "no" / "more.png")
    return {}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda _: {"settings": replace(QUICK, preset="original")}, "a run with other settings"),
        (lambda _: {"where": {"fold": "5"}}, "a run with another --test-where"),
        (_corrected, "a run of other pictures than phantoms.csv names now"),
        (_one_more, "a run of other pictures than drawn names now"),
        (lambda pictures: {"sources": [pictures]}, "a run of other pictures than these names now"),
    ],
)
def test_another_is_refused_once_begun_and_begins_anew_before(pictures, out, change, told):
    assert _again(pictures, out, begun=False)
    for name in ("catalog.csv", "split.csv"):
        (out / name).write_text("of before")
    changed = change(pictures)
    with pytest.raises(SettingsError, match=f"{out.name}: holds {told}; choose another --out"):
        _again(pictures, out, begun=True, **changed)
    assert (out / "split.csv").exists()
    assert _again(pictures, out, begun=False, **changed)
    assert not (out / "split.csv").exists()
    assert not (out / "catalog.csv").exists()
    assert not _again(pictures, out, begun=True, **changed)


def test_the_same_goes_on_wherever_it_stands(pictures, tmp_path):
    """In another order, from another place, and with the run among its own pictures."""
    out = pictures / "runs" / "mine"
    assert _again(pictures, out, begun=False)
    (out / "catalog.csv").write_text("of before")
    (out / "report").mkdir()
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(out / "report" / "roc.png")
    shutil.copytree(pictures, tmp_path / "moved" / "drawn")
    moved = tmp_path / "moved" / "drawn"
    assert not _again(pictures, out, begun=True, sources=[moved, _table(moved)])
    assert (out / "catalog.csv").exists()


def test_a_split_that_was_laid_there_is_taken(pictures, out):
    out.mkdir()
    (out / "split.csv").write_text("by hand")
    assert _again(pictures, out, begun=False)
    assert (out / "split.csv").read_text() == "by hand"


def test_folders_of_before_say_nothing_of_their_pictures(pictures, out):
    _again(pictures, out, begun=False)
    (out / "sources.json").unlink()
    assert not _again(pictures, out, begun=True, sources=[pictures])


def test_a_csv_that_was_corrected_counts(pictures, out, capsys, monkeypatch):
    """What refused it leaves nothing behind that would be gone on from."""

    def stop(*_, **__):
        raise DataError("far enough")

    monkeypatch.setattr(run_module, "load_part", stop)
    table, rows = _table(pictures), _rows(_table(pictures))
    at = next(i for i, row in enumerate(rows) if row["box_x"])
    _write(table, [{**row, "label": "no_tumor"} if i == at else row for i, row in enumerate(rows)])
    command = ["train", str(table), "--weights", "none", "--set", "decide.calibration=temperature"]
    command += ["--set", "split.calibration=0.3", "--out", str(out)]
    assert main(command) == 4
    assert "labelled no_tumor, with a box" in capsys.readouterr().err
    assert not out.exists()
    for label in ("tumor", "no_tumor"):
        _write(
            table,
            [
                {**row, "label": label, **({} if label == "tumor" else dict.fromkeys(_BOX, ""))}
                if i == at
                else row
                for i, row in enumerate(rows)
            ],
        )
        assert main(command) == 4
        assert "far enough" in capsys.readouterr().err
        split = read_split(out / "split.csv")
        (record,) = [r for part in split.parts.values() for r in part if r.file.name in rows[at]["file"]]
        assert record.label == label


_BOX = ("box_x", "box_y", "box_w", "box_h")
