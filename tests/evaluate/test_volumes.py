"""Figures of volumes: what counts, and intervals over patients that stay honest at 0 and 1."""

from __future__ import annotations

import numpy as np
import pytest

from tumorscan.errors import DataError
from tumorscan.evaluate.volumes import WORDS, Measured, volume_figures
from tumorscan.types import Finding, SliceFinding, Verdict, VolumeFinding


def finding(verdict: Verdict, p: float | None) -> Finding:
    return Finding("x", verdict, p, None if p is None else 50.0, 0.5, "screening", "m")


def measured(
    patient: str,
    verdict: Verdict,
    slices: list[float | None],
    truth: list[int] | None,
    key: int | None = None,
    extent: tuple[int, int] | None = None,
) -> Measured:
    curve = np.array([np.nan if p is None else p for p in slices])
    found = VolumeFinding(
        finding(verdict, 0.5),
        tuple(SliceFinding(i, finding(Verdict.NO_TUMOR, p)) for i, p in enumerate(slices)),
        curve,
        key,
        extent,
    )
    known = None if truth is None else np.array(truth, np.bool_)
    return Measured(f"v{patient}", patient, bool(truth is None or any(truth)), found, known)


LOUD = [0.1, 0.9, 0.8, None]


def test_shares_count_the_volumes_that_they_are_about() -> None:
    volumes = [
        measured("a", Verdict.TUMOR, LOUD, [0, 1, 1, 0], 1, (1, 2)),
        measured("b", Verdict.CANNOT_SAY, LOUD, [0, 0, 1, 0], 1, (1, 1)),
        measured("c", Verdict.NO_TUMOR, [0.1, 0.2, None, 0.1], [0, 0, 0, 0], 1),
        measured("d", Verdict.TUMOR, LOUD, None, 1, (0, 3)),
    ]
    found = {name: one.value for name, one in volume_figures(volumes).items()}
    assert set(found) <= set(WORDS)
    assert found["found"] == pytest.approx(2 / 3)
    assert (found["missed"], found["false_alarm"], found["unsaid"]) == (0, 0, 0.25)
    assert found["key_in"] == 0.5  # of a and b; d's slices are not known
    assert found["extent_dice"] == pytest.approx((1 + 0) / 2)
    assert found["run_sensitivity"] == pytest.approx(2 / 3)
    assert found["run_specificity"] == pytest.approx(8 / 9)
    assert found["auc_gain"] == pytest.approx(0)


def test_ten_of_ten_has_the_exact_interval_of_its_patients_not_of_its_volumes() -> None:
    volumes = [measured(str(i // 2), Verdict.TUMOR, LOUD, [0, 1, 1, 0], 1, (1, 2)) for i in range(10)]
    found = volume_figures(volumes)["found"]
    assert found.value == 1
    assert found.low == pytest.approx(0.025 ** (1 / 5))
    assert found.method == "exact binomial at 5 patients"


def test_what_no_volume_allows_is_left_out() -> None:
    assert "false_alarm" not in volume_figures([measured("a", Verdict.TUMOR, LOUD, None)])
    assert "auc_alone" not in volume_figures([measured("a", Verdict.TUMOR, LOUD, None)])
    with pytest.raises(DataError, match="no volume"):
        volume_figures([])
