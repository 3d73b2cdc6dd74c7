"""Intervals against published examples, against their definitions, and against chance."""

from __future__ import annotations

import time
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.errors import DataError, SettingsError
from tumorscan.evaluate import weighted
from tumorscan.evaluate.intervals import (
    bootstrap_values,
    delong,
    delong_paired,
    exact_binomial,
    group_bootstrap,
    newcombe_auc,
    wilson,
)

# Ovarian cancer, 43 patients (DeLong 1988; the data of SAS/STAT, PROC LOGISTIC, "Comparing Receiver
# Operating Characteristic Curves"): albumin, total protein, K-G score, 1 if surgery helped.
OVARIAN = np.fromstring(
    """
    3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
    3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
    2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
    3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
    3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
    3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
    """,
    sep=" ",
).reshape(-1, 4)
TRUTH = (OVARIAN[:, 3] == 0).astype(int)
TESTS = {"albumin": -OVARIAN[:, 0], "protein": -OVARIAN[:, 1], "kg": OVARIAN[:, 2]}


# Newcombe 1998, Statistics in Medicine 17:857, table I: methods 5 (exact) and 3 (Wilson).
@pytest.mark.parametrize(
    ("method", "successes", "total", "low", "high"),
    [
        (wilson, 81, 263, 0.2553, 0.3662),
        (exact_binomial, 81, 263, 0.2527, 0.3676),
        (wilson, 15, 148, 0.0624, 0.1605),
        (exact_binomial, 15, 148, 0.0578, 0.1617),
        (wilson, 0, 20, 0.0, 0.1611),
        (exact_binomial, 0, 20, 0.0, 0.1684),
        (wilson, 1, 29, 0.0061, 0.1718),
        (exact_binomial, 1, 29, 0.0009, 0.1776),
        # The original project's test set: 30 of 31 tumors found.
        (exact_binomial, 30, 31, 0.8330, 0.9992),
    ],
)
def test_binomial_intervals_are_the_published_ones(method, successes, total, low, high):
    found = method(successes, total)
    assert found.value == pytest.approx(successes / total)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.method == {"wilson": "Wilson", "exact_binomial": "exact binomial"}[method.__name__]


@pytest.mark.parametrize("method", [exact_binomial, wilson])
def test_a_proportion_of_nothing_is_undefined(method):
    found = method(0, 0)
    assert np.isnan([found.value, found.low, found.high]).all()
    assert "undefined" in found.method


@pytest.mark.parametrize("proportion", [0.03, 0.5, 0.97])
def test_the_exact_interval_covers_at_least_at_its_level(proportion):
    # All 41 outcomes with their probabilities: the coverage itself, not a simulation of it.
    from scipy.stats import binom

    chance = dict.fromkeys((exact_binomial, wilson), 0.0)
    for successes in range(41):
        for method in chance:
            found = method(successes, 40)
            inside = found.low <= proportion <= found.high
            chance[method] += inside * binom.pmf(successes, 40, proportion)
    assert chance[exact_binomial] >= 0.95
    assert chance[wilson] >= 0.92


# SAS/STAT, PROC LOGISTIC, example "Comparing Receiver Operating Characteristic Curves".
@pytest.mark.parametrize(
    ("test", "area", "error"),
    [("albumin", 0.7366, 0.0927), ("kg", 0.7258, 0.1028), ("protein", 0.6478, 0.1000)],
)
def test_delong_gives_the_published_areas(test, area, error):
    found = delong(TRUTH, TESTS[test], scale="plain")
    assert found.value == pytest.approx(area, abs=5e-5)
    assert found.low == pytest.approx(area - 1.96 * error, abs=2e-4)
    assert found.high == pytest.approx(area + 1.96 * error, abs=2e-4)
    assert found.method == "DeLong, plain"


@pytest.mark.parametrize(
    ("test", "difference", "chi_square", "p_value"),
    [("albumin", 0.0108, 0.0127, 0.9102), ("protein", -0.0780, 0.5554, 0.4561)],
)
def test_delong_gives_the_published_comparisons(test, difference, chi_square, p_value):
    found = delong_paired(TRUTH, TESTS[test], TESTS["kg"])
    assert found.difference.value == pytest.approx(difference, abs=5e-5)
    assert found.z**2 == pytest.approx(chi_square, abs=5e-5)
    assert found.p_value == pytest.approx(p_value, abs=5e-5)
    assert found.difference.value == pytest.approx(found.first - found.second)


