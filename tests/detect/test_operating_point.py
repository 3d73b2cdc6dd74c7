"""A detector at one of its bundle's points, with and without a band: what its answers say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tumorscan.detect.detector import Detector
from tumorscan.detect.rows import to_table
from tumorscan.errors import SettingsError
from tumorscan.model.bundle import WEIGHTS, read_bundle, write_bundle
from tumorscan.types import Calibration, UncertainBand, Verdict


@pytest.fixture(scope="module")
def banded(tmp_path_factory, counting_bundle) -> Path:
    """The counting bundle with three points, another calibration and a band."""
    manifest = read_bundle(counting_bundle).manifest
    (point,) = manifest.operating_points
    points = tuple(
        replace(point, name=name, threshold=threshold)
        for name, threshold in (("screening", 0.3), ("balanced", 0.5), ("specific", 0.9))
    )
    made = replace(
        manifest,
        temperature=None,
        calibration=Calibration("platt", {"slope": (2.0,), "offset": (0.5,)}),
        operating_points=points,
        band=UncertainBand(0.4, 0.7, 0.02, 0.02, 0.02, "nothing"),
    )
    folder = tmp_path_factory.mktemp("banded") / "banded"
    write_bundle(folder, made, {WEIGHTS: b"the engine needs none"})
    return folder


def logit(p: float) -> float:
    return (np.log(p / (1 - p)) - 0.5) / 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", {0.2: "NO TUMOR", 0.35: "CANNOT SAY", 0.6: "CANNOT SAY", 0.8: "TUMOR DETECTED"}),
        ("screening", {0.2: "NO TUMOR", 0.35: "CANNOT SAY", 0.6: "CANNOT SAY", 0.8: "TUMOR DETECTED"}),
        ("balanced", {0.2: "NO TUMOR", 0.35: "NO TUMOR", 0.6: "CANNOT SAY", 0.8: "TUMOR DETECTED"}),
        ("specific", {0.2: "NO TUMOR", 0.6: "CANNOT SAY", 0.8: "CANNOT SAY", 0.95: "TUMOR DETECTED"}),
    ],
)
def test_the_point_is_chosen_by_name(banded, counting, name, said):
    detector = Detector(read_bundle(banded), counting.engine, name)
    assert detector.operating_point.name == (name or "screening")
    for p, verdict in said.items():
        finding = detector.finding("f", logit(p), (), {})
        assert finding.probability == pytest.approx(p)
        assert finding.verdict == verdict == detector.verdict(p)
        row = to_table(finding)
        assert (row["verdict"], row["operating_point"]) == (verdict, name or "screening")
        assert row["threshold"] == detector.operating_point.threshold


def test_without_a_band_the_answer_is_one_of_two(counting):
    said = {counting.verdict(p) for p in np.linspace(0, 1, 101)}
    assert said == {Verdict.TUMOR, Verdict.NO_TUMOR}


def test_an_unknown_point_is_refused(banded, counting):
    with pytest.raises(
        SettingsError, match="no operating point 'Screening': choose one of screening, balanced"
    ):
        Detector(read_bundle(banded), counting.engine, "Screening")
