"""From a logit to a probability that means what it says: which way, and fitted on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscan.detect.families import FAMILIES
from tumorscan.detect.samples import Floats, Samples, shares
from tumorscan.errors import DataError, SettingsError
from tumorscan.types import Calibration

AUTO: Final = "auto"
CALIBRATIONS: Final = (AUTO, *FAMILIES)
"""Methods by name; `auto` is the simplest that is good enough out of fold."""
GOOD_ENOUGH, BINS = 0.04, 15
"""Calibration error that ends the search for a better method, and the equal-mass bins behind it."""
_FOLDS, _REPEATS = 5, 4

# The search is over log temperature; beyond these a probability is a constant or a step.
_LOWEST, _HIGHEST = np.log(0.05), np.log(20.0)


def probability(logits: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Calibrated probability of a tumor, 0..1, from uncalibrated logits."""
    z = np.asarray(logits, np.float64) / temperature
    return np.exp(-np.logaddexp(0.0, -z))


@dataclass(frozen=True, eq=False)
class Compared:
    """A method on groups that its fit had not seen.

    Attributes:
        error: calibration error over 15 equal-mass bins; mean of the repeats.
        losses: float64, G: log loss of each group's pictures, weighted and summed.
    """

    error: float
    losses: Floats

    def behind(self, best: Compared) -> bool:
        """Whether the log loss is higher than another's by more than one standard error of the difference."""
        more = self.losses - best.losses
        return bool(more.sum() > np.sqrt(more.size * more.var(ddof=1)))


def fit_calibration(
    logits: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    sources: ArrayLike | None = None,
    *,
    method: str = AUTO,
    fitted_on: str = "",
) -> Calibration:
    """Fit a calibration; with `auto`, choose it first.

    `auto` takes the simplest method of `FAMILIES` with an out-of-fold calibration error of at most 0.04.
    Where none gets there, as in small sets, where chance alone makes an error, it takes the simplest whose
    log loss is within one standard error (of the difference, over groups) of the best.

    Args:
        logits: N, uncalibrated.
        labels: N, 1 = tumor.
        groups: N names of what belongs together; none is on both sides of a fold.
        sources: N names; with them each source weighs the same, however many pictures it has.
        method: one of `CALIBRATIONS`.
        fitted_on: the data, in words.

    Raises:
        DataError: see `Samples.of`; or there are too few groups of a class to compare on.
        SettingsError: there is no such method.
    """
    if method not in CALIBRATIONS:
        raise SettingsError(f"there is no calibration {method!r}: choose one of {', '.join(CALIBRATIONS)}")
    data = Samples.of("logits", logits, labels, groups, sources)
    error = None
    if method == AUTO:
        compared = _compare(data)
        method = choose(compared)
        error = compared[method].error
    fitted = FAMILIES[method](data.scores, data.labels, data.balanced())
    return replace(fitted, error=error, fitted_on=fitted_on)


def compare_calibrations(
    logits: ArrayLike, labels: ArrayLike, groups: ArrayLike, sources: ArrayLike | None = None
) -> dict[str, Compared]:
    """All methods out of fold, the simplest first; arguments and errors as in `fit_calibration`."""
    return _compare(Samples.of("logits", logits, labels, groups, sources))


def choose(compared: Mapping[str, Compared]) -> str:
    """Which of the compared methods `auto` takes."""
    for name, found in compared.items():
        if found.error <= GOOD_ENOUGH:
            return name
    best = min(compared.values(), key=lambda found: float(found.losses.sum()))
    return next(name for name, found in compared.items() if not found.behind(best))


def calibration_error(
    probabilities: Floats, labels: NDArray[np.int64], weights: Floats, bins: int = BINS
) -> float:
    """Mean over bins of |mean probability - share of tumors|; see `evaluate.weighted.calibration_error`.

    Args:
        probabilities: N.
        labels: N, 1 = tumor.
        weights: N; the bins have equal weight.
        bins: how many.
    """
    order = np.argsort(probabilities, kind="stable")
    mass = weights[order]
    place = np.minimum(((np.cumsum(mass) - mass / 2) / mass.sum() * bins).astype(int), bins - 1)
    gaps = np.bincount(place, mass * (probabilities - labels)[order], bins)
    return float(np.abs(gaps).sum() / mass.sum())


def _compare(data: Samples) -> dict[str, Compared]:
    weights = data.balanced()
    dealt = [_folds(data, seed) for seed in range(_REPEATS)]
    return {name: _judged(name, data, weights, dealt) for name in FAMILIES}


def _judged(name: str, data: Samples, weights: Floats, dealt: list[NDArray[np.int64]]) -> Compared:
    errors, losses = [], np.zeros(data.scores.size)
    for fold in dealt:
        said = np.zeros(data.scores.size)
        for k in range(_FOLDS):
            inside = fold == k
            fitted = FAMILIES[name](data.scores[~inside], data.labels[~inside], weights[~inside])
            said[inside] = fitted.probability(data.scores[inside])
        errors.append(calibration_error(said, data.labels, weights))
        kept = np.clip(np.where(data.labels == 1, said, 1 - said), 1e-12, 1.0)
        losses -= weights * np.log(kept) / len(dealt)
    return Compared(float(np.mean(errors)), np.bincount(data.groups, losses).astype(np.float64))


def _folds(data: Samples, seed: int) -> NDArray[np.int64]:
    """The fold of each picture; groups are whole, and dealt by class so that each fold has both."""
    rng = np.random.default_rng(seed)
    share, count = shares(data.groups)
    tumors = np.bincount(data.groups, share * data.labels) > 0
    fold = np.zeros(count, np.int64)
    for of_class in (tumors, ~tumors):
        members = rng.permutation(np.flatnonzero(of_class))
        if members.size < _FOLDS:
            raise DataError(
                f"the calibration split holds {members.size} groups of a class: comparing calibrations needs "
                f"{_FOLDS}; name one, as in --set decide.calibration=temperature"
            )
        fold[members] = np.arange(members.size) % _FOLDS
    return fold[data.groups]


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
