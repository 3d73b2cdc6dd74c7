"""From labels, probabilities and a threshold to every figure of an evaluation, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscan.errors import DataError, SettingsError
from tumorscan.evaluate import weighted
from tumorscan.evaluate.curves import Curves, curves_of
from tumorscan.evaluate.intervals import (
    bootstrap_values,
    delong,
    exact_binomial,
    group_bootstrap,
    newcombe_auc,
)
from tumorscan.evaluate.weighted import Floats, Statistic
from tumorscan.jsonable import jsonable
from tumorscan.types import Interval

PROPORTIONS = ("accuracy", "sensitivity", "specificity", "precision")
SMALLEST_BIN = 10


@dataclass(frozen=True)
class Counts:
    """The confusion matrix: tumors found and missed, others cleared and falsely alarmed."""

    true_positive: int
    false_negative: int
    true_negative: int
    false_positive: int

    def of(self, proportion: str) -> tuple[int, int]:
        """Successes and trials of one of `PROPORTIONS`."""
        hits, misses = self.true_positive, self.false_negative
        clear, alarms = self.true_negative, self.false_positive
        return {
            "accuracy": (hits + clear, hits + clear + misses + alarms),
            "sensitivity": (hits, hits + misses),
            "specificity": (clear, clear + alarms),
            "precision": (hits, hits + alarms),
        }[proportion]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a system did on pictures whose truth is known.

    Attributes:
        counts: the confusion matrix at the threshold.
        figures: in the order of a report: accuracy, sensitivity, specificity, precision (exact
            binomial), f1, roc_auc, average_precision, brier, ece, log_loss (bootstrap over groups).
            nan where undefined.
        alternatives: the same figures by another method: the proportions by the bootstrap over
            groups, which alone is right where groups hold several pictures, and roc_auc by DeLong,
            which takes pictures as independent.
        threshold: a tumor is said at a probability at or above it.
        n: pictures.
        n_groups: groups, the unit of the bootstrap.
        bins: of equal mass, behind ece and the reliability curve.
        resamples: bootstrap resamples.
        seed: of the bootstrap.
        curves: points to draw.
    """

    counts: Counts
    figures: Mapping[str, Interval]
    alternatives: Mapping[str, Interval]
    threshold: float
    n: int
    n_groups: int
    bins: int
    resamples: int
    seed: int
    curves: Curves

    def to_table(self) -> dict[str, Any]:
        """Plain values for metrics.json; what is not finite is None, since JSON has no nan."""
        table: dict[str, Any] = jsonable(
            {
                "n": self.n,
                "n_groups": self.n_groups,
                "threshold": self.threshold,
                "counts": asdict(self.counts),
                "figures": {name: asdict(figure) for name, figure in self.figures.items()},
                "alternatives": {name: asdict(figure) for name, figure in self.alternatives.items()},
                "bootstrap": {"resamples": self.resamples, "seed": self.seed},
                "bins": self.bins,
                "curves": asdict(self.curves),
            }
        )
        return table


def evaluate(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    threshold: float,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 1,
    bins: int = 15,
    unit: str = "groups",
) -> Evaluation:
    """Measure a system.

    Args:
        labels: N, 1 for a tumor, 0 for none.
        probabilities: N, of a tumor, 0..1.
        threshold: a tumor is said at a probability at or above it, 0..1.
        groups: N names of what belongs together (copies, a patient); each picture for itself if absent.
        level: of all intervals.
        resamples: of the bootstrap, at least 100.
        seed: of the bootstrap.
        bins: of the calibration error at most; fewer where a bin would hold under ten pictures.
        unit: what the methods call a group: "groups", "patients".

    Raises:
        DataError: labels, probabilities or groups are unusable.
        SettingsError: threshold, level, resamples or bins are out of range.
    """
    truth = weighted.check_labels(labels)
    scores = weighted.check_scores("probabilities", probabilities, truth.size, probability=True)
    names = _groups(groups, truth.size)
    if not 0 <= threshold <= 1:
        raise SettingsError(f"threshold is {threshold}: it must lie in 0..1")
    bins = _bins(bins, truth.size)
    said = (scores >= threshold).astype(np.int64)
    counts = _count(truth, said)
    shares, means = _proportions(truth, said), _means(truth, scores, said, bins)
    drawn = group_bootstrap(shares | means, names, level=level, resamples=resamples, seed=seed, unit=unit)
    figures = {name: exact_binomial(*counts.of(name), level) for name in PROPORTIONS}
    figures |= {name: drawn[name] for name in means}
    figures["roc_auc"] = _honest_auc(figures["roc_auc"], truth, names, unit)
    alternatives = {name: drawn[name] for name in shares} | {"roc_auc": delong(truth, scores, level)}
    band = bootstrap_values(
        {"band": weighted.sensitivity_at(truth, scores, np.linspace(0, 1, 101))},
        names,
        resamples=resamples,
        seed=seed,
    )["band"]
    curves = curves_of(truth, scores, threshold=threshold, bins=bins, band=band, level=level)
    return Evaluation(
        counts=counts,
        figures=figures,
        alternatives=alternatives,
        threshold=float(threshold),
        n=int(truth.size),
        n_groups=int(np.unique(names).size),
        bins=bins,
        resamples=resamples,
        seed=seed,
        curves=curves,
    )


