from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscan.detect.calibrate import fit_temperature, probability
from tumorscan.errors import DataError


@pytest.mark.parametrize("truth", [0.3, 1.0, 2.5, 6.0])
def test_finds_the_temperature_that_made_the_labels(truth, rng):
    logits = rng.normal(0, 4, 20_000)
    labels = rng.random(20_000) < probability(logits, truth)
    assert fit_temperature(logits, labels) == pytest.approx(truth, rel=0.08)


def test_separable_logits_stay_finite():
    temperature = fit_temperature([-3.0, -2.0, 2.0, 3.0], [0, 0, 1, 1])
    assert 0.04 < temperature < 0.06
    assert np.isfinite(probability([1e6, -1e6], temperature)).all()


def test_misleading_logits_become_a_coin():
    assert np.allclose(probability([-3, 3], fit_temperature([-3.0, 3.0], [1, 0])), 0.5, atol=0.05)


@pytest.mark.parametrize("labels", [[1, 1], [0, 0]])
def test_one_class_is_refused(labels):
    with pytest.raises(DataError, match="one class only"):
        fit_temperature([0.1, 0.2], labels)


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=20, unique=True), st.floats(0.05, 20))
def test_probability_is_monotone_and_in_range(logits, temperature):
    p = probability(np.sort(logits), temperature)
    assert ((p >= 0) & (p <= 1)).all()
    assert (np.diff(p) >= 0).all()
    np.testing.assert_allclose(p + probability(-np.sort(logits), temperature), 1, atol=1e-12)
