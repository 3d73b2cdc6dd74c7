"""A folder goes on with the settings and pictures that it began with, and with no others."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from csv_tables import rewrite
from PIL import Image

from tumorscan.app.cli import main
from tumorscan.config import preset
from tumorscan.data.lesions import BOX_COLUMNS
from tumorscan.data.split import read_split
from tumorscan.data.table import read_table
from tumorscan.errors import SettingsError
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


def _again(pictures, out, *, begun, settings=QUICK, sources=None, where=None):
    chosen = [_table(pictures), pictures] if sources is None else sources
    return claim(out, settings, chosen, "a run", begun=begun, where=where)


def _corrected(pictures):
    rewrite(_table(pictures), lambda row: {"label": "no_tumor"} if row["box_x"] else {})
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


@pytest.mark.usefixtures("nothing_is_prepared")
def test_a_csv_that_was_corrected_counts(pictures, out, capsys):
    """What refused it leaves nothing behind that would be gone on from."""
    table = _table(pictures)
    _, first = next(one for one in read_table(table, ("file",)) if one[1]["box_x"])

    def label_of_first(label: str, **more: str) -> None:
        rewrite(table, lambda row: {"label": label, **more} if row["file"] == first["file"] else {})

    command = ["train", str(table), "--weights", "none", "--set", "decide.calibration=temperature"]
    command += ["--set", "split.calibration=0.3", "--out", str(out)]
    label_of_first("no_tumor")
    assert main(command) == 4
    assert "labelled no_tumor, with a box" in capsys.readouterr().err
    assert not out.exists()
    for label, box in (("tumor", {}), ("no_tumor", dict.fromkeys(BOX_COLUMNS, ""))):
        label_of_first(label, **box)
        assert main(command) == 4
        assert "far enough" in capsys.readouterr().err
        split = read_split(out / "split.csv")
        (record,) = [r for part in split.parts.values() for r in part if r.file.name in first["file"]]
        assert record.label == label
