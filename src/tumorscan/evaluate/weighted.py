"""Statistics of weighted pictures: one definition gives the estimate and all its bootstrap resamples.

A resample of groups is a row of whole-number weights, one a picture: how often its group was drawn.
So a statistic is a function of weights, float64 B x N, to B values (or B x K), nan where undefined;
a row of ones gives the estimate. Nothing loops over resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscan.errors import DataError

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]


def check_labels(labels: ArrayLike) -> NDArray[np.int64]:
    """Labels as int64, N; 1 is a tumor.

    Raises:
        DataError: there are none, they are no list, or one is neither 0 nor 1.
    """
    column: NDArray[Any] = np.asarray(labels)
    if column.ndim != 1 or column.size == 0:
        raise DataError(f"labels have the shape {column.shape}: give one 0 or 1 for each picture")
    wrong = column[(column != 0) & (column != 1)]
    if wrong.size:
        raise DataError(f"labels hold {wrong[0]!s}: each must be 0 (no tumor) or 1 (tumor)")
    return column.astype(np.int64)


def check_scores(name: str, scores: ArrayLike, count: int, *, probability: bool = False) -> Floats:
    """Scores as float64, N.

    Args:
        name: what the message calls them.
        scores: one a picture; higher means "tumor".
        count: N.
        probability: they must lie in 0..1.

    Raises:
        DataError: another length, not finite, or outside of 0..1.
    """
    column = np.asarray(scores, dtype=np.float64)
    if column.shape != (count,):
        raise DataError(f"{name} have the shape {column.shape} for {count} labels: give one for each picture")
    if not np.isfinite(column).all():
        raise DataError(
            f"{name} are not finite at picture {int(np.argmin(np.isfinite(column)))}: mend the model"
        )
    if probability and (column.min() < 0 or column.max() > 1):
        raise DataError(f"{name} reach from {column.min():g} to {column.max():g}: they must lie in 0..1")
    return column


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Statistic:
    """Weighted sum of one column over that of another: proportions, F1, means.

    Args:
        numerator: N.
        denominator: N; the statistic is undefined where it sums to 0.
    """
    upper, lower = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    return lambda weights: _divide(weights @ upper, weights @ lower)


def auc(labels: NDArray[np.int64], scores: Floats) -> Statistic:
    """Area under the ROC curve: a tumor scores above a non-tumor, ties count half (Mann-Whitney)."""
    blocks = Blocks.of(scores)

    def statistic(weights: Floats) -> Floats:
        positive, negative = blocks.sums(weights * labels), blocks.sums(weights * (1 - labels))
        below = np.cumsum(negative, axis=1) - negative / 2
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        return _divide((positive * below).sum(axis=1), pairs)

    return statistic


def average_precision(labels: NDArray[np.int64], scores: Floats) -> Statistic:
    """Mean of the precision over the steps in recall, without interpolation."""
    blocks = Blocks.of(-scores)

    def statistic(weights: Floats) -> Floats:
        positive, every = blocks.sums(weights * labels), blocks.sums(weights)
        hits, said = np.cumsum(positive, axis=1), np.cumsum(every, axis=1)
        # Before the first drawn picture nothing was said and nothing can be hit: 0, not 0/0.
        precision = np.divide(hits, said, out=np.zeros_like(hits), where=said > 0)
        return _divide((positive * precision).sum(axis=1), positive.sum(axis=1))

    return statistic


def calibration_error(labels: NDArray[np.int64], probabilities: Floats, bins: int) -> Statistic:
    """Expected calibration error over bins of equal mass (Naeini 2015; equal mass: Nguyen 2015).

    The mean over bins, weighted by pictures, of |mean probability - share of tumors|. Equal
    probabilities share a bin, so the order of pictures plays no part. It is biased upwards in small
    samples, and a bootstrap adds to that bias.
    """
    blocks = Blocks.of(probabilities)

    def statistic(weights: Floats) -> Floats:
        gaps, mass = blocks.sums(weights * (probabilities - labels)), blocks.sums(weights)
        rows = np.arange(len(weights))[:, None] * bins
        sums = np.bincount(
            (rows + equal_mass_bins(mass, bins)).ravel(), weights=gaps.ravel(), minlength=len(weights) * bins
        )
        return _divide(np.abs(sums.reshape(-1, bins)).sum(axis=1), mass.sum(axis=1))

    return statistic


def sensitivity_at(labels: NDArray[np.int64], scores: Floats, false_alarms: Floats) -> Statistic:
    """The ROC curve's sensitivity at given false alarm rates: B x N weights to B x K."""
    blocks = Blocks.of(-scores)

    def statistic(weights: Floats) -> Floats:
        rates = []
        for column in (labels, 1 - labels):
            sums = blocks.sums(weights * column)
            share = _divide(np.cumsum(sums, axis=1), sums.sum(axis=1, keepdims=True))
            rates.append(np.pad(share, ((0, 0), (1, 0))))
        rows = [np.interp(false_alarms, fall, hit) for hit, fall in zip(*rates, strict=True)]
        # A resample without one of the classes has no curve; its shares are nan and taint the sum.
        return np.array(rows) + 0 * (rates[0][:, -1:] + rates[1][:, -1:])

    return statistic


def equal_mass_bins(mass: Floats, bins: int) -> NDArray[np.int64]:
    """Which bin each block belongs to: by the middle of its share of the total mass; B x K."""
    total = mass.sum(axis=1, keepdims=True)
    middle = np.divide(np.cumsum(mass, axis=1) - mass / 2, total, out=np.zeros_like(mass), where=total > 0)
    found: NDArray[np.int64] = np.minimum((middle * bins).astype(np.int64), bins - 1)
    return found


@dataclass(frozen=True, eq=False)
class Blocks:
    """Pictures in the order of their scores, cut where the score changes.

    Attributes:
        order: int64, N; pictures by rising score.
        starts: int64, K; where each run of equal scores begins.
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, scores: Floats) -> Blocks:
        """Cut the scores, float64, N."""
        order = np.argsort(scores, kind="stable")
        changes = np.flatnonzero(np.diff(scores[order])) + 1
        return cls(order, np.concatenate(([0], changes)))

    def sums(self, columns: Floats) -> Floats:
        """Sum each row within the blocks: B x N to B x K."""
        return np.add.reduceat(columns[:, self.order], self.starts, axis=1)


def _divide(upper: Floats, lower: Floats) -> Floats:
    shape = np.broadcast_shapes(upper.shape, lower.shape)
    share: Floats = np.divide(upper, lower, out=np.full(shape, np.nan), where=lower > 0)
    return share
