"""Figures of repeated cross-validation: the mean over repeats, its interval by drawing whole groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tumorscan.evaluate import weighted
from tumorscan.evaluate.intervals import group_bootstrap
from tumorscan.evaluate.weighted import Floats, Statistic
from tumorscan.types import Interval

WANTED_SENSITIVITY = 0.97
_BINS = 15


def mean_over(statistics: Sequence[Statistic]) -> Statistic:
    """The mean of the repeats' statistics, on the same draw."""
    return lambda weights: np.mean([statistic(weights) for statistic in statistics], axis=0)


def difference(first: Statistic, second: Statistic) -> Statistic:
    """First minus second, on the same draw."""
    return lambda weights: first(weights) - second(weights)


def mean_auc(labels: NDArray[np.int64], probabilities: Floats) -> Statistic:
    """Mean AUC over the rows of R x N probabilities."""
    return mean_over([weighted.auc(labels, row) for row in probabilities])


def repeated_figures(
    labels: NDArray[np.int64],
    probabilities: Floats,
    reported: NDArray[np.int64],
    groups: Sequence[str],
) -> dict[str, Interval]:
    """All figures of a repeated cross-validation.

    Args:
        labels: N, 1 = tumor.
        probabilities: R x N, out of fold.
        reported: R x N, 1 where the fold's threshold says tumor.
        groups: N names; whole groups are drawn, with all their repeats.

    Returns:
        By name: accuracy, sensitivity, specificity, precision and f1 at the folds' own thresholds;
        roc_auc, average_precision, brier, ece (15 bins of equal mass), and the specificity at the
        threshold, known only afterwards, that gives a sensitivity of 0.97.
    """
    pairs = list(zip(probabilities, reported, strict=True))

    def over(make: Callable[[Floats, NDArray[np.int64]], Statistic]) -> Statistic:
        return mean_over([make(p, said) for p, said in pairs])

    ones = np.ones_like(labels)
    statistics = {
        "accuracy": over(lambda _, said: weighted.ratio(said == labels, ones)),
        "sensitivity": over(lambda _, said: weighted.ratio(said * labels, labels)),
        "specificity": over(lambda _, said: weighted.ratio((1 - said) * (1 - labels), 1 - labels)),
        "precision": over(lambda _, said: weighted.ratio(said * labels, said)),
        "f1": over(lambda _, said: weighted.ratio(2 * said * labels, said + labels)),
        "roc_auc": mean_auc(labels, probabilities),
        "average_precision": over(lambda p, _: weighted.average_precision(labels, p)),
        "brier": over(lambda p, _: weighted.ratio((p - labels) ** 2, ones)),
        "ece": over(lambda p, _: weighted.calibration_error(labels, p, _BINS)),
        "specificity_at_0.97": over(lambda p, _: _specificity_at(labels, p)),
    }
    return group_bootstrap(statistics, groups)


def _specificity_at(labels: NDArray[np.int64], probabilities: Floats) -> Statistic:
    """The ROC curve read from the other side: non-tumors cleared where 3 % of tumors are missed."""
    curve = weighted.sensitivity_at(1 - labels, -probabilities, np.array([1 - WANTED_SENSITIVITY]))
    return lambda weights: curve(weights)[:, 0]
