"""Figures of telling K kinds apart, by slice and by patient, with intervals over patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import DataError
from tumorscan.evaluate.intervals import exact_binomial, group_bootstrap
from tumorscan.evaluate.weighted import Statistic, calibration_error, ratio
from tumorscan.jsonable import plain_interval
from tumorscan.types import Interval

BINS = 15


@dataclass(frozen=True)
class KindFigures:
    """How well kinds were told apart.

    Attributes:
        slices, patients: how many.
        figures: `slice_accuracy`, `patient_accuracy` (mean log-probability over a patient's slices),
            `slice_recall KIND`, `patient_recall KIND`, `ece` of the likeliest kind's probability (slices);
            and where it was asked `slice_said`, `slice_said_accuracy`, `patient_said`,
            `patient_said_accuracy`.
        confusion: truth x likeliest kind, slices.
    """

    slices: int
    patients: int
    figures: Mapping[str, Interval]
    confusion: tuple[tuple[int, ...], ...]

    def to_table(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "slices": self.slices,
            "patients": self.patients,
            "figures": {name: plain_interval(one) for name, one in self.figures.items()},
            "confusion": [list(row) for row in self.confusion],
        }

    def lines(self) -> list[str]:
        """A line a figure."""
        return [f"{kind_title(name):34}{one}" for name, one in self.figures.items()]


def kind_figures(
    probabilities: NDArray[np.float64],
    kinds: NDArray[np.int64],
    patients: NDArray[np.str_],
    names: Sequence[str],
    *,
    pooled: Mapping[str, NDArray[np.float64]] | None = None,
    said: NDArray[np.bool_] | None = None,
    patient_said: Mapping[str, bool] | None = None,
) -> KindFigures:
    """Measure probabilities of kinds against the truth.

    Args:
        probabilities: N x K.
        kinds: int64, N, 0..K-1: the truth.
        patients: N names; slices of one patient have one kind.
        names: K.
        pooled: K probabilities a patient; None: see `pooled_by_patient`.
        said: N; whether a kind was told or "not sure"; None where that was not asked.
        patient_said: the same by patient.

    Raises:
        DataError: the shapes do not fit.
    """
    if probabilities.shape != (len(kinds), len(names)) or len(patients) != len(kinds) or not len(kinds):
        raise DataError(
            f"probabilities {probabilities.shape} for {len(kinds)} slices, {len(patients)} patients and "
            f"{len(names)} kinds do not fit"
        )
    right = (probabilities.argmax(1) == kinds).astype(np.float64)
    parts = {"slice": (right, np.ones(len(kinds)))}
    pooled = pooled_by_patient(probabilities, patients) if pooled is None else pooled
    parts["patient"] = _by_patient(pooled, kinds, patients)
    statistics: dict[str, Statistic] = {f"{unit}_accuracy": ratio(*part) for unit, part in parts.items()}
    for unit, (hits, weight) in parts.items():
        for number, name in enumerate(names):
            mine = kinds == number
            statistics[f"{unit}_recall {name}"] = ratio(hits * mine, weight * mine)
    statistics["ece"] = calibration_error(right.astype(np.int64), probabilities.max(1), BINS)
    statistics |= _unsure(parts, patients, said, patient_said)
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, (kinds, probabilities.argmax(1)), 1)
    figures = group_bootstrap(statistics, patients, unit="patients")
    return KindFigures(
        len(kinds),
        len(np.unique(patients)),
        {name: _exact_if_needed(name, one, parts["patient"], kinds, names) for name, one in figures.items()},
        tuple(tuple(int(one) for one in row) for row in confusion),
    )


def pooled_by_patient(
    probabilities: NDArray[np.float64], patients: NDArray[np.str_]
) -> dict[str, NDArray[np.float64]]:
    """Of each patient the mean log-probability over the slices, made to sum to 1 again; K each."""
    logs = np.log(np.maximum(probabilities, 1e-4))
    found = {}
    for patient in np.unique(patients):
        mean = logs[patients == patient].mean(0)
        raised = np.exp(mean - mean.max())
        found[str(patient)] = raised / raised.sum()
    return found


def _by_patient(
    pooled: Mapping[str, NDArray[np.float64]], kinds: NDArray[np.int64], patients: NDArray[np.str_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each slice with its share of its patient, and of whether the patient's likeliest kind is right."""
    _, place, count = np.unique(patients, return_inverse=True, return_counts=True)
    share = 1.0 / count[place]
    right = np.array([pooled[str(one)].argmax() for one in patients]) == kinds
    return share * right, share


def _exact_if_needed(
    name: str,
    figure: Interval,
    patient: tuple[NDArray[np.float64], NDArray[np.float64]],
    kinds: NDArray[np.int64],
    names: Sequence[str],
) -> Interval:
    """Of whole patients, who are independent, the exact interval where all resamples agree."""
    unit, _, what = name.partition("_")
    measure, _, kind = what.partition(" ")
    if unit != "patient" or measure not in ("accuracy", "recall") or not np.isnan(figure.low):
        return figure
    mine = kinds == list(names).index(kind) if kind else np.ones(len(kinds), bool)
    hits, weight = (round(float(column[mine].sum())) for column in patient)
    return exact_binomial(hits, weight)


def _unsure(
    parts: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    patients: NDArray[np.str_],
    said: NDArray[np.bool_] | None,
    patient_said: Mapping[str, bool] | None,
) -> dict[str, Statistic]:
    told: dict[str, NDArray[np.bool_]] = {}
    if said is not None:
        told["slice"] = said
    if patient_said is not None:
        told["patient"] = np.array([patient_said[str(one)] for one in patients])
    statistics: dict[str, Statistic] = {}
    for unit, mine in told.items():
        hits, weight = parts[unit]
        statistics[f"{unit}_said"] = ratio(weight * mine, weight)
        statistics[f"{unit}_said_accuracy"] = ratio(hits * mine, weight * mine)
    return statistics


def kind_title(name: str) -> str:
    """What a figure is called in text."""
    unit, _, what = name.partition("_")
    if name == "ece":
        return "calibration error, slices"
    words = {"said": "told, not unsure", "said_accuracy": "accuracy of those told"}.get(what, what)
    return f"{words}, {unit}s"