@st.composite
def scored(draw, smallest: int = 4):
    size = draw(st.integers(smallest, 40))
    labels = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    # Few distinct scores, so that there are ties.
    scores = draw(st.lists(st.integers(0, 9), min_size=size, max_size=size))
    return np.array(labels), np.array(scores) / 9


@settings(max_examples=60, deadline=None)
@given(scored())
def test_delong_is_its_definition_by_pairs(case):
    labels, scores = case
    tumors, others = scores[labels == 1], scores[labels == 0]
    found = delong(labels, scores, scale="plain")
    if not tumors.size or not others.size:
        assert np.isnan(found.value)
        return
    wins = (tumors[:, None] > others) + 0.5 * (tumors[:, None] == others)
    assert found.value == pytest.approx(wins.mean())
    if min(wins.shape) > 1 and 0 < wins.mean() < 1:
        error = np.sqrt(
            wins.mean(axis=1).var(ddof=1) / tumors.size + wins.mean(axis=0).var(ddof=1) / others.size
        )
        assert found.low == pytest.approx(max(0, wins.mean() - 1.959964 * error), abs=1e-6)
        logit = delong(labels, scores)
        assert 0 <= logit.low <= logit.value <= logit.high <= 1


def test_a_model_equals_itself():
    found = delong_paired(TRUTH, TESTS["kg"], np.exp(TESTS["kg"]))
    assert (found.z, found.p_value) == (0, 1)
    assert (found.difference.low, found.difference.high) == (0, 0)


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 1, 1]])
def test_two_areas_need_two_pictures_a_class(labels):
    found = delong_paired(labels, [0.1, 0.4, 0.3], [0.3, 0.2, 0.4])
    assert np.isnan([found.difference.low, found.z, found.p_value]).all()
    assert "needs two pictures a class" in found.difference.method
    assert np.isnan(found.first) == (0 not in labels)


def test_two_perfect_opposites_have_no_error_to_test_with():
    found = delong_paired([0, 0, 1, 1], [1, 2, 3, 4], [4, 3, 2, 1])
    assert found.difference.value == 1
    assert np.isnan([found.z, found.p_value, found.difference.low]).all()


@pytest.mark.parametrize(("scores", "value"), [([1, 2, 3, 4, 5, 6], 1.0), ([6, 5, 4, 3, 2, 1], 0.0)])
def test_a_perfect_area_still_has_an_interval(scores, value):
    found = delong([0, 0, 0, 1, 1, 1], scores)
    assert found.value == value
    assert "Newcombe" in found.method
    assert 0.3 < found.high - found.low < 0.7
    assert value in (found.low, found.high)


@pytest.mark.parametrize("shift", [0.7, 1.8])
def test_area_intervals_cover_at_their_level(shift):
    from scipy.stats import norm

    truth, rng = norm.cdf(shift / np.sqrt(2)), np.random.default_rng(3)
    labels = np.repeat([0, 1], [25, 35])
    inside = np.zeros(2)
    for _ in range(1500):
        scores = rng.normal(size=60) + shift * labels
        found = delong(labels, scores)
        score = newcombe_auc(found.value, 35, 25)
        inside += [found.low <= truth <= found.high, score.low <= truth <= score.high]
    assert (np.abs(inside / 1500 - 0.95) < 0.02).all(), inside / 1500


def test_only_the_bootstrap_over_groups_covers_when_groups_hold_several_pictures():
    rng, inside, narrow = np.random.default_rng(5), 0, 0
    for seed in range(600):
        # 60 patients of 1 to 8 equal pictures; 0.7 of the patients are right.
        sizes, right = rng.integers(1, 9, 60), rng.random(60) < 0.7
        column, groups = np.repeat(right, sizes), np.repeat(np.arange(60), sizes)
        share = weighted.ratio(column, np.ones(column.size))
        found = group_bootstrap({"share": share}, groups, resamples=400, seed=seed)["share"]
        inside += found.low <= 0.7 <= found.high
        exact = exact_binomial(int(column.sum()), column.size)
        narrow += exact.low <= 0.7 <= exact.high
    assert 0.92 <= inside / 600 <= 0.975
    assert narrow / 600 < 0.75


def test_a_drawn_group_brings_all_its_pictures():
    seen = []

    def spy(weights):
        seen.append(weights)
        return weights[:, 0]

    bootstrap_values({"spy": spy}, ["b", "a", "b", "c"], resamples=100)
    drawn = np.concatenate(seen)
    assert (drawn[:, 0] == drawn[:, 2]).all()
    # Three groups are drawn each time; the two pictures of b count once as a group.
    assert (drawn[:, 0] + drawn[:, 1] + drawn[:, 3] == 3).all()
    assert set(np.unique(drawn)) == {0, 1, 2, 3}


