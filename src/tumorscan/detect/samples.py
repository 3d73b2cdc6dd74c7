"""What the fits of calibration, operating points and band take: scores, labels, groups and sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscan.errors import DataError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Samples:
    """Checked data of a fit.

    Attributes:
        scores: float64, N, finite: logits or probabilities.
        labels: int64, N, 1 = tumor; both are there.
        groups: int64, N: the number of what a picture belongs to (copies, a patient).
        sources: str, N; all the same where none were given.
    """

    scores: Floats
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    sources: NDArray[np.str_]

    @classmethod
    def of(
        cls,
        name: str,
        scores: ArrayLike,
        labels: ArrayLike,
        groups: ArrayLike,
        sources: ArrayLike | None = None,
    ) -> Samples:
        """Check the data of a fit.

        Args:
            name: what messages call the scores.
            scores: N.
            labels: N, 1 = tumor, 0 = none.
            groups: N names.
            sources: N names; None where there is one source.

        Raises:
            DataError: nothing there, lengths that differ, a score that is not finite, a label that is
                neither 0 nor 1, one class only.
        """
        values: NDArray[Any] = np.asarray(scores, np.float64)
        if values.ndim != 1 or not values.size:
            raise DataError(f"{name} have the shape {values.shape}: give one for each calibration picture")
        columns = {"labels": labels, "groups": groups}
        if sources is not None:
            columns["sources"] = sources
        for what, column in columns.items():
            if np.shape(column) != values.shape:
                raise DataError(
                    f"{what} have the shape {np.shape(column)} for {values.size} {name}: "
                    "give one for each picture"
                )
        if not np.isfinite(values).all():
            raise DataError(
                f"{name} are not finite at picture {int(np.argmin(np.isfinite(values)))}: mend the model"
            )
        truth: NDArray[Any] = np.asarray(labels)
        if not np.isin(truth, (0, 1)).all():
            raise DataError("labels must be 0 (no tumor) or 1 (tumor)")
        if np.unique(truth).size < 2:
            raise DataError("the calibration split holds one class only: add pictures of the other")
        _, numbers = np.unique(np.asarray(groups).astype(np.str_), return_inverse=True)
        names = np.full(values.size, "") if sources is None else np.asarray(sources).astype(np.str_)
        return cls(values, truth.astype(np.int64), numbers.astype(np.int64), names)

    @classmethod
    def of_probabilities(
        cls,
        probabilities: ArrayLike,
        labels: ArrayLike,
        groups: ArrayLike,
        sources: ArrayLike | None = None,
    ) -> Samples:
        """As `of`, for probabilities.

        Raises:
            DataError: as `of`, or one lies outside of 0..1.
        """
        found = cls.of("probabilities", probabilities, labels, groups, sources)
        if found.scores.min() < 0 or found.scores.max() > 1:
            raise DataError(
                f"probabilities reach from {found.scores.min():g} to {found.scores.max():g}: "
                "they must lie in 0..1"
            )
        return found

    def balanced(self) -> Floats:
        """Weights that give each source the same say, with a mean of 1; float64, N."""
        _, place, count = np.unique(self.sources, return_inverse=True, return_counts=True)
        weights: Floats = self.scores.size / (count.size * count[place])
        return weights


def shares(groups: NDArray[np.int64]) -> tuple[Floats, int]:
    """A weight of 1 for each group, dealt among its pictures; and how many groups there are.

    Args:
        groups: int64, N.
    """
    _, place, count = np.unique(groups, return_inverse=True, return_counts=True)
    return 1.0 / count[place], int(count.size)
