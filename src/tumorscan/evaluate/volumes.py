"""Figures of whole volumes and of their slices, with intervals over patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import DataError
from tumorscan.evaluate.intervals import exact_binomial, group_bootstrap
from tumorscan.evaluate.weighted import Floats, Statistic, auc, ratio
from tumorscan.types import Interval, Verdict, VolumeFinding

WORDS: Final = {
    "found": "Volumes with tumor: TUMOR DETECTED",
    "missed": "Volumes with tumor: NO TUMOR",
    "false_alarm": "Volumes without: TUMOR DETECTED",
    "unsaid": "CANNOT SAY, all volumes",
    "key_in": "Key slice shows the tumor",
    "extent_dice": "Suspicious run against the tumor's slices, Dice",
    "auc_alone": "Slice AUC, each slice alone",
    "auc_curve": "Slice AUC, with its neighbours",
    "auc_gain": "Slice AUC, gain by the neighbours",
    "run_sensitivity": "Tumor slices inside the suspicious run",
    "run_specificity": "Other slices outside of it",
}
"""Each figure in words, volumes first."""


@dataclass(frozen=True)
class Measured:
    """A volume with its answer and what is known.

    Attributes:
        name: of the volume.
        patient: whose it is.
        tumor: whether there is one.
        found: the answer.
        truth: bool, N, slices that show tumor; None where that is not known.
    """

    name: str
    patient: str
    tumor: bool
    found: VolumeFinding
    truth: NDArray[np.bool_] | None

    @property
    def alone(self) -> Floats:
        """Probability of each slice alone, float64, N; nan where the gate refused it."""
        given = [one.finding.probability for one in self.found.slices]
        return np.array([np.nan if one is None else one for one in given], np.float64)

    @property
    def key_in(self) -> bool | None:
        """Whether the key slice shows the tumor; None where there is no tumor, no key slice or no truth."""
        if not self.tumor or self.truth is None or self.found.key_slice is None:
            return None
        return bool(self.truth[self.found.key_slice])

    @property
    def dice(self) -> float | None:
        """Of the suspicious run and the tumor's slices, 0..1; None without a tumor or truth."""
        if not self.tumor or self.truth is None:
            return None
        inside = in_run(self.found)
        return float(2 * (inside & self.truth).sum() / (inside.sum() + self.truth.sum()))


def in_run(found: VolumeFinding) -> NDArray[np.bool_]:
    """Which slices lie in the suspicious run: bool, N."""
    inside = np.zeros(len(found.slices), np.bool_)
    if found.extent is not None:
        inside[found.extent[0] : found.extent[1] + 1] = True
    return inside


def volume_figures(measured: Sequence[Measured], *, seed: int = 1) -> dict[str, Interval]:
    """Every figure of `WORDS` that the volumes allow.

    The bootstrap draws patients. Where all of its draws agree (10 of 10 found), it says nothing, and the
    interval is the exact binomial at the number of patients.

    Args:
        measured: at least one volume.
        seed: of the draws.

    Raises:
        DataError: there is no volume.
    """
    if not measured:
        raise DataError("no volume was measured: give a csv that lists some")
    patients = np.array([one.patient for one in measured])
    figures = _intervals(_of_volumes(measured), patients, seed)
    known = [one for one in measured if one.truth is not None]
    if known:
        whose = np.concatenate([[one.patient] * len(one.found.slices) for one in known])
        figures |= _intervals(_of_slices(known), whose, seed)
    return {name: one for name, one in figures.items() if not np.isnan(one.value)}


Counted = tuple[Statistic, NDArray[np.bool_]]
"""A figure, and which volumes or slices it counts."""


def _of_volumes(measured: Sequence[Measured]) -> dict[str, Counted]:
    tumor = np.array([one.tumor for one in measured])
    said = np.array([one.found.finding.verdict for one in measured])
    key = np.array([np.nan if one.key_in is None else one.key_in for one in measured], np.float64)
    dice = np.array([np.nan if one.dice is None else one.dice for one in measured], np.float64)
    return {
        "found": _share(said == Verdict.TUMOR, tumor),
        "missed": _share(said == Verdict.NO_TUMOR, tumor),
        "false_alarm": _share(said == Verdict.TUMOR, ~tumor),
        "unsaid": _share(said == Verdict.CANNOT_SAY, np.ones(len(measured), np.bool_)),
        "key_in": _share(np.nan_to_num(key), np.isfinite(key)),
        "extent_dice": _share(np.nan_to_num(dice), np.isfinite(dice)),
    }


def _of_slices(measured: Sequence[Measured]) -> dict[str, Counted]:
    truth = np.concatenate([one.truth for one in measured if one.truth is not None])
    # A refused slice is one that nobody is alarmed by.
    alone = np.nan_to_num(np.concatenate([one.alone for one in measured]))
    curve = np.nan_to_num(np.concatenate([one.found.curve for one in measured]))
    inside = np.concatenate([in_run(one.found) for one in measured])
    first, second = (auc(truth.astype(np.int64), scores) for scores in (alone, curve))
    everything = np.ones(len(truth), np.bool_)

    def gain(weights: Floats) -> Floats:
        return second(weights) - first(weights)

    return {
        "auc_alone": (first, everything),
        "auc_curve": (second, everything),
        "auc_gain": (gain, everything),
        "run_sensitivity": _share(inside, truth),
        "run_specificity": _share(~inside, ~truth),
    }


def _share(values: NDArray[np.bool_] | Floats, among: NDArray[np.bool_]) -> Counted:
    counts = among.astype(np.float64)
    return ratio(values * counts, counts), among


def _intervals(counted: Mapping[str, Counted], patients: NDArray[np.str_], seed: int) -> dict[str, Interval]:
    statistics = {name: statistic for name, (statistic, _) in counted.items()}
    figures = group_bootstrap(statistics, patients, seed=seed, unit="patients")
    return {
        name: one if name == "auc_gain" else _bounded(one, int(np.unique(patients[counted[name][1]]).size))
        for name, one in figures.items()
    }


def _bounded(figure: Interval, patients: int) -> Interval:
    """Where all draws agree, the exact binomial at the number of patients that count."""
    if figure.value not in (0.0, 1.0) or not np.isnan(figure.low):
        return figure
    exact = exact_binomial(int(figure.value) * patients, patients, figure.level)
    return replace(exact, method=f"{exact.method} at {patients} patients")
