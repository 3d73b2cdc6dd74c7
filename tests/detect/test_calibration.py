from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.detect.calibrate import (
    CALIBRATIONS,
    Compared,
    calibration_error,
    choose,
    compare_calibrations,
    fit_calibration,
    fit_temperature,
    probability,
)
from tumorscan.errors import DataError, SettingsError
from tumorscan.evaluate import weighted

METHODS = CALIBRATIONS[1:]


def drawn(rng, count, slope=1.0, offset=0.0):
    logits = rng.normal(0, 3, count)
    return logits, (rng.random(count) < probability(slope * logits + offset, 1.0)).astype(int)


@pytest.mark.parametrize("method", METHODS)
@given(seed=st.integers(0, 10_000), count=st.integers(4, 60))
@settings(max_examples=15)
def test_more_logit_is_never_less_probability(method, seed, count):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, count)
    labels = rng.integers(0, 2, count)
    labels[:2] = 0, 1
    fitted = fit_calibration(logits, labels, np.arange(count), method=method)
    p = fitted.probability(np.linspace(-60, 60, 500))
    assert (np.diff(p) >= -1e-12).all()
    assert ((p >= 0) & (p <= 1)).all()


@pytest.mark.parametrize("method", METHODS)
def test_labels_that_logits_tell_apart_give_no_nonsense(method):
    logits = np.array([-9.0, -8, -7, 7, 8, 9])
    p = fit_calibration(logits, [0, 0, 0, 1, 1, 1], range(6), method=method).probability(logits)
    assert np.isfinite(p).all()
    assert p[0] < 0.3
    assert p[-1] > 0.7


def test_platt_finds_slope_and_offset(rng):
    logits, labels = drawn(rng, 20_000, slope=0.5, offset=-1.0)
    fitted = fit_calibration(logits, labels, np.arange(20_000), method="platt")
    assert fitted.parameters["slope"][0] == pytest.approx(0.5, abs=0.03)
    assert fitted.parameters["offset"][0] == pytest.approx(-1.0, abs=0.06)


def test_temperature_is_the_one_that_the_golden_section_finds(rng):
    logits, labels = drawn(rng, 3000, slope=0.4)
    fitted = fit_calibration(logits, labels, np.arange(3000), method="temperature")
    assert 1 / fitted.parameters["slope"][0] == pytest.approx(fit_temperature(logits, labels), rel=0.02)


def test_auto_takes_the_simplest_that_is_good_enough(rng):
    logits, labels = drawn(rng, 3000, slope=0.4)
    fitted = fit_calibration(logits, labels, np.arange(3000), fitted_on="drawn")
    assert (fitted.method, fitted.fitted_on) == ("temperature", "drawn")
    assert fitted.error <= 0.04
    logits, labels = drawn(rng, 3000, slope=0.4, offset=1.5)
    assert fit_calibration(logits, labels, np.arange(3000)).method == "platt"


def test_where_none_is_good_enough_the_simplest_that_is_not_clearly_worse():
    near, far = np.array([1.0, 1.2, 0.9]), np.array([3.0, 3.1, 3.2])
    found = {
        "a": Compared(0.2, far),
        "b": Compared(0.1, near),
        "c": Compared(0.05, near - np.array([0.3, -0.3, 0.01])),
    }
    assert choose(found) == "b"
    assert choose({**found, "d": Compared(0.04, far)}) == "d"


def test_each_source_has_the_same_say(rng):
    """A large source whose logits are shifted does not decide alone."""
    large, of_large = drawn(rng, 4000, offset=2.0)
    small, of_small = drawn(rng, 400, offset=-2.0)
    logits, labels = np.concatenate([large, small]), np.concatenate([of_large, of_small])
    sources = np.repeat(["large", "small"], [4000, 400])
    alone = fit_calibration(logits, labels, np.arange(4400), method="platt")
    balanced = fit_calibration(logits, labels, np.arange(4400), sources, method="platt")
    assert alone.parameters["offset"][0] > 1
    assert abs(balanced.parameters["offset"][0]) < 0.5


def test_no_group_is_on_both_sides_of_a_fold(rng):
    """Every picture ten times: with groups whole, a comparison looks as with each once."""
    logits, labels = drawn(rng, 120)
    once = compare_calibrations(logits, labels, np.arange(120))
    often = compare_calibrations(np.tile(logits, 10), np.tile(labels, 10), np.tile(np.arange(120), 10))
    for name in METHODS:
        assert often[name].losses.sum() / 10 == pytest.approx(once[name].losses.sum(), rel=0.1)


def test_error_is_that_of_the_evaluation(rng):
    p = rng.random(300)
    labels = (rng.random(300) < p).astype(np.int64)
    ours = calibration_error(p, labels, np.ones(300))
    assert ours == pytest.approx(weighted.calibration_error(labels, p, 15)(np.ones((1, 300)))[0])


@pytest.mark.parametrize(
    ("logits", "labels", "groups", "sources", "message"),
    [
        ([], [], [], None, "logits have the shape"),
        ([[1.0]], [1], [1], None, "logits have the shape"),
        ([1.0, 2.0], [1], [1, 2], None, "labels have the shape"),
        ([1.0, 2.0], [1, 0], [1], None, "groups have the shape"),
        ([1.0, 2.0], [1, 0], [1, 2], ["a"], "sources have the shape"),
        ([1.0, np.nan], [1, 0], [1, 2], None, "not finite at picture 1"),
        ([1.0, 2.0], [1, 2], [1, 2], None, "labels must be 0"),
        ([1.0, 2.0], [1, 1], [1, 2], None, "one class only"),
        ([1.0, 2.0], [0, 0], [1, 2], None, "one class only"),
        ([1.0, 2.0, 3.0], [1, 0, 1], [1, 2, 3], None, "2 groups of a class: comparing calibrations needs 5"),
    ],
)
def test_refusals(logits, labels, groups, sources, message):
    with pytest.raises(DataError, match=message) as caught:
        fit_calibration(logits, labels, groups, sources)
    assert "\n" not in str(caught.value)


def test_an_unknown_method_is_refused():
    with pytest.raises(SettingsError, match="no calibration 'spline': choose one of auto, temperature"):
        fit_calibration([0.0, 1.0], [0, 1], [1, 2], method="spline")
