"""Sensitivity, specificity and AUC over the strength of a corruption, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscan.errors import DataError
from tumorscan.evaluate import weighted
from tumorscan.evaluate.intervals import bootstrap_values, exact_binomial, percentile_interval
from tumorscan.evaluate.weighted import Floats, Statistic
from tumorscan.jsonable import plain_interval
from tumorscan.types import Interval

FIGURES: Final = ("sensitivity", "specificity", "roc_auc")
MEAN: Final = "mean of all"
"""Name of the curve that averages the corruptions."""


@dataclass(frozen=True)
class Point:
    """What a system did at one strength.

    Attributes:
        figures: sensitivity, specificity and roc_auc, by the bootstrap over units.
        exact: sensitivity and specificity with exact binomial intervals; none for the mean of all.
        changes: each figure minus that of the untouched pictures, on the same draws.
    """

    figures: Mapping[str, Interval]
    exact: Mapping[str, Interval]
    changes: Mapping[str, Interval]


@dataclass(frozen=True)
class Curve:
    """A corruption's points, from strength 0 on."""

    name: str
    points: tuple[Point, ...]

    def to_table(self) -> list[dict[str, Any]]:
        """Plain values, one row a strength."""
        kinds = ("figures", "exact", "changes")
        return [
            {
                "strength": strength,
                **{
                    kind: {name: plain_interval(one) for name, one in getattr(point, kind).items()}
                    for kind in kinds
                },
            }
            for strength, point in enumerate(self.points)
        ]


def curves(
    labels: ArrayLike,
    probabilities: Mapping[str, ArrayLike],
    units: Sequence[str],
    *,
    threshold: float,
    unit: str = "groups",
    refusal: str = "",
    resamples: int = 2000,
    seed: int = 1,
) -> tuple[Curve, ...]:
    """Measure every corruption at every strength, and their mean, all on the same draws.

    Args:
        labels: N, 1 for a tumor, 0 for none.
        probabilities: by corruption, K x N, of a tumor; row 0 is of the untouched pictures in each.
        units: N names of patients or groups, what the bootstrap draws.
        threshold: a tumor is said at a probability at or above it.
        unit: what a unit is called.
        refusal: why no AUC is given; empty where it may stand.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        DataError: there is no corruption, they differ in their strengths, or labels or probabilities are
            unusable.
    """
    truth = weighted.check_labels(labels)
    tables = {name: _table(name, rows, truth.size) for name, rows in probabilities.items()}
    if len({len(table) for table in tables.values()}) != 1:
        raise DataError("no corruptions, or of different strengths: give the same strengths for each")
    strengths = len(next(iter(tables.values())))
    draws = _Draws(units, unit, resamples, seed, refusal)
    values = {
        name: [draws.figures(_statistics(truth, row, threshold)) for row in table]
        for name, table in tables.items()
    }
    values[MEAN] = [_mean([values[name][strength] for name in tables]) for strength in range(strengths)]
    return tuple(
        Curve(
            name,
            tuple(
                Point(
                    draws.intervals(found),
                    _exact(truth, tables[name][strength], threshold) if name in tables else {},
                    draws.intervals(_minus(found, row[0])),
                )
                for strength, found in enumerate(row)
            ),
        )
        for name, row in values.items()
    )


_Values = dict[str, tuple[float, Floats]]
"""By figure: the estimate, and its value in each resample."""


@dataclass(frozen=True)
class _Draws:
    """The same resamples of units for every figure."""

    units: Sequence[str]
    unit: str
    resamples: int
    seed: int
    refusal: str

    def figures(self, statistics: Mapping[str, Statistic]) -> _Values:
        shown = {key: one for key, one in statistics.items() if not (self.refusal and key == "roc_auc")}
        found = bootstrap_values(shown, self.units, resamples=self.resamples, seed=self.seed)
        ones = np.ones((1, len(self.units)))
        return {name: (float(shown[name](ones)[0]), values) for name, values in found.items()}

    def intervals(self, found: _Values) -> dict[str, Interval]:
        count = len(set(self.units))
        shown = {
            name: percentile_interval(value, values, count, unit=self.unit)
            for name, (value, values) in found.items()
        }
        nothing = Interval(np.nan, np.nan, np.nan, f"withheld: {self.refusal}")
        return {name: shown.get(name, nothing) for name in FIGURES}


def _mean(several: Sequence[_Values]) -> _Values:
    return {
        name: (
            float(np.mean([one[name][0] for one in several])),
            np.mean([one[name][1] for one in several], axis=0),
        )
        for name in several[0]
    }


def _minus(found: _Values, clean: _Values) -> _Values:
    return {
        name: (value - clean[name][0], values - clean[name][1]) for name, (value, values) in found.items()
    }


def _table(name: str, rows: ArrayLike, count: int) -> Floats:
    table = np.asarray(rows, np.float64)
    if table.ndim != 2 or not len(table):
        raise DataError(
            f"probabilities under {name} have the shape {table.shape}: strengths x pictures it is"
        )
    return np.stack([weighted.check_scores(name, row, count, probability=True) for row in table])


def _statistics(truth: NDArray[np.int64], probabilities: Floats, threshold: float) -> dict[str, Statistic]:
    said = (probabilities >= threshold).astype(np.int64)
    return {
        "sensitivity": weighted.ratio(said * truth, truth),
        "specificity": weighted.ratio((1 - said) * (1 - truth), 1 - truth),
        "roc_auc": weighted.auc(truth, probabilities),
    }


def _exact(truth: NDArray[np.int64], probabilities: Floats, threshold: float) -> dict[str, Interval]:
    said, tumors = probabilities >= threshold, truth == 1
    return {
        "sensitivity": exact_binomial(int((said & tumors).sum()), int(tumors.sum())),
        "specificity": exact_binomial(int((~said & ~tumors).sum()), int((~tumors).sum())),
    }
