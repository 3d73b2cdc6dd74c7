"""From a probability to words: operating point, verdict, confidence."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import DataError
from tumorscan.types import OperatingPoint, UncertainBand, Verdict

LEAST_SHOWN: Final = 0.0005
"""What would be shown as 0.0 % is said in words, and so is what would be shown as 100.0 %."""


def threshold_for(probabilities: NDArray[np.float64], labels: NDArray[np.int64], sensitivity: float) -> float:
    """The highest threshold that still finds the wanted share of the tumors.

    It is set half-way down to the next lower probability (or to 0), so that a picture on the
    border is not decided by rounding.

    Args:
        probabilities: N, calibrated, 0..1.
        labels: N, 1 = tumor.
        sensitivity: wanted share, 0..1.

    Raises:
        DataError: there is no tumor to fit on.
    """
    tumors = np.sort(probabilities[labels == 1])
    if not len(tumors):
        raise DataError("the calibration split holds no tumor: a threshold cannot be fitted")
    missed = int(np.floor((1 - sensitivity) * len(tumors) + 1e-9))
    at = tumors[missed]
    below = probabilities[probabilities < at]
    return float((at + (below.max() if len(below) else 0.0)) / 2)


def verdict(probability: float, point: OperatingPoint, band: UncertainBand | None = None) -> Verdict:
    """What is said of a picture at an operating point.

    With a band a verdict needs both: the probability is on the verdict's side of the point's threshold,
    and the verdict is the only possible one by the band. Else it is `CANNOT_SAY`. So nothing is said from
    the lower of threshold and band to the higher, and more probability never turns "tumor" into less.
    """
    said = Verdict.TUMOR if probability >= point.threshold else Verdict.NO_TUMOR
    if band is None:
        return said
    if said is Verdict.TUMOR:
        return said if probability > band.high else Verdict.CANNOT_SAY
    return said if probability < band.low else Verdict.CANNOT_SAY


def verdicts(
    probabilities: NDArray[np.float64], point: OperatingPoint, band: UncertainBand | None = None
) -> list[Verdict]:
    """`verdict` of each of N pictures."""
    return [verdict(float(p), point, band) for p in probabilities]


def wording(said: Verdict) -> str:
    """A verdict as people read it."""
    return f"{said} - please review" if said is Verdict.CANNOT_SAY else str(said)


def confidence(said: Verdict, probability: float) -> float:
    """Confidence in what was said, per cent: the calibrated probability that it is true.

    At a threshold chosen for high sensitivity, a tumor may be reported at a probability under one
    half; its confidence is then under 50 %, which is what it should say. Where nothing was said it is
    the probability of the likelier answer.
    """
    if said is Verdict.CANNOT_SAY:
        return 100.0 * max(probability, 1.0 - probability)
    return 100.0 * (probability if said is Verdict.TUMOR else 1.0 - probability)


def percent(probability: float) -> str:
    """A probability for people: never 0 or 100 %, which no model knows."""
    if probability >= 1 - LEAST_SHOWN:
        return "over 99.9 %"
    return "under 0.1 %" if probability < LEAST_SHOWN else f"{100 * probability:.1f} %"
