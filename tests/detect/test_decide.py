from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tumorscan.detect.decide import confidence, percent, threshold_for, verdict
from tumorscan.errors import DataError
from tumorscan.types import Interval, OperatingPoint, Verdict

RATE = Interval(1.0, 0.9, 1.0, "exact binomial")


@given(st.data(), st.integers(1, 40), st.floats(0.5, 1.0))
def test_threshold_reaches_the_wanted_sensitivity_and_no_higher_one_does(data, count, wanted):
    probabilities = data.draw(arrays(np.float64, count, elements=st.floats(0, 1)))
    labels = data.draw(arrays(np.int64, count, elements=st.integers(0, 1)))
    if not labels.any():
        return
    tumors = probabilities[labels == 1]
    threshold = threshold_for(probabilities, labels, wanted)
    assert np.mean(tumors >= threshold) >= wanted - 1e-9
    higher = tumors[tumors > threshold]
    if len(higher) and higher.min() < tumors.max():
        assert np.mean(tumors > higher.min()) < wanted + 1e-9


def test_threshold_lies_between_neighbours():
    assert threshold_for(np.array([0.2, 0.6, 0.8]), np.array([0, 1, 1]), 1.0) == pytest.approx(0.4)
    assert threshold_for(np.array([0.6, 0.8]), np.array([1, 1]), 1.0) == pytest.approx(0.3)


def test_no_tumor_no_threshold():
    with pytest.raises(DataError, match="holds no tumor"):
        threshold_for(np.array([0.2]), np.array([0]), 0.97)


@pytest.mark.parametrize(
    ("probability", "said", "sure"),
    [(0.9, Verdict.TUMOR, 90.0), (0.3, Verdict.TUMOR, 30.0), (0.29, Verdict.NO_TUMOR, 71.0)],
)
def test_verdict_and_confidence(probability, said, sure):
    point = OperatingPoint("screening", 0.3, 0.97, RATE, RATE, "test")
    assert verdict(probability, point) is said
    assert confidence(said, probability) == pytest.approx(sure)


@pytest.mark.parametrize(
    ("probability", "words"),
    [(1.0, "over 99.9 %"), (0.9994, "99.9 %"), (0.5, "50.0 %"), (0.0006, "0.1 %"), (0.0, "under 0.1 %")],
)
def test_no_answer_is_certain(probability, words):
    assert percent(probability) == words
