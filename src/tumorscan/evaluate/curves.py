"""Points of the curves that a report draws."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.evaluate.intervals import wilson
from tumorscan.evaluate.weighted import Blocks, Floats, equal_mass_bins
from tumorscan.jsonable import jsonable
from tumorscan.types import Interval


@dataclass(frozen=True, eq=False)
class Roc:
    """Sensitivity against false alarms, float64 each.

    Attributes:
        false_alarms: 1 - specificity, rising from 0 to 1; nan without non-tumors.
        sensitivity: at the same threshold; nan without tumors.
        thresholds: falling, the first infinite.
        band_false_alarms: where the band is given.
        band_low: lower bound of the sensitivity there, by the bootstrap; empty if undefined.
        band_high: upper bound.
    """

    false_alarms: Floats
    sensitivity: Floats
    thresholds: Floats
    band_false_alarms: Floats
    band_low: Floats
    band_high: Floats


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """Precision and recall at each threshold, float64, recall rising; nan without tumors."""

    recall: Floats
    precision: Floats
    thresholds: Floats


@dataclass(frozen=True)
class ReliabilityBin:
    """A bin of equal mass.

    Attributes:
        probability: mean of the predicted probabilities.
        share: of tumors, with Wilson's interval.
        count: pictures.
    """

    probability: float
    share: Interval
    count: int


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """Errors among the pictures kept when the least certain are left unsaid (Geifman 2017), float64.

    Attributes:
        coverage: share of pictures kept, rising to 1.
        risk: share of wrong verdicts among them.
    """

    coverage: Floats
    risk: Floats


@dataclass(frozen=True, eq=False)
class Histogram:
    """How the probabilities lie: pictures in each of 20 equal steps of 0..1, by class."""

    edges: Floats
    tumors: NDArray[np.int64]
    others: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Curves:
    """All curves of an evaluation."""

    roc: Roc
    precision_recall: PrecisionRecall
    reliability: tuple[ReliabilityBin, ...]
    risk_coverage: RiskCoverage
    histogram: Histogram


def curves_of(
    labels: NDArray[np.int64],
    probabilities: Floats,
    *,
    threshold: float,
    bins: int,
    band: Floats,
    level: float,
) -> Curves:
    """All curves.

    Args:
        labels: N, 0 or 1.
        probabilities: N, 0..1.
        threshold: behind the verdicts, for risk and coverage.
        bins: of the reliability curve.
        band: B x K; sensitivities of B resamples at K evenly spaced false alarm rates from 0 to 1.
        level: of the band and of the bins' intervals.
    """
    blocks, tumors = Blocks.of(-probabilities), labels.astype(np.float64)
    hits, alarms = (np.cumsum(blocks.sums(column[None])) for column in (tumors, 1.0 - tumors))
    thresholds = probabilities[blocks.order][blocks.starts]
    steps = np.linspace(0, 1, 21)
    return Curves(
        roc=_roc(hits, alarms, thresholds, band, level),
        precision_recall=PrecisionRecall(_share(hits), hits / (hits + alarms), thresholds),
        reliability=_reliability(labels, probabilities, bins, level),
        risk_coverage=_risk_coverage(labels, probabilities, threshold),
        histogram=Histogram(
            steps,
            np.histogram(probabilities[labels == 1], steps)[0].astype(np.int64),
            np.histogram(probabilities[labels == 0], steps)[0].astype(np.int64),
        ),
    )


def _roc(hits: Floats, alarms: Floats, thresholds: Floats, band: Floats, level: float) -> Roc:
    grid = np.linspace(0, 1, band.shape[1])
    defined = band[~np.isnan(band).any(axis=1)]
    sides = [(1 - level) / 2, (1 + level) / 2]
    empty = np.empty((2, 0))
    low, high = np.quantile(defined, sides, axis=0) if len(defined) else empty
    return Roc(
        false_alarms=np.concatenate(([0.0], _share(alarms))),
        sensitivity=np.concatenate(([0.0], _share(hits))),
        thresholds=np.concatenate(([np.inf], thresholds)),
        band_false_alarms=grid if len(defined) else empty[0],
        band_low=low,
        band_high=high,
    )


def _share(sums: Floats) -> Floats:
    return sums / sums[-1] if sums[-1] > 0 else np.full_like(sums, np.nan)


def _reliability(
    labels: NDArray[np.int64], probabilities: Floats, bins: int, level: float
) -> tuple[ReliabilityBin, ...]:
    blocks = Blocks.of(probabilities)
    mass, tumors, sums = (
        blocks.sums(column[None])
        for column in (np.ones_like(probabilities), labels.astype(np.float64), probabilities)
    )
    where = equal_mass_bins(mass, bins)[0]
    rows = []
    for member in np.unique(where):
        count = int(mass[0, where == member].sum())
        share = wilson(int(tumors[0, where == member].sum()), count, level)
        rows.append(ReliabilityBin(float(sums[0, where == member].sum()) / count, share, count))
    return tuple(rows)


def _risk_coverage(labels: NDArray[np.int64], probabilities: Floats, threshold: float) -> RiskCoverage:
    """Certainty is the distance from the threshold in logits: what lies next to it is left unsaid first."""
    blocks = Blocks.of(-np.abs(_logit(probabilities) - _logit(np.array([threshold]))))
    wrong = ((probabilities >= threshold) != (labels == 1)) * 1.0
    kept = np.cumsum(blocks.sums(np.ones((1, labels.size))))
    return RiskCoverage(kept / labels.size, np.cumsum(blocks.sums(wrong[None])) / kept)


def _logit(probabilities: Floats) -> Floats:
    smallest = np.finfo(np.float64).eps
    kept = np.clip(probabilities, smallest, 1 - smallest)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def short_table(curves: Curves, points: int = 50) -> dict[str, Any]:
    """What a bundle keeps of its curves, as plain values: reliability, and risk over coverage.

    Args:
        curves: of an evaluation.
        points: of risk and coverage at most, evenly chosen, the last among them.
    """
    coverage, risk = curves.risk_coverage.coverage, curves.risk_coverage.risk
    places = np.unique(np.linspace(0, max(len(coverage) - 1, 0), points).round().astype(np.int64))
    table: dict[str, Any] = jsonable(
        {
            "reliability": [asdict(one) for one in curves.reliability],
            "risk_coverage": [(coverage[place], risk[place]) for place in places if len(coverage)],
        }
    )
    return table
