"""Figures of parts of an external set (a source, a plane, a patient), and of the whole where that is honest.

An AUC of tumors from one source against non-tumors from another measures the sources: scanners, windows
and croppings differ more than heads do. So whatever mixes the classes is withheld, with the reason, where
a source holds one class only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscan.evaluate import weighted
from tumorscan.evaluate.intervals import exact_binomial
from tumorscan.evaluate.metrics import Evaluation, evaluate
from tumorscan.jsonable import plain_interval
from tumorscan.types import Interval

MIXING: Final = (
    *("accuracy", "precision", "f1", "roc_auc", "average_precision"),
    *("brier", "ece", "log_loss"),
)
"""Figures that pictures of both classes enter; sensitivity and specificity are of one class each."""

SIDES: Final = ("sensitivity", "specificity")


@dataclass(frozen=True, eq=False)
class Stratum:
    """What a system did on a part of a set.

    Attributes:
        name: of the part.
        n: pictures.
        tumors: those with a tumor.
        units: patients or groups, what the bootstrap draws.
        unit: "patients" or "groups".
        figures: sensitivity, specificity and `MIXING`, by the bootstrap over units; nan where withheld
            or undefined, with the reason as the method.
        exact: sensitivity and specificity with exact binomial intervals, which take the pictures as
            independent.
        refusal: why the figures of `MIXING` are withheld; empty where they stand.
        evaluation: counts and curves, its withheld figures nan; None where sources of one class are
            pooled, for then the curves would mix them as well.
    """

    name: str
    n: int
    tumors: int
    units: int
    unit: str
    figures: Mapping[str, Interval]
    exact: Mapping[str, Interval]
    refusal: str
    evaluation: Evaluation | None

    def to_table(self) -> dict[str, Any]:
        """Plain values for metrics.json; what is undefined is None."""
        return {
            "n": self.n,
            "tumors": self.tumors,
            self.unit: self.units,
            "figures": {name: plain_interval(figure) for name, figure in self.figures.items()},
            "exact": {name: plain_interval(figure) for name, figure in self.exact.items()},
            "withheld": self.refusal,
        }


@dataclass(frozen=True)
class PatientRow:
    """One patient's pictures; there is nothing to resample, so only exact intervals.

    Attributes:
        name: of the patient.
        n: pictures.
        tumors: those with a tumor.
        sensitivity, specificity: exact binomial.
        roc_auc: within the patient; nan where one class is missing.
    """

    name: str
    n: int
    tumors: int
    sensitivity: Interval
    specificity: Interval
    roc_auc: float

    def to_table(self) -> dict[str, Any]:
        """Plain values for metrics.json."""
        return {
            "n": self.n,
            "tumors": self.tumors,
            "sensitivity": plain_interval(self.sensitivity),
            "specificity": plain_interval(self.specificity),
            "roc_auc": None if np.isnan(self.roc_auc) else self.roc_auc,
        }


def pooling_refusal(labels: ArrayLike, sources: ArrayLike) -> str:
    """Why figures that mix the classes of these pictures mean nothing; empty where they may stand.

    Args:
        labels: N, 1 for a tumor, 0 for none.
        sources: N names.
    """
    truth, names = weighted.check_labels(labels), np.asarray(sources).astype(np.str_)
    if np.unique(truth).size < 2:
        return "only tumors here" if truth[0] else "no tumor here"
    alone = {
        str(name): "tumors only" if truth[names == name][0] else "no tumor"
        for name in np.unique(names)
        if np.unique(truth[names == name]).size < 2
    }
    if not alone:
        return ""
    told = "; ".join(f"source {name} holds {what}" for name, what in alone.items())
    return f"{told}: a figure over both classes would tell the sources apart, not the tumors"


def measure(
    name: str,
    labels: ArrayLike,
    probabilities: ArrayLike,
    sources: ArrayLike,
    units: ArrayLike,
    *,
    threshold: float,
    unit: str,
    force: bool = False,
    resamples: int = 2000,
    seed: int = 1,
) -> Stratum:
    """Measure a part, or the whole, of a set.

    Args:
        name: of the part.
        labels: N, 1 for a tumor, 0 for none.
        probabilities: N, of a tumor, 0..1.
        sources: N names of where the pictures come from.
        units: N names of patients or groups, what the bootstrap draws.
        threshold: a tumor is said at a probability at or above it.
        unit: what a unit is called: "patients", "groups".
        force: let the figures stand even where a source holds one class only.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        DataError, SettingsError: as `evaluate` has them.
    """
    truth = weighted.check_labels(labels)
    found = evaluate(
        truth,
        probabilities,
        threshold=threshold,
        groups=units,
        resamples=resamples,
        seed=seed,
        unit=unit,
    )
    one_class = np.unique(truth).size < 2
    refusal = "" if force and not one_class else pooling_refusal(truth, sources)
    # The proportions' bootstrap stands among the alternatives; DeLong, the AUC's there, knows no units.
    drawn = {**found.figures, **{key: found.alternatives[key] for key in ("accuracy", "precision", *SIDES)}}
    figures = {key: drawn[key] for key in (*SIDES, *MIXING)}
    kept = found
    if refusal:
        nothing = Interval(np.nan, np.nan, np.nan, f"withheld: {refusal}")
        figures |= dict.fromkeys(MIXING, nothing)
        kept = replace(found, figures={**found.figures, **dict.fromkeys(MIXING, nothing)}, alternatives={})
    return Stratum(
        name=name,
        n=found.n,
        tumors=int(truth.sum()),
        units=found.n_groups,
        unit=unit,
        figures=figures,
        exact={key: found.figures[key] for key in SIDES},
        refusal=refusal,
        evaluation=kept if one_class or not refusal else None,
    )


def patient_rows(
    labels: ArrayLike, probabilities: ArrayLike, patients: Sequence[str], *, threshold: float
) -> tuple[PatientRow, ...]:
    """One row a patient, in the order of their names; pictures without a patient are left out.

    Args:
        labels: N, 1 for a tumor, 0 for none.
        probabilities: N, of a tumor, 0..1.
        patients: N names, empty where not known.
        threshold: a tumor is said at a probability at or above it.
    """
    truth = weighted.check_labels(labels)
    scores = weighted.check_scores("probabilities", probabilities, truth.size, probability=True)
    names = np.asarray(patients).astype(np.str_)
    return tuple(
        _patient(str(name), truth[names == name], scores[names == name], threshold)
        for name in np.unique(names)
        if name
    )


def _patient(
    name: str, truth: NDArray[np.int64], scores: NDArray[np.float64], threshold: float
) -> PatientRow:
    said = scores >= threshold
    tumors = int(truth.sum())
    area = weighted.auc(truth, scores)(np.ones((1, truth.size)))[0]
    return PatientRow(
        name=name,
        n=int(truth.size),
        tumors=tumors,
        sensitivity=exact_binomial(int((said & (truth == 1)).sum()), tumors),
        specificity=exact_binomial(int((~said & (truth == 0)).sum()), int(truth.size) - tumors),
        roc_auc=float(area),
    )
