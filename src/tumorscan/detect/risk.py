"""Thresholds whose risk is controlled at a level of confidence, with whole groups as the sample.

Learn then Test (Angelopoulos et al. 2021, arXiv:2110.01052): every threshold is a null hypothesis "its
risk is above the limit", each with a p-value; they are tested in a fixed sequence from the safest on, which
needs no correction, and the last one rejected before the first that is not is taken. The risk falls
with the threshold's safety, so the thresholds may be those that the data offer (Bates et al. 2021,
arXiv:2101.02703).

The risk is that of a picture drawn from a new group (a patient): a group's loss is the share of its pictures
that are called wrongly, and groups, not pictures, are counted. 30 slices of a patient are one trial.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscan.detect.samples import Floats, shares
from tumorscan.errors import require
from tumorscan.types import Interval


def needed_groups(limit: float, level: float) -> int:
    """Groups without any error that it takes to control a risk: log(1 - level) / log(1 - limit)."""
    return int(np.ceil(np.log1p(-level) / np.log1p(-limit) - 1e-9))


def risk_p_values(risks: Floats, groups: int, limit: float, *, single: bool) -> Floats:
    """P-values of "the risk is above the limit", for risks measured on independent groups.

    Args:
        risks: float64, K, 0..1: mean loss over the groups, at K thresholds.
        groups: how many.
        limit: of the risk, between 0 and 1.
        single: each group holds one picture, so that its loss is 0 or 1 and the binomial test is exact.
            Else losses lie anywhere in 0..1 and Hoeffding-Bentkus is used (Bates et al. 2021, with
            Bentkus 2004), which holds for all of them.

    Returns:
        float64, K, 0..1.
    """
    binomial = require("scipy.stats", "train").binom
    # Up to the next whole error; a sum of shares may miss a whole number by rounding.
    errors = np.ceil(risks * groups - 1e-9)
    tail: Floats = np.asarray(binomial.cdf(errors, groups, limit))
    if single:
        return tail
    special = require("scipy.special", "train")
    at = np.minimum(risks, limit)
    hoeffding = np.exp(-groups * (special.rel_entr(at, limit) + special.rel_entr(1 - at, 1 - limit)))
    found: Floats = np.minimum(1.0, np.minimum(hoeffding, np.e * tail))
    return found


@dataclass(frozen=True, eq=False)
class Losses:
    """The pictures of one class, told by how safe they are from being called wrongly.

    Attributes:
        margins: float64, N; a picture is called wrongly at every cut above its margin.
        groups: int64, N.
    """

    margins: Floats
    groups: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Groups."""
        return int(np.unique(self.groups).size)

    @property
    def single(self) -> bool:
        """Whether each group holds one picture."""
        return self.count == self.margins.size

    def risks(self, cuts: Floats) -> Floats:
        """Mean over groups of the share called wrongly, at K rising cuts; float64, K, rising."""
        weights, count = shares(self.groups)
        order = np.argsort(self.margins, kind="stable")
        sums = np.concatenate(([0.0], np.cumsum(weights[order])))
        below = np.searchsorted(self.margins[order], cuts, side="left")
        found: Floats = sums[below] / count
        return found

    def holds(self, cuts: Floats, limit: float, level: float | None) -> NDArray[np.bool_]:
        """At which of K rising cuts the risk keeps to its limit, measured over groups and over pictures.

        Args:
            cuts: float64, K.
            limit: of the risk.
            level: of confidence that it does so beyond these groups; None: it need not be shown.
        """
        risks = self.risks(cuts)
        wrong = np.searchsorted(np.sort(self.margins), cuts, side="left") / self.margins.size
        kept = np.maximum(risks, wrong) <= limit + 1e-9
        if level is not None:
            kept &= risk_p_values(risks, self.count, limit, single=self.single) <= 1 - level
        return np.logical_and.accumulate(kept)


def effective_binomial(hits: NDArray[np.bool_], groups: NDArray[np.int64], level: float = 0.95) -> Interval:
    """A share of pictures with its exact interval at the effective number of independent ones.

    Clopper-Pearson with real numbers (Korn and Graubard 1998) at n = N^2 / sum of m^2 for groups of m
    pictures: as if the pictures of a group were copies of one another, which is the worst that they can be.
    With one picture a group it is the plain exact interval.

    Args:
        hits: bool, N.
        groups: int64, N.
        level: of confidence.
    """
    if not hits.size:
        return Interval(np.nan, np.nan, np.nan, "exact binomial: undefined here", level)
    beta = require("scipy.stats", "train").beta
    _, sizes = np.unique(groups, return_counts=True)
    value, n = float(hits.mean()), float(hits.size**2 / (sizes**2).sum())
    x, tail = value * n, (1 - level) / 2
    low = float(beta.ppf(tail, x, n - x + 1)) if x > 0 else 0.0
    high = float(beta.ppf(1 - tail, x + 1, n - x)) if x < n else 1.0
    method = "exact binomial" if sizes.max() == 1 else f"exact binomial at {n:.0f} effective pictures"
    return Interval(value, low, high, method, level)
