from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tumorscan.config import DecideSettings, changed, preset, settings_from, to_table
from tumorscan.data.records import Record
from tumorscan.detect.calibrate import fit_temperature, probability
from tumorscan.errors import SettingsError
from tumorscan.study.decision import fit_decision, fit_operating_point


def records(labels, sources=1) -> list[Record]:
    return [
        Record(
            file=Path(f"{i}.png"),
            label="tumor" if label else "no_tumor",
            pixels_sha256=f"{i:064x}",
            group=f"g{i}",
            source=f"s{i % sources}",
            patient="",
            width=32,
            height=32,
            mode="L",
            format="PNG",
            file_bytes=100,
        )
        for i, label in enumerate(labels)
    ]


@pytest.fixture
def drawn(rng):
    logits = rng.normal(0, 3, 400)
    return logits, (rng.random(400) < probability(logits + 0.8, 1.0)).astype(np.int64)


def test_the_default_is_what_the_original_did(drawn):
    """One temperature, one point at the measured sensitivity, two verdicts."""
    logits, labels = drawn
    found = fit_decision(logits, records(labels), preset("original").decide, "here")
    temperature = fit_temperature(logits, labels)
    point = fit_operating_point(probability(logits, temperature), labels, 0.97, "here")
    assert found.fields() == {
        "temperature": temperature,
        "calibration": None,
        "operating_points": (point,),
        "band": None,
    }


def test_all_that_can_be_fitted(drawn):
    logits, labels = drawn
    settings = DecideSettings(calibration="auto", points="all", band=0.05)
    found = fit_decision(logits, records(labels, sources=2), settings, "here")
    assert found.temperature is None
    assert found.calibration.error is not None
    assert [point.name for point in found.points] == ["screening", "balanced", "specific"]
    assert "source s0" in found.points[0].statement
    assert found.band.error == 0.05
    assert {found.calibration.fitted_on, found.band.fitted_on, found.points[2].fitted_on} == {"here"}


def test_settings_from_before_keep_their_meaning():
    table = to_table(preset("original"))
    table["decide"] = {"sensitivity": 0.97}
    assert settings_from(table) == preset("original")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("decide.calibration=spline", "choose one of temperature, auto"),
        ("decide.points=three", "choose one of screening, all"),
        ("decide.band=0.5", "band is 0.5"),
        ("decide.level=95.0", "level is 95"),
        ("decide.specificity=0.2", "specificity is 0.2"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(SettingsError, match=message):
        changed(preset("original"), [change])


def test_certainty_cannot_be_shown():
    with pytest.raises(SettingsError, match="no data can show"):
        changed(preset("original"), ["decide.points=all", "decide.sensitivity=1.0"])
