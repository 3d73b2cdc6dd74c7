"""From a probability to words: operating point, verdict, confidence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import DataError
from tumorscan.types import OperatingPoint, Verdict


def threshold_for(probabilities: NDArray[np.float64], labels: NDArray[np.int64], sensitivity: float) -> float:
    """The highest threshold that still finds the wanted share of the tumors.

    It is set half-way down to the next lower probability (or to 0), so that a picture on the
    border is not decided by rounding.

    Args:
        probabilities: N, calibrated, 0..1.
        labels: N, 1 = tumor.
        sensitivity: wanted share, 0..1.

    Raises:
        DataError: there is no tumor to fit on.
    """
    tumors = np.sort(probabilities[labels == 1])
    if not len(tumors):
        raise DataError("the calibration split holds no tumor: a threshold cannot be fitted")
    missed = int(np.floor((1 - sensitivity) * len(tumors) + 1e-9))
    at = tumors[missed]
    below = probabilities[probabilities < at]
    return float((at + (below.max() if len(below) else 0.0)) / 2)


def verdict(probability: float, point: OperatingPoint) -> Verdict:
    """What is said of a picture at an operating point."""
    return Verdict.TUMOR if probability >= point.threshold else Verdict.NO_TUMOR


def confidence(said: Verdict, probability: float) -> float:
    """Confidence in what was said, per cent: the calibrated probability that it is true.

    At a threshold chosen for high sensitivity, a tumor may be reported at a probability under one
    half; its confidence is then under 50 %, which is what it should say.
    """
    return 100.0 * (probability if said is Verdict.TUMOR else 1.0 - probability)
