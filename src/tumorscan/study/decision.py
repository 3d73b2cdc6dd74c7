"""From the calibration split's logits to all that turns a logit into an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscan.config import DecideSettings
from tumorscan.data.records import Record
from tumorscan.detect.band import fit_band
from tumorscan.detect.calibrate import fit_calibration, fit_temperature
from tumorscan.detect.decide import threshold_for
from tumorscan.detect.points import fit_points
from tumorscan.evaluate.intervals import exact_binomial
from tumorscan.types import Calibration, OperatingPoint, UncertainBand


@dataclass(frozen=True)
class Decision:
    """Fields of a bundle's manifest.

    Attributes:
        points: the default first.
        calibration: from logits to probabilities.
        temperature: where that is all that `calibration` is; the manifest then has no other.
        band: None: two verdicts.
    """

    points: tuple[OperatingPoint, ...]
    calibration: Calibration
    temperature: float | None = None
    band: UncertainBand | None = None

    def fields(self) -> dict[str, Any]:
        """As `Manifest` and `dataclasses.replace` take them."""
        return {
            "temperature": self.temperature,
            "calibration": self.calibration if self.temperature is None else None,
            "operating_points": self.points,
            "band": self.band,
        }


def fit_decision(
    logits: ArrayLike, records: Sequence[Record], settings: DecideSettings, fitted_on: str
) -> Decision:
    """Fit calibration, operating points and band as the settings ask.

    All three are fitted on the same pictures. That costs points and band nothing: they depend on the
    order of the probabilities alone, which no calibration changes.

    Args:
        logits: N, uncalibrated.
        records: of the N pictures; their sources are held apart where there are several.
        settings: what is wanted.
        fitted_on: the data, in words.

    Raises:
        DataError: one class only, or too little to fit on.
    """
    labels = np.array([record.label == "tumor" for record in records], np.int64)
    groups = [record.group for record in records]
    names = [record.source for record in records]
    sources = names if len(set(names)) > 1 else None
    temperature = None
    if settings.calibration == "temperature":
        temperature = fit_temperature(logits, labels)
        calibration = Calibration("temperature", {"slope": (1 / temperature,)})
    else:
        calibration = fit_calibration(
            logits, labels, groups, sources, method=settings.calibration, fitted_on=fitted_on
        )
    probabilities = calibration.probability(logits)
    points: tuple[OperatingPoint, ...]
    if settings.points == "screening":
        points = (fit_operating_point(probabilities, labels, settings.sensitivity, fitted_on),)
    else:
        points = fit_points(
            probabilities,
            labels,
            groups,
            fitted_on,
            sensitivity=settings.sensitivity,
            specificity=settings.specificity,
            level=settings.level,
            sources=sources,
        )
    band = None
    if settings.band:
        band = fit_band(probabilities, labels, groups, error=settings.band, fitted_on=fitted_on)
    return Decision(points, calibration, temperature, band)


def refuse_too_few(records: Sequence[Record], settings: DecideSettings) -> None:
    """Refuse pictures on which nothing could be fitted: before a training, not after it.

    It fits on logits that are made up, since what is refused are labels and groups.

    Raises:
        DataError: as `fit_decision`.
    """
    tumor = np.array([record.label == "tumor" for record in records], np.float64)
    fit_decision(np.random.default_rng(1).normal(4 * tumor - 2), records, settings, "made-up logits")


def fit_operating_point(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], sensitivity: float, fitted_on: str
) -> OperatingPoint:
    """The threshold that measures a wanted sensitivity, with what it does on the data of the fit."""
    threshold = threshold_for(probabilities, labels, sensitivity)
    reported = probabilities >= threshold
    tumors, others = reported[labels == 1], reported[labels == 0]
    return OperatingPoint(
        name="screening",
        threshold=threshold,
        wanted_sensitivity=sensitivity,
        sensitivity=exact_binomial(int(tumors.sum()), len(tumors)),
        specificity=exact_binomial(int((~others).sum()), len(others)),
        fitted_on=fitted_on,
    )
