from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.detect.points import NAMES, fit_points
from tumorscan.detect.risk import effective_binomial, needed_groups, risk_p_values
from tumorscan.errors import DataError, SettingsError
from tumorscan.evaluate.intervals import exact_binomial


def scored(rng, groups, size=1, spread=1.0):
    """Probabilities of both classes; the pictures of a group differ little from one another."""
    labels = np.repeat(np.arange(2 * groups) % 2, size)
    middle = np.repeat(rng.normal(0, spread, 2 * groups), size) + 0.05 * rng.normal(size=2 * groups * size)
    return 1 / (1 + np.exp(-(middle + 2 * labels - 1))), labels, np.repeat(np.arange(2 * groups), size)


@given(st.integers(0, 10_000), st.integers(2, 80), st.integers(1, 3))
@settings(max_examples=40)
def test_points_measure_what_they_aim_at_and_lie_in_order(seed, groups, size):
    p, labels, names = scored(np.random.default_rng(seed), groups, size)
    screening, balanced, specific = found = fit_points(p, labels, names, "drawn")
    assert tuple(point.name for point in found) == NAMES
    assert screening.sensitivity.value >= 0.97
    assert specific.specificity.value >= 0.97
    for point in found:
        assert 0 <= point.threshold <= 1
        assert point.sensitivity.value == pytest.approx(np.mean(p[labels == 1] >= point.threshold))
        assert point.specificity.value == pytest.approx(np.mean(p[labels == 0] < point.threshold))
        assert point.sensitivity.low <= point.sensitivity.value <= point.sensitivity.high
        assert point.fitted_on == "drawn"
    sums = [
        np.mean(p[labels == 1] >= t) + np.mean(p[labels == 0] < t)
        for t in [*p, screening.threshold, specific.threshold]
    ]
    assert balanced.sensitivity.value + balanced.specificity.value == pytest.approx(max(sums))
    assert screening.guaranteed == specific.guaranteed == (groups >= 99)


def test_more_confidence_and_more_sensitivity_lower_the_threshold(rng):
    p, labels, names = scored(rng, 400)
    by_level = [fit_points(p, labels, names, "", level=one)[0].threshold for one in (0.5, 0.8, 0.95, 0.999)]
    by_aim = [
        fit_points(p, labels, names, "", sensitivity=one)[0].threshold for one in (0.8, 0.9, 0.97, 0.99)
    ]
    assert by_level == sorted(by_level, reverse=True)
    assert by_aim == sorted(by_aim, reverse=True)
    assert len(set(by_aim)) == 4


@pytest.mark.parametrize("size", [1, 6])
def test_the_sensitivity_holds_for_new_patients_as_often_as_promised(size):
    """400 fits: the true sensitivity falls short of 0.9 in no more than 1 in 10 of them, and some."""
    rng = np.random.default_rng(5)
    short = 0
    truth = np.sort(scored(rng, 40_000)[0][1::2])
    for _ in range(400):
        p, labels, names = scored(rng, 80, size)
        point = fit_points(p, labels, names, "", sensitivity=0.9, level=0.9)[0]
        assert point.guaranteed
        short += np.mean(truth >= point.threshold) < 0.9
    assert short <= 400 * 0.1 + 2 * np.sqrt(400 * 0.1 * 0.9)
    if size == 1:
        assert short > 0


def test_slices_of_a_patient_are_no_new_evidence(rng):
    p, labels, names = scored(rng, 20)
    many = (np.repeat(p, 30), np.repeat(labels, 30), np.repeat(names, 30))
    screening = fit_points(*many, "")[0]
    assert not screening.guaranteed
    assert "cannot be shown with 20 groups (99 groups without an error are needed)" in screening.statement
    assert screening.threshold == fit_points(p, labels, names, "")[0].threshold
    assert screening.sensitivity.low == pytest.approx(fit_points(p, labels, names, "")[0].sensitivity.low)


def test_each_source_is_held_to_what_its_data_allow(rng):
    """A hard source lowers the threshold; one too small to measure 0.97 does not."""
    p, labels, names = scored(rng, 600)
    hard = p.copy()
    sources = np.repeat(["easy", "hard"], 600)
    hard[600:] = p[600:] / 3
    alone = fit_points(hard, labels, names, "")[0]
    each = fit_points(hard, labels, names, "", sources=sources)[0]
    assert each.threshold < alone.threshold
    assert "for all pictures, source easy, source hard" in each.statement
    tumors = (labels == 1) & (sources == "hard")
    assert np.mean(hard[tumors] >= each.threshold) >= 0.97
    few = np.where(np.arange(1200) < 1180, "easy", "small")
    assert "Not asked of source small" in fit_points(hard, labels, names, "", sources=few)[0].statement
    some = np.where(np.arange(1200) < 1100, "easy", "middling")
    assert (
        "only measured for source middling" in fit_points(hard, labels, names, "", sources=some)[0].statement
    )


def test_a_source_of_one_class_is_no_obstacle(rng):
    p, labels, names = scored(rng, 150)
    sources = np.where(labels == 1, "tumors", "empty")
    assert all(point.guaranteed for point in fit_points(p, labels, names, "", sources=sources)[::2])


def test_binomial_and_general_p_values_agree_without_errors():
    """0.97 ** 99 is just under 0.05."""
    assert needed_groups(0.03, 0.95) == 99
    for single in (True, False):
        assert risk_p_values(np.zeros(1), 99, 0.03, single=single)[0] == pytest.approx(0.97**99)
    risks = np.linspace(0, 0.2, 30)
    exact, general = (risk_p_values(risks, 120, 0.03, single=single) for single in (True, False))
    assert (np.diff(exact) >= 0).all()
    assert (general >= exact - 1e-12).all()
    assert (general <= 1).all()


@given(st.integers(1, 50), st.data())
def test_one_picture_a_group_gives_the_exact_interval(count, data):
    hits = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    ours, exact = effective_binomial(hits, np.arange(count)), exact_binomial(int(hits.sum()), count)
    assert (ours.low, ours.high) == pytest.approx((exact.low, exact.high))
    assert ours.method == exact.method


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"labels": [1, 1, 1]}, DataError, "one class only"),
        ({"labels": [1, 0]}, DataError, "labels have the shape"),
        ({"groups": ["a"]}, DataError, "groups have the shape"),
        ({"probabilities": []}, DataError, "probabilities have the shape"),
        ({"probabilities": [0.1, 0.2, 1.2]}, DataError, "they must lie in 0..1"),
        ({"probabilities": [0.1, 0.2, np.inf]}, DataError, "not finite"),
        ({"sources": ["a"]}, DataError, "sources have the shape"),
        ({"sensitivity": 1.0}, SettingsError, "sensitivity is 1.0"),
        ({"specificity": 0}, SettingsError, "specificity is 0"),
        ({"level": 95}, SettingsError, "level is 95"),
    ],
)
def test_refusals(change, kind, message):
    good = {"probabilities": [0.1, 0.6, 0.9], "labels": [0, 1, 1], "groups": ["a", "b", "c"]}
    with pytest.raises(kind, match=message) as caught:
        fit_points(**{**good, **change}, fitted_on="x")
    assert "\n" not in str(caught.value)
