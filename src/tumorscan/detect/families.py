"""Ways from a logit to a probability, simplest first, each fitted to weighted pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.detect.samples import Floats
from tumorscan.errors import require
from tumorscan.types import Calibration

Fit = Callable[[Floats, NDArray[np.int64], Floats], Calibration]
"""Logits, labels and weights (mean 1), N each, to a calibration."""

# Beyond these slopes a probability is a constant or a step.
_FLATTEST, _STEEPEST = 0.05, 20.0


def _temperature(logits: Floats, labels: NDArray[np.int64], weights: Floats) -> Calibration:
    (slope,) = _logistic(logits[:, None], labels, weights, [(_FLATTEST, _STEEPEST)])
    return Calibration("temperature", {"slope": (slope,)})


def _platt(logits: Floats, labels: NDArray[np.int64], weights: Floats) -> Calibration:
    features = np.stack([logits, np.ones_like(logits)], axis=1)
    slope, offset = _logistic(features, labels, weights, [(_FLATTEST, _STEEPEST), (None, None)])
    return Calibration("platt", {"slope": (slope,), "offset": (offset,)})


def _beta(logits: Floats, labels: NDArray[np.int64], weights: Floats) -> Calibration:
    features = np.stack(
        [-np.logaddexp(0.0, -logits), np.logaddexp(0.0, logits), np.ones_like(logits)], axis=1
    )
    # Neither weight is negative, so that more logit never means less probability.
    bounds = [(0.0, _STEEPEST), (0.0, _STEEPEST), (None, None)]
    tumor, none, offset = _logistic(features, labels, weights, bounds)
    return Calibration("beta", {"tumor": (tumor,), "none": (none,), "offset": (offset,)})


def _isotonic(logits: Floats, labels: NDArray[np.int64], weights: Floats) -> Calibration:
    regression = require("sklearn.isotonic", "train").IsotonicRegression(out_of_bounds="clip")
    regression.fit(logits, labels, sample_weight=weights)
    # Steps at the ends are no certainty: as many pictures could not tell 0 from one half in so many.
    end = 1 / (len(labels) + 2)
    knots = np.clip(regression.y_thresholds_, end, 1 - end)
    return Calibration(
        "isotonic",
        {"logits": tuple(map(float, regression.X_thresholds_)), "probabilities": tuple(map(float, knots))},
    )


FAMILIES: Final[dict[str, Fit]] = {
    "temperature": _temperature,
    "platt": _platt,
    "beta": _beta,
    "isotonic": _isotonic,
}
"""By method; the simplest first."""


def _logistic(
    features: Floats,
    labels: NDArray[np.int64],
    weights: Floats,
    bounds: list[tuple[float | None, float | None]],
) -> tuple[float, ...]:
    """Coefficients with the lowest weighted log loss within their bounds.

    The labels are drawn in by one picture of each class (Platt 1999), so that classes that lie apart do
    not drive the coefficients to their bounds.
    """
    optimize = require("scipy.optimize", "train")
    tumors, others = float(weights @ labels), float(weights @ (1 - labels))
    targets = np.where(labels == 1, (tumors + 1) / (tumors + 2), 1 / (others + 2))

    def loss(coefficients: Floats) -> tuple[float, Floats]:
        scaled = features @ coefficients
        value = float(weights @ (np.logaddexp(0.0, scaled) - targets * scaled))
        gradient: Floats = features.T @ (weights * (np.exp(-np.logaddexp(0.0, -scaled)) - targets))
        return value, gradient

    start = np.ones(len(bounds))
    start[1:] = 0.0
    found = optimize.minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", tol=1e-12)
    return tuple(map(float, found.x))
