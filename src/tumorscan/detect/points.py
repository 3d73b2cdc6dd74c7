"""Operating points: which thresholds are offered, what each is for, and what can be promised of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscan.detect.risk import Losses, effective_binomial, needed_groups
from tumorscan.detect.samples import Floats, Samples
from tumorscan.errors import SettingsError
from tumorscan.types import OperatingPoint

SCREENING, BALANCED, SPECIFIC = NAMES = ("screening", "balanced", "specific")
"""Few tumors are missed; both errors weigh the same; few false alarms."""

_ALL: Final = "all pictures"


@dataclass(frozen=True)
class _Cut:
    """Where the margins are cut, and for whom that holds how well."""

    at: float
    groups: int
    needed: int
    certain: tuple[str, ...]
    measured: tuple[str, ...]
    left_out: tuple[str, ...]

    def statement(self, aim: str, level: float) -> str:
        """What can be promised, in words."""
        aim = f"{aim} or more at {level:.0%} confidence"
        needed = f"{self.needed} groups without an error are needed"
        if self.certain:
            said = f"A {aim} for {', '.join(self.certain)}, as far as new pictures are like these"
            said += f"; only measured for {', '.join(self.measured)} ({needed})." if self.measured else "."
        else:
            said = (
                f"Not guaranteed: a {aim} cannot be shown with {self.groups} groups ({needed}). "
                f"It is what was measured, for {', '.join(self.measured)}."
            )
        if self.left_out:
            said += f" Not asked of {', '.join(self.left_out)}: too few groups to measure it."
        return said


def fit_points(
    probabilities: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    fitted_on: str,
    *,
    sensitivity: float = 0.97,
    specificity: float = 0.97,
    level: float = 0.95,
    sources: ArrayLike | None = None,
) -> tuple[OperatingPoint, ...]:
    """The points `screening`, `balanced` and `specific`, in this order.

    `screening` is the highest threshold at which the sensitivity is the wanted one or more at the wanted
    confidence, by risk control (see `risk`), for all pictures and for each source that has groups with
    tumors enough; a source that has enough to measure but not to promise is held to what it measured; a
    smaller one is not held to it. Where not even all together are enough, the threshold is the plain
    empirical one and `guaranteed` is false. `specific` is the lowest such threshold for the specificity.
    `balanced` has the largest sum of sensitivity and specificity (Youden 1950), each source of a class
    weighing the same; nothing is promised of it. The point's statement says which of that came true.

    Args:
        probabilities: N, calibrated, 0..1.
        labels: N, 1 = tumor.
        groups: N names of what belongs together (copies, a patient).
        fitted_on: the data, in words.
        sensitivity: wanted of `screening`, between 0 and 1.
        specificity: wanted of `specific`, between 0 and 1.
        level: of confidence, between 0 and 1.
        sources: N names; None where there is one.

    Raises:
        DataError: see `Samples.of_probabilities`.
        SettingsError: sensitivity, specificity or level are out of range.
    """
    for name, value in (("sensitivity", sensitivity), ("specificity", specificity), ("level", level)):
        if not 0 < value < 1:
            raise SettingsError(f"{name} is {value}: it must lie between 0 and 1, for example 0.97")
    data = Samples.of_probabilities(probabilities, labels, groups, sources)
    return (
        _screening(data, sensitivity, level, fitted_on),
        _point(
            BALANCED,
            data,
            _youden(data),
            fitted_on,
            statement="The sum of sensitivity and specificity is the largest; no level was asked for.",
        ),
        _specific(data, specificity, level, fitted_on),
    )


def _screening(data: Samples, sensitivity: float, level: float, fitted_on: str) -> OperatingPoint:
    found = _cut(data.scores, data, data.labels == 1, 1 - sensitivity, level)
    return _point(
        SCREENING,
        data,
        _between(data.scores, found.at),
        fitted_on,
        wanted_sensitivity=sensitivity,
        level=level,
        guaranteed=bool(found.certain),
        statement=found.statement(f"sensitivity of {sensitivity:g}", level),
    )


def _specific(data: Samples, specificity: float, level: float, fitted_on: str) -> OperatingPoint:
    alarms = _cut(-data.scores, data, data.labels == 0, 1 - specificity, level)
    threshold = _above(data.scores, -alarms.at)
    return _point(
        SPECIFIC,
        data,
        threshold,
        fitted_on,
        wanted_specificity=specificity,
        level=level,
        # At a probability of exactly 1 that is to be cleared there is no threshold left to set.
        guaranteed=bool(alarms.certain) and threshold > -alarms.at,
        statement=alarms.statement(f"specificity of {specificity:g}", level),
    )


def _cut(margins: Floats, data: Samples, inside: NDArray[np.bool_], limit: float, level: float) -> _Cut:
    """The highest cut at which the risk of the pictures inside keeps to its limit."""
    cuts = np.unique(margins[inside])
    kept = np.ones(cuts.size, bool)
    told: dict[str, list[str]] = {"certain": [], "measured": [], "left out": []}
    needed = needed_groups(limit, level)
    for name, part in _parts(data, inside).items():
        losses = Losses(margins[part], data.groups[part])
        if losses.count >= needed:
            how = "certain"
        elif name == _ALL or losses.count * limit >= 1 - 1e-9:
            how = "measured"
        else:
            how = "left out"
        told[how].append(name)
        if how != "left out":
            kept &= losses.holds(cuts, limit, level if how == "certain" else None)
    # The lowest cut calls nothing wrongly, so it always holds.
    groups = int(np.unique(data.groups[inside]).size)
    return _Cut(
        float(cuts[kept].max()),
        groups,
        needed,
        certain=tuple(told["certain"]),
        measured=tuple(told["measured"]),
        left_out=tuple(told["left out"]),
    )


def _parts(data: Samples, inside: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    parts = {_ALL: inside}
    names = np.unique(data.sources[inside])
    if names.size > 1:
        parts |= {f"source {name}": inside & (data.sources == name) for name in names}
    return parts


def _between(scores: Floats, at: float) -> float:
    """Half-way down to the next lower probability (or to 0): none on the border is decided by rounding."""
    below = scores[scores < at]
    return float((at + (below.max() if below.size else 0.0)) / 2)


def _above(scores: Floats, at: float) -> float:
    """Half-way up to the next higher probability (or to 1), and above `at` in any case."""
    over = scores[scores > at]
    next_one = float(over.min()) if over.size else 1.0
    middle = (at + next_one) / 2
    return middle if middle > at else next_one


def _youden(data: Samples) -> float:
    weights = np.zeros(data.scores.size)
    for label in (0, 1):
        inside = data.labels == label
        _, place, count = np.unique(data.sources[inside], return_inverse=True, return_counts=True)
        weights[inside] = 1.0 / (count.size * count[place])
    cuts = np.unique(data.scores)
    order = np.argsort(data.scores, kind="stable")
    signed = np.where(data.labels == 1, weights, -weights)[order]
    # Sensitivity + specificity - 1 at a threshold is the signed weight of all at or above it.
    above = np.cumsum(signed[::-1])[::-1]
    sums = above[np.searchsorted(data.scores[order], cuts, side="left")]
    best = np.flatnonzero(sums >= sums.max() - 1e-12)
    # Of equally good ones the middle, the farthest from pictures that would change it.
    return _between(data.scores, float(cuts[best[best.size // 2]]))


def _point(
    name: str,
    data: Samples,
    threshold: float,
    fitted_on: str,
    *,
    wanted_sensitivity: float | None = None,
    wanted_specificity: float | None = None,
    level: float | None = None,
    guaranteed: bool = False,
    statement: str,
) -> OperatingPoint:
    reported, tumors = data.scores >= threshold, data.labels == 1
    return OperatingPoint(
        name=name,
        threshold=threshold,
        wanted_sensitivity=wanted_sensitivity,
        sensitivity=effective_binomial(reported[tumors], data.groups[tumors]),
        specificity=effective_binomial(~reported[~tumors], data.groups[~tumors]),
        fitted_on=fitted_on,
        wanted_specificity=wanted_specificity,
        level=level,
        guaranteed=guaranteed,
        statement=statement,
    )