def auc_over_groups(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 1,
    unit: str = "groups",
) -> Interval:
    """AUC alone, with its interval by the bootstrap over groups; `evaluate` says what the arguments are.

    Raises:
        DataError: labels, scores or groups are unusable.
        SettingsError: level or resamples are out of range.
    """
    truth = weighted.check_labels(labels)
    column = weighted.check_scores("scores", scores, truth.size)
    names = _groups(groups, truth.size)
    statistics = {"roc_auc": weighted.auc(truth, column)}
    drawn = group_bootstrap(statistics, names, level=level, resamples=resamples, seed=seed, unit=unit)
    return _honest_auc(drawn["roc_auc"], truth, names, unit)


def _bins(bins: int, count: int) -> int:
    """At most so many that none holds too few pictures."""
    if bins < 1:
        raise SettingsError(f"bins is {bins}: it must be at least 1")
    return max(1, min(bins, count // SMALLEST_BIN))


def _count(truth: NDArray[np.int64], said: NDArray[np.int64]) -> Counts:
    table = np.bincount(truth * 2 + said, minlength=4)
    return Counts(
        true_positive=int(table[3]),
        false_negative=int(table[2]),
        true_negative=int(table[0]),
        false_positive=int(table[1]),
    )


def _proportions(truth: NDArray[np.int64], said: NDArray[np.int64]) -> dict[str, Statistic]:
    return {
        "accuracy": weighted.ratio(truth == said, np.ones_like(truth)),
        "sensitivity": weighted.ratio(truth * said, truth),
        "specificity": weighted.ratio((1 - truth) * (1 - said), 1 - truth),
        "precision": weighted.ratio(truth * said, said),
    }


def _means(
    truth: NDArray[np.int64], scores: Floats, said: NDArray[np.int64], bins: int
) -> dict[str, Statistic]:
    ones = np.ones_like(truth)
    smallest = np.finfo(np.float64).eps
    kept = np.clip(scores, smallest, 1 - smallest)
    surprise = -np.where(truth == 1, np.log(kept), np.log1p(-kept))
    return {
        "f1": weighted.ratio(2 * truth * said, truth + said),
        "roc_auc": weighted.auc(truth, scores),
        "average_precision": weighted.average_precision(truth, scores),
        "brier": weighted.ratio((scores - truth) ** 2, ones),
        "ece": weighted.calibration_error(truth, scores, bins),
        "log_loss": weighted.ratio(surprise, ones),
    }


def _honest_auc(figure: Interval, truth: NDArray[np.int64], names: NDArray[np.str_], unit: str) -> Interval:
    """At 0 and 1 resampling says nothing; the score interval of as many pictures as groups does."""
    if figure.value not in (0.0, 1.0):
        return figure
    tumors, others = (int(np.unique(names[truth == label]).size) for label in (1, 0))
    better = newcombe_auc(figure.value, tumors, others, figure.level)
    method = f"{better.method}, counting {unit} (all resamples agree)"
    return Interval(figure.value, better.low, better.high, method, figure.level)


def _groups(groups: ArrayLike | None, count: int) -> NDArray[np.str_]:
    if groups is None:
        return np.arange(count).astype(np.str_)
    names = np.asarray(groups).astype(np.str_)
    if names.shape != (count,):
        raise DataError(f"groups have the shape {names.shape} for {count} labels: give one for each picture")
    return names
