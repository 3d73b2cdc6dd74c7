"""From a logit to an answer: calibration, operating points, the band in which nothing is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Interval:
    """A figure with its confidence interval.

    Attributes:
        value: the estimate; nan where it is undefined (no positives, say).
        low, high: bounds.
        method: how the bounds were made ("exact binomial", "bootstrap over groups" ...).
        level: confidence level.
    """

    value: float
    low: float
    high: float
    method: str
    level: float = 0.95

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "undefined"
        reach = "no interval" if np.isnan(self.low) else f"{self.low:.3f}, {self.high:.3f}"
        return f"{self.value:.3f} [{reach}]"


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it was measured to do.

    Attributes:
        name: for example ``"screening"``.
        threshold: a tumor is reported at a calibrated probability at or above this, 0..1.
        wanted_sensitivity: what the fit aimed at; None where it aimed at something else.
        sensitivity, specificity: on the pictures that it was fitted on.
        fitted_on: the data of the fit, in words.
        wanted_specificity: what the fit aimed at; None where it aimed at something else.
        level: confidence at which the aim was to hold beyond the pictures of the fit; None: not asked for.
        guaranteed: whether the data of the fit sufficed for that.
        statement: what holds, and what does not, in words.
    """

    name: str
    threshold: float
    wanted_sensitivity: float | None
    sensitivity: Interval
    specificity: Interval
    fitted_on: str
    wanted_specificity: float | None = None
    level: float | None = None
    guaranteed: bool = False
    statement: str = ""

    @property
    def aim(self) -> str:
        """What the fit aimed at, in words."""
        if self.wanted_sensitivity is not None:
            return f"a sensitivity of {100 * self.wanted_sensitivity:.1f} %"
        if self.wanted_specificity is not None:
            return f"a specificity of {100 * self.wanted_specificity:.1f} %"
        return "the largest sum of sensitivity and specificity"


@dataclass(frozen=True)
class Calibration:
    """From a logit to the probability of a tumor; never falling.

    Attributes:
        method: ``temperature`` (Guo et al. 2017), ``platt`` (an affine map, Platt 1999), ``beta`` (Kull et
            al. 2017) or ``isotonic`` (Zadrozny and Elkan 2002).
        parameters: numbers by name: ``slope``, ``offset``; of beta ``tumor``, ``none`` and ``offset``; of
            isotonic the knots ``logits`` and ``probabilities``, both rising.
        error: calibration error of this method out of fold (15 equal-mass bins); None: not measured.
        fitted_on: the data of the fit, in words.
    """

    method: Literal["temperature", "platt", "beta", "isotonic"]
    parameters: Mapping[str, tuple[float, ...]]
    error: float | None = None
    fitted_on: str = ""

    def probability(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Calibrated probability of a tumor, 0..1, from uncalibrated logits of any shape."""
        z, numbers = np.asarray(logits, np.float64), self.parameters
        if self.method == "isotonic":
            return np.asarray(np.interp(z, numbers["logits"], numbers["probabilities"]))
        if self.method == "beta":
            # ln p and ln(1 - p) of p = sigmoid(z), without forming p, which rounds to 0 and 1.
            surprise, other = np.logaddexp(0.0, -z), np.logaddexp(0.0, z)
            scaled = numbers["none"][0] * other - numbers["tumor"][0] * surprise + numbers["offset"][0]
        else:
            scaled = z * numbers["slope"][0] + numbers.get("offset", (0.0,))[0]
        return np.asarray(np.exp(-np.logaddexp(0.0, -scaled)))

    @property
    def words(self) -> str:
        """Method and numbers, for people."""
        if self.method == "temperature":
            return f"temperature {1 / self.parameters['slope'][0]:.4g}"
        if self.method == "isotonic":
            return f"isotonic, {len(self.parameters['logits'])} knots"
        return f"{self.method}, " + ", ".join(f"{key} {one[0]:.4g}" for key, one in self.parameters.items())


@dataclass(frozen=True)
class UncertainBand:
    """Between two probabilities nothing is said, so that each class is called wrongly no more than so often.

    Class-conditional (Mondrian) conformal prediction: "tumor" is possible from `tumor_from` on, "no tumor" up
    to `none_to`; between the two, whichever is the lower, both are possible or neither is.

    Attributes:
        tumor_from, none_to: calibrated probabilities, 0..1.
        error: wanted share of each class that gets the other's verdict, at most.
        tumor_error, none_error: the share that the data of the fit can promise.
        fitted_on: the data of the fit, in words.
        statement: what that means, in words.
    """

    tumor_from: float
    none_to: float
    error: float
    tumor_error: float
    none_error: float
    fitted_on: str
    statement: str = ""

    @property
    def low(self) -> float:
        """Below it, "no tumor" is the only possible answer."""
        return min(self.tumor_from, self.none_to)

    @property
    def high(self) -> float:
        """Above it, "tumor" is the only possible answer."""
        return max(self.tumor_from, self.none_to)
