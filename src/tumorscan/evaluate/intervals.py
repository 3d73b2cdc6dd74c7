"""Confidence intervals: binomial, DeLong, and the bootstrap over groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscan.errors import DataError, SettingsError, require
from tumorscan.evaluate.weighted import Floats, Statistic, check_labels, check_scores
from tumorscan.types import Interval

CELLS = 1_000_000
"""Weights held at once, resamples times pictures: 8 MB."""


@dataclass(frozen=True)
class Comparison:
    """Two AUCs on the same pictures.

    Attributes:
        first, second: the AUCs.
        difference: first minus second.
        z: difference over its standard error; nan if the error is 0 and the difference is not.
        p_value: two-sided.
    """

    first: float
    second: float
    difference: Interval
    z: float
    p_value: float


def exact_binomial(successes: int, total: int, level: float = 0.95) -> Interval:
    """Clopper-Pearson (1934): never covers less than its level, often more.

    Args:
        successes: 0..total.
        total: trials; with 0 the value and both bounds are nan.
        level: of confidence, between 0 and 1.

    Raises:
        DataError: successes lie outside of 0..total.
        SettingsError: the level lies outside of 0..1.
    """
    return _binomial(successes, total, level, "exact", "exact binomial")


def wilson(successes: int, total: int, level: float = 0.95) -> Interval:
    """Wilson's score interval (1927), without continuity correction; covers its level on average.

    Args and errors are those of `exact_binomial`.
    """
    return _binomial(successes, total, level, "wilson", "Wilson")


def delong(
    labels: ArrayLike,
    scores: ArrayLike,
    level: float = 0.95,
    scale: Literal["logit", "plain"] = "logit",
) -> Interval:
    """AUC with DeLong's variance (1988), by midranks (Sun and Xu 2014); pictures are independent.

    Args:
        labels: N, 0 or 1.
        scores: N, finite; higher means "tumor".
        level: of confidence.
        scale: where the interval is symmetric. `logit` (Pepe 2003) stays within 0..1 and covers
            better near 1; `plain` is the textbook's, cut at 0 and 1. At an AUC of exactly 0 or 1
            DeLong's variance is 0 and says nothing: `newcombe_auc` takes over, and the method says so.

    Raises:
        DataError: labels or scores are unusable.
        SettingsError: the level or the scale is.
    """
    _check_level(level)
    if scale not in ("logit", "plain"):
        raise SettingsError(f"scale is {scale!r}: choose logit or plain")
    truth = check_labels(labels)
    tumors, others = _placements(truth, check_scores("scores", scores, truth.size))
    if not tumors.size or not others.size:
        return Interval(np.nan, np.nan, np.nan, "DeLong: needs both classes", level)
    value = float(tumors.mean())
    if value in (0.0, 1.0):
        return newcombe_auc(value, tumors.size, others.size, level)
    if min(tumors.size, others.size) < 2:
        return Interval(value, np.nan, np.nan, "DeLong: needs two pictures a class", level)
    error = float(np.sqrt(_variance(tumors) + _variance(others)))
    low, high = _around(value, error, level, scale)
    return Interval(value, low, high, f"DeLong, {scale}", level)


def newcombe_auc(value: float, tumors: int, others: int, level: float = 0.95) -> Interval:
    """Score interval of an AUC from its value and the class sizes (Newcombe 2006, method 5).

    It needs no scores and stays honest at 0 and 1, where every resampling method collapses.

    Args:
        value: the AUC, 0..1.
        tumors: independent units with a tumor, at least 1.
        others: independent units without, at least 1.
        level: of confidence.

    Raises:
        DataError: the value or a size is out of range.
        SettingsError: the level is.
    """
    _check_level(level)
    if not 0 <= value <= 1 or min(tumors, others) < 1:
        raise DataError(f"AUC {value} of {tumors} and {others}: it needs 0..1 and one of each class")
    width = _quantile(level)
    middle = (tumors + others) / 2

    def excess(area: float) -> float:
        shape = 1 + (middle - 1) * ((1 - area) / (2 - area) + area / (1 + area))
        return (value - area) ** 2 - width**2 * area * (1 - area) * shape / (tumors * others)

    # Within the interval `excess` is negative; at 0 and 1 it is the squared distance, so not.
    optimize = require("scipy.optimize", "train")
    near = np.clip(value, 1e-12, 1 - 1e-12)
    low = 0.0 if value == 0 else float(optimize.brentq(excess, 0.0, near))
    high = 1.0 if value == 1 else float(optimize.brentq(excess, near, 1.0))
    return Interval(value, low, high, "Newcombe's score interval for an AUC", level)


def delong_paired(labels: ArrayLike, first: ArrayLike, second: ArrayLike, level: float = 0.95) -> Comparison:
    """DeLong's test (1988) of two AUCs on the same pictures, which are independent.

    Args:
        labels: N, 0 or 1.
        first: N scores, finite; higher means "tumor".
        second: N scores of the other model.
        level: of the interval of the difference, which is symmetric.

    Raises:
        DataError: labels or scores are unusable.
        SettingsError: the level is.
    """
    _check_level(level)
    truth = check_labels(labels)
    one = _placements(truth, check_scores("first scores", first, truth.size))
    two = _placements(truth, check_scores("second scores", second, truth.size))
    if min(one[0].size, one[1].size) < 2:
        nothing = Interval(np.nan, np.nan, np.nan, "DeLong, paired: needs two pictures a class", level)
        return Comparison(_mean(one[0]), _mean(two[0]), nothing, np.nan, np.nan)
    value = float(one[0].mean() - two[0].mean())
    error = float(np.sqrt(_variance(one[0] - two[0]) + _variance(one[1] - two[1])))
    z = value / error if error > 0 else (0.0 if value == 0 else np.nan)
    low, high = _around(value, error, level, "plain", -1.0) if not np.isnan(z) else (np.nan, np.nan)
    p_value = float(2 * require("scipy.stats", "train").norm.sf(abs(z)))
    difference = Interval(value, low, high, "DeLong, paired", level)
    return Comparison(float(one[0].mean()), float(two[0].mean()), difference, z, p_value)


def group_bootstrap(
    statistics: Mapping[str, Statistic],
    groups: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 1,
    unit: str = "groups",
) -> dict[str, Interval]:
    """Percentile intervals from drawing whole groups with replacement (Davison and Hinkley 1997, 3.8).

    All statistics see the same draws, so a difference of two is a statistic like any other.

    Args:
        statistics: by name; see `weighted`.
        groups: N names; pictures of one group are drawn together.
        level: of confidence.
        resamples: at least 100. Those where a statistic is undefined are dropped; the method says how many.
        seed: of the draws; the order of the pictures plays no part.
        unit: what the method calls a group: "groups", "patients".

    Returns:
        By name. Bounds are nan with the reason in the method where there is one group, where fewer
        than half of the resamples are defined, and where all agree (a perfect score), for then the
        draws say nothing.

    Raises:
        SettingsError: the level or the number of resamples is out of range.
        DataError: there are no groups.
    """
    _check_level(level)
    drawn = bootstrap_values(statistics, groups, resamples=resamples, seed=seed)
    count = np.unique(np.asarray(groups)).size
    ones = np.ones((1, np.asarray(groups).size))
    return {
        name: percentile_interval(float(statistics[name](ones)[0]), values, count, level, unit)
        for name, values in drawn.items()
    }


def bootstrap_values(
    statistics: Mapping[str, Statistic], groups: ArrayLike, *, resamples: int = 2000, seed: int = 1
) -> dict[str, Floats]:
    """The statistics of every resample, B (or B x K) each; `group_bootstrap` says what the arguments are."""
    if resamples < 100:
        raise SettingsError(f"resamples is {resamples}: an interval needs at least 100")
    parts: dict[str, list[Floats]] = {name: [] for name in statistics}
    for weights in _draws(np.asarray(groups), resamples, seed):
        for name, statistic in statistics.items():
            parts[name].append(statistic(weights))
    return {name: np.concatenate(values) for name, values in parts.items()}


def percentile_interval(
    value: float, values: Floats, groups: int, level: float = 0.95, unit: str = "groups"
) -> Interval:
    """The interval between percentiles of resampled values; `group_bootstrap` says where it is nan.

    Args:
        value: the estimate.
        values: B, nan where undefined.
        groups: how many were drawn from.
        level: of confidence.
        unit: what the method calls a group.
    """
    _check_level(level)
    defined = values[~np.isnan(values)]
    dropped = values.size - defined.size
    method = f"bootstrap over {unit}" + (
        f" ({dropped} of {values.size} resamples dropped)" if dropped else ""
    )
    problem = ""
    if np.isnan(value):
        problem = "undefined here"
    elif groups < 2:
        problem = f"one of the {unit} is too few"
    elif dropped > values.size / 2:
        problem = "too few resamples are defined"
    elif np.ptp(defined) == 0:
        problem = "all resamples agree"
    if problem:
        return Interval(value, np.nan, np.nan, f"{method}: {problem}", level)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), method, level)


def _draws(groups: NDArray[np.str_], resamples: int, seed: int) -> Iterator[Floats]:
    if groups.ndim != 1 or groups.size == 0:
        raise DataError(f"groups have the shape {groups.shape}: give one name for each picture")
    names, member = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(seed)
    step = max(1, CELLS // groups.size)
    for done in range(0, resamples, step):
        rows = min(step, resamples - done)
        times = rng.multinomial(names.size, np.full(names.size, 1 / names.size), size=rows)
        yield times[:, member].astype(np.float64)


def _binomial(successes: int, total: int, level: float, method: str, name: str) -> Interval:
    _check_level(level)
    if not 0 <= successes <= total:
        raise DataError(f"{successes} of {total} is no proportion: successes must lie in 0..{total}")
    if total == 0:
        return Interval(np.nan, np.nan, np.nan, f"{name}: undefined here", level)
    stats = require("scipy.stats", "train")
    bounds = stats.binomtest(int(successes), int(total)).proportion_ci(level, method=method)
    return Interval(successes / total, float(bounds.low), float(bounds.high), name, level)


def _placements(labels: NDArray[np.int64], scores: Floats) -> tuple[Floats, Floats]:
    """For each tumor the share of others below it, for each other the share of tumors above it."""
    rank = require("scipy.stats", "train").rankdata
    tumors, others = scores[labels == 1], scores[labels == 0]
    if not tumors.size or not others.size:
        return tumors[:0], others[:0]
    ranks = rank(np.concatenate([tumors, others]))
    above = (ranks[: tumors.size] - rank(tumors)) / others.size
    below = 1 - (ranks[tumors.size :] - rank(others)) / tumors.size
    return above, below


def _variance(placements: Floats) -> float:
    return float(placements.var(ddof=1)) / placements.size


def _mean(placements: Floats) -> float:
    return float(placements.mean()) if placements.size else np.nan


def _around(value: float, error: float, level: float, scale: str, floor: float = 0.0) -> tuple[float, float]:
    reach = _quantile(level) * error
    if scale == "plain":
        return max(floor, value - reach), min(1.0, value + reach)
    special = require("scipy.special", "train")
    middle, spread = special.logit(value), reach / (value * (1 - value))
    return float(special.expit(middle - spread)), float(special.expit(middle + spread))


def _quantile(level: float) -> float:
    return float(require("scipy.stats", "train").norm.ppf((1 + level) / 2))


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise SettingsError(f"level is {level}: it must lie between 0 and 1, for example 0.95")
