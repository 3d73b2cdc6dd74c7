"""What cannot be learnt or fitted is said before anything is prepared or trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from csv_tables import rewrite

from tumorscan.app.cli import main
from tumorscan.errors import DataError
from tumorscan.study.evidence_fit import lesions_of

TEMPERATURE = ["--set", "decide.calibration=temperature", "--set", "split.calibration=0.3"]


@pytest.fixture
def table(phantoms, tmp_path):
    """Half of the drawn slices have a tumor with its box."""
    return next(shutil.copytree(phantoms, tmp_path / "drawn").glob("*.csv"))


@pytest.fixture
def train(nothing_is_prepared, tmp_path, capsys):
    """Train without weights until the first picture would be prepared; what was said."""

    def command(*arguments: str | Path) -> str:
        assert main(["train", *map(str, arguments), "--weights", "none", "--out", str(tmp_path / "run")]) == 4
        return capsys.readouterr().err

    return command


def _by_hospital(row):
    return {"source": "hosp" if row["label"] == "tumor" else "empty"}


def _placeless(row):
    return {"box_x": "", "box_y": "", "box_w": "", "box_h": ""}


def test_both_classes_and_places_need_no_word(table, train):
    told = train(table, *TEMPERATURE)
    assert "far enough" in told
    assert "one class" not in told
    assert "labels alone" not in told


def test_sources_of_one_class_are_named(table, train):
    rewrite(table, _by_hospital)
    told = train(table, *TEMPERATURE)
    assert "do not count: empty (no_tumor), hosp (tumor, 15 with a place)" in told
    assert "far enough" in told


def test_labels_alone_are_said_to_be(table, train):
    rewrite(table, _placeless)
    told = train(table, *TEMPERATURE)
    assert "no training picture has a box or a mask" in told
    assert "far enough" in told


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (
            lambda row: _by_hospital(row) | _placeless(row),
            r"every source holds one class only (empty: 15 no_tumor, hosp: 15 tumor) and no tumor has its place",
        ),
        (
            lambda _: {"label": "tumor", "source": "hosp"},
            "the train split holds one class only (hosp: 30 tumor): add pictures of the other",
        ),
    ],
)
def test_what_teaches_nothing_is_refused(table, train, change, cause):
    rewrite(table, change)
    told = train(table, *TEMPERATURE)
    assert cause in told
    assert "far enough" not in told


def test_a_calibration_split_that_is_too_small_is_refused_and_the_advice_can_be_followed(table, train):
    told = train(table)
    assert "groups of a class: comparing calibrations needs 5" in told
    assert "--set decide.calibration=temperature" in told
    assert "far enough" in train(table, *TEMPERATURE[:2])


def test_two_tables_that_place_a_tumor_differently_are_refused(table):
    other = table.with_name("other.csv")
    other.write_bytes(table.read_bytes())
    assert len(lesions_of([table, other])) == 30
    rewrite(other, lambda row: {"box_w": "0.01"} if row["box_w"] else {})
    with pytest.raises(DataError, match=r"other\.csv: gives .*\.png another lesion than a csv before it"):
        lesions_of([table, other])
