from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.detect.band import fit_band
from tumorscan.detect.decide import confidence, verdict, verdicts, wording
from tumorscan.errors import DataError, SettingsError
from tumorscan.types import Interval, OperatingPoint, UncertainBand, Verdict

RATE = Interval(1.0, 0.9, 1.0, "exact binomial")
ORDER = [Verdict.NO_TUMOR, Verdict.CANNOT_SAY, Verdict.TUMOR]


def point(threshold):
    return OperatingPoint("screening", threshold, 0.97, RATE, RATE, "test")


def drawn(rng, count, size=1):
    labels = np.repeat(rng.integers(0, 2, count), size)
    middle = np.repeat(rng.normal(0, 1, count), size) + 0.3 * rng.normal(size=count * size)
    return 1 / (1 + np.exp(-(middle + 3 * labels - 1.5))), labels, np.repeat(np.arange(count), size)


@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("error", [0.05, 0.2])
def test_each_class_is_called_wrongly_no_more_often_than_promised(size, error):
    """A new group against 2,000 fits of its own; binomial noise is allowed for."""
    rng = np.random.default_rng(3)
    wrong, seen = np.zeros(2), np.zeros(2)
    for _ in range(2000):
        p, labels, groups = drawn(rng, 80, size)
        known = groups < 79
        band = fit_band(p[known], labels[known], groups[known], error=error)
        new, truth = p[~known][0], labels[~known][0]
        seen[truth] += 1
        wrong[truth] += new < band.tumor_from if truth else new > band.none_to
    rates = wrong / seen
    assert (rates <= error + 3 * np.sqrt(error * (1 - error) / seen)).all()
    if size == 1:
        assert (rates >= error / 2).all()


@given(st.integers(0, 10_000), st.integers(6, 60), st.floats(0.01, 0.4))
@settings(max_examples=40)
def test_a_smaller_error_leaves_more_possible(seed, count, error):
    p, labels, groups = drawn(np.random.default_rng(seed), count)
    labels[:4] = 0, 1, 0, 1
    strict, loose = (fit_band(p, labels, groups, error=one) for one in (error / 2, error))
    assert strict.tumor_from <= loose.tumor_from
    assert strict.none_to >= loose.none_to


def test_the_edge_is_the_order_statistic():
    """19 tumors, error 0.1: the second lowest of 20 places."""
    p = np.concatenate([np.arange(1, 20) / 20, [0.01, 0.02, 0.03]])
    labels = np.repeat([1, 0], [19, 3])
    band = fit_band(p, labels, np.arange(22), error=0.1)
    assert band.tumor_from == pytest.approx(2 / 20)
    assert (band.tumor_error, band.none_error) == (0.1, 0.25)
    assert "too few groups to promise it" in band.statement


def test_pictures_of_a_group_are_one(rng):
    p, labels, groups = drawn(rng, 60)
    once, often = fit_band(p, labels, groups, error=0.1), fit_band(
        np.repeat(p, 7), np.repeat(labels, 7), np.repeat(groups, 7), error=0.1
    )  # fmt: skip
    assert (once.tumor_from, once.none_to) == (often.tumor_from, often.none_to)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_more_probability_never_says_less(threshold, one, other):
    band = UncertainBand(one, other, 0.02, 0.02, 0.02, "test")
    said = [ORDER.index(v) for v in verdicts(np.linspace(0, 1, 201), point(threshold), band)]
    assert said == sorted(said)


@given(st.floats(0, 1), st.floats(0, 1))
def test_without_a_band_there_are_two_verdicts(threshold, p):
    said = verdict(p, point(threshold))
    assert said is (Verdict.TUMOR if p >= threshold else Verdict.NO_TUMOR)


@pytest.mark.parametrize(
    ("p", "threshold", "said"),
    [
        (0.1, 0.5, Verdict.NO_TUMOR),
        (0.2, 0.5, Verdict.CANNOT_SAY),
        (0.6, 0.5, Verdict.CANNOT_SAY),
        (0.61, 0.5, Verdict.TUMOR),
        (0.1, 0.05, Verdict.CANNOT_SAY),  # the point says tumor, the band says none
        (0.7, 0.8, Verdict.CANNOT_SAY),
        (0.8, 0.8, Verdict.TUMOR),
    ],
)
@pytest.mark.parametrize("gap", [False, True])
def test_a_verdict_needs_point_and_band(p, threshold, said, gap):
    edges = (0.6, 0.2) if gap else (0.2, 0.6)
    assert verdict(p, point(threshold), UncertainBand(*edges, 0.02, 0.02, 0.02, "test")) is said


def test_wording_and_confidence():
    assert wording(Verdict.CANNOT_SAY) == "CANNOT SAY - please review"
    assert wording(Verdict.TUMOR) == "TUMOR DETECTED"
    assert confidence(Verdict.CANNOT_SAY, 0.3) == pytest.approx(70.0)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"labels": [0, 0, 0, 0]}, DataError, "one class only"),
        ({"labels": [0, 1]}, DataError, "labels have the shape"),
        ({"groups": ["a"]}, DataError, "groups have the shape"),
        ({"probabilities": []}, DataError, "probabilities have the shape"),
        ({"probabilities": [0.1, 0.2, 0.3, 2.0]}, DataError, "they must lie in 0..1"),
        ({"groups": ["a", "a", "c", "d"]}, DataError, "one group in the calibration split"),
        ({"error": 0.0}, SettingsError, "error is 0"),
        ({"error": 0.5}, SettingsError, "error is 0.5"),
    ],
)
def test_refusals(change, kind, message):
    good = {"probabilities": [0.1, 0.2, 0.8, 0.9], "labels": [0, 0, 1, 1], "groups": ["a", "b", "c", "d"]}
    with pytest.raises(kind, match=message) as caught:
        fit_band(**{**good, **change})
    assert "\n" not in str(caught.value)
