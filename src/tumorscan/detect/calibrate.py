"""From a logit to a probability that means what it says: temperature scaling (Guo et al. 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscan.errors import DataError

# The search is over log temperature; beyond these a probability is a constant or a step.
_LOWEST, _HIGHEST = np.log(0.05), np.log(20.0)


def probability(logits: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Calibrated probability of a tumor, 0..1, from uncalibrated logits."""
    z = np.asarray(logits, np.float64) / temperature
    return np.exp(-np.logaddexp(0.0, -z))


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature with the lowest log loss on the calibration split.

    The loss is convex in 1/T (logistic regression with one weight), so a golden-section search
    over log T finds the minimum.

    Args:
        logits: N.
        labels: N, 1 = tumor.

    Raises:
        DataError: the split holds one class only.
    """
    z = np.asarray(logits, np.float64)
    y = np.asarray(labels, np.float64)
    if len(np.unique(y)) < 2:
        raise DataError("the calibration split holds one class only: add pictures of the other")
    low, high = float(_LOWEST), float(_HIGHEST)
    ratio = (np.sqrt(5.0) - 1) / 2
    while high - low > 1e-6:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if _log_loss(z, y, np.exp(a)) < _log_loss(z, y, np.exp(b)):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def _log_loss(z: NDArray[np.float64], y: NDArray[np.float64], temperature: float) -> float:
    scaled = z / temperature
    return float(np.mean(np.logaddexp(0.0, scaled) - y * scaled))