def test_the_bootstrap_repeats_and_ignores_the_order(rng):
    labels, scores = rng.integers(0, 2, 80), rng.random(80)
    groups, shuffled = rng.integers(0, 30, 80), rng.permutation(80)
    bounds = [
        group_bootstrap({"auc": weighted.auc(labels[order], scores[order])}, groups[order], seed=4)["auc"]
        for order in (np.arange(80), np.arange(80), shuffled)
    ]
    for one, two in pairwise(bounds):
        assert (one.low, one.high) == pytest.approx((two.low, two.high), abs=1e-12)
    other = group_bootstrap({"auc": weighted.auc(labels, scores)}, groups, seed=5)["auc"]
    assert other.low != bounds[0].low


def test_resamples_without_a_class_are_dropped_and_counted():
    labels, scores = np.array([1, 0, 0, 0, 1]), np.array([0.9, 0.1, 0.95, 0.3, 0.2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = group_bootstrap({"auc": weighted.auc(labels, scores)}, np.arange(5))["auc"]
    # (3/5)^5 + (2/5)^5 = 0.088 of the draws hold one class.
    dropped = int(found.method.partition("(")[2].split()[0])
    assert 140 < dropped < 215
    assert found.low < found.value < found.high


SEPARATED = np.array([0.1, 0.8, 0.2, 0.9])


@pytest.mark.parametrize(
    ("labels", "groups", "reason"),
    [
        ([0, 1, 0, 1], ["a", "a", "a", "a"], "one of the patients is too few"),
        ([0, 1, 0, 1], ["a", "b", "c", "d"], "all resamples agree"),
        ([1, 1, 1, 1], ["a", "b", "c", "d"], "undefined here"),
    ],
)
def test_the_bootstrap_says_when_it_cannot_say(labels, groups, reason):
    area = weighted.auc(np.array(labels), SEPARATED)
    found = group_bootstrap({"auc": area}, groups, unit="patients")["auc"]
    assert np.isnan([found.low, found.high]).all()
    assert reason in found.method


def test_an_interval_of_few_defined_resamples_is_withheld():
    def defined_once_in_three(weights):
        return np.where(weights[:, 0] >= 1, weights[:, 0] * np.where(weights[:, 1] >= 1, 1, np.nan), np.nan)

    found = group_bootstrap({"rare": defined_once_in_three}, np.arange(3))["rare"]
    assert np.isnan(found.low)
    assert "too few resamples are defined" in found.method


def test_two_thousand_resamples_of_a_thousand_pictures_take_no_seconds(rng):
    labels, scores = rng.integers(0, 2, 1000), rng.random(1000)
    start = time.perf_counter()
    group_bootstrap({"auc": weighted.auc(labels, scores)}, rng.integers(0, 400, 1000), resamples=2000)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (lambda: exact_binomial(5, 4), DataError, r"5 of 4 is no proportion: successes must lie in 0..4"),
        (lambda: wilson(-1, 4), DataError, r"-1 of 4"),
        (lambda: exact_binomial(1, 4, level=95), SettingsError, r"level is 95: it must lie between 0 and 1"),
        (lambda: delong([0, 2], [0, 1]), DataError, r"labels hold 2: each must be 0 \(no tumor\) or 1"),
        (lambda: delong([], []), DataError, r"labels have the shape \(0,\)"),
        (lambda: delong([0, 1], [0.5]), DataError, r"scores have the shape \(1,\) for 2 labels"),
        (lambda: delong([0, 1], [0.5, np.nan]), DataError, r"scores are not finite at picture 1"),
        (
            lambda: delong([0, 1], [0, 1], scale="log"),
            SettingsError,
            r"scale is 'log': choose logit or plain",
        ),
        (lambda: delong([0, 1], [0, 1], level=0), SettingsError, r"level is 0"),
        (lambda: delong_paired([0, 1], [0, 1], [0]), DataError, r"second scores have the shape"),
        (lambda: newcombe_auc(1.2, 3, 3), DataError, r"AUC 1.2 of 3 and 3"),
        (lambda: newcombe_auc(0.9, 0, 3), DataError, r"one of each class"),
        (lambda: group_bootstrap({}, ["a"], resamples=99), SettingsError, r"resamples is 99"),
        (lambda: group_bootstrap({}, []), DataError, r"groups have the shape \(0,\)"),
    ],
)
def test_refusals(act, kind, message):
    with pytest.raises(kind, match=message):
        act()
