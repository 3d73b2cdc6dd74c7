"""Where nothing is said: class-conditional conformal prediction over whole groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscan.detect.samples import Floats, Samples, shares
from tumorscan.errors import DataError, SettingsError
from tumorscan.types import UncertainBand


def fit_band(
    probabilities: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    error: float = 0.02,
    fitted_on: str = "",
) -> UncertainBand:
    """The band outside of which each class gets the other's verdict no more often than `error`.

    A label is possible for a picture where its p-value among the calibration pictures of that label exceeds
    the error (Mondrian conformal prediction: Vovk, Gammerman and Shafer 2005, 4.5). Of a picture from a new
    group like those of the fit, the true label is then impossible with at most that probability, whatever
    the model and the distribution. Pictures of a group share one weight (hierarchical conformal
    prediction: Lee, Barber and Willett 2023, arXiv:2306.06342), so groups count, not pictures.

    With under 1 / error - 1 groups of a class that error cannot be promised; the smallest that can be,
    1 / (groups + 1), is used for the class, and the statement says so.

    Args:
        probabilities: N, calibrated, 0..1.
        labels: N, 1 = tumor.
        groups: N names of what belongs together (copies, a patient).
        error: wanted at most, between 0 and 0.5.
        fitted_on: the data, in words.

    Raises:
        DataError: see `Samples.of_probabilities`; or a class has a single group.
        SettingsError: the error is out of range.
    """
    if not 0 < error < 0.5:
        raise SettingsError(f"error is {error}: it must lie between 0 and 0.5, for example 0.02")
    data = Samples.of_probabilities(probabilities, labels, groups)
    tumors = data.labels == 1
    tumor_from, tumor_error = lowest_possible(data.scores[tumors], data.groups[tumors], error)
    none_to, none_error = lowest_possible(-data.scores[~tumors], data.groups[~tumors], error)
    return UncertainBand(
        tumor_from=tumor_from,
        none_to=-none_to,
        error=error,
        tumor_error=tumor_error,
        none_error=none_error,
        fitted_on=fitted_on,
        statement=_statement(error, tumor_error, none_error),
    )


def lowest_possible(scores: Floats, groups: NDArray[np.int64], error: float) -> tuple[float, float]:
    """The lowest score at which the class stays possible, and the error that this promises.

    Args:
        scores: float64, N, of one class; higher means more typical of it.
        groups: int64, N.
        error: wanted at most.
    """
    weights, count = shares(groups)
    if count < 2:
        raise DataError("a class has one group in the calibration split: a band needs two and more")
    promised = max(error, 1 / (count + 1))
    order = np.argsort(scores, kind="stable")
    # The new group stands among the others with a weight of its own, as odd as can be.
    reached = (1 + np.cumsum(weights[order])) / (count + 1)
    return float(scores[order][int(np.argmax(reached > promised + 1e-12))]), promised


def _statement(wanted: float, tumor: float, none: float) -> str:
    said = (
        f"Of pictures like those of the fit at most {tumor:.1%} of the tumors are called no tumor, and at "
        f"most {none:.1%} of the others tumor; between, nothing is said"
    )
    short = max(tumor, none) > wanted + 1e-12
    return f"{said}. {wanted:.1%} was wanted: too few groups to promise it." if short else f"{said}."
