"""Whether an exported network says what the trained one says, as numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.detect.engine import Engine
from tumorscan.errors import DataError
from tumorscan.evaluate.weighted import auc
from tumorscan.types import Calibration, Picture, Scores

MOST_LOGIT: Final = 1e-3
"""By how much an exact export may differ in a logit."""
MOST_DECISIONS, MOST_AUC = 0.005, 0.002
"""Share of the decisions, and of AUC, that int8 may change."""


@dataclass(frozen=True)
class Parity:
    """An engine against the trained network, on the same pictures.

    Attributes:
        engine: its name.
        batch: pictures in a batch; the last may hold fewer.
        pictures: how many.
        largest, mean: |difference| of logits.
        decisions_differ: pictures on the other side of the threshold.
        auc, auc_trained: the engine's and the trained network's; None where the pictures have one label.
        map_correlation, lowest_map_correlation: Pearson's, of feature maps: mean and lowest over pictures;
            a map without any variance counts as 1 where both are equal, else as 0.
    """

    engine: str
    batch: int
    pictures: int
    largest: float
    mean: float
    decisions_differ: int
    auc: float | None
    auc_trained: float | None
    map_correlation: float
    lowest_map_correlation: float

    @property
    def auc_difference(self) -> float:
        """|difference| of the AUCs; 0 where there are none."""
        return (
            abs(self.auc - self.auc_trained) if self.auc is not None and self.auc_trained is not None else 0.0
        )

    def inexact(self) -> str:
        """Why this is no exact export; empty if it is."""
        if self.largest <= MOST_LOGIT:
            return ""
        return f"{self.engine} differs by {self.largest:.2g} in a logit, {MOST_LOGIT:g} is allowed"

    def unfaithful(self) -> str:
        """Why the answers are not faithful enough for int8; empty if they are."""
        if self.decisions_differ > MOST_DECISIONS * self.pictures:
            return (
                f"{self.engine} changes {self.decisions_differ} of {self.pictures} decisions, "
                f"{MOST_DECISIONS:.1%} are allowed"
            )
        if self.auc_difference > MOST_AUC:
            return f"{self.engine} changes AUC by {self.auc_difference:.4f}, {MOST_AUC:g} is allowed"
        return ""

    def to_table(self) -> dict[str, Any]:
        """For parity.json."""
        return {**asdict(self), "auc_difference": self.auc_difference}


def scores_of(engine: Engine, pictures: Picture, batch: int) -> Scores:
    """Everything that an engine says of the pictures, in batches.

    Raises:
        DataError: the engine keeps no maps.
    """
    parts = [engine.run(pictures[i : i + batch]) for i in range(0, len(pictures), batch)]
    columns = []
    for name in ("logits", "map", "embedding"):
        values = [getattr(part, name) for part in parts]
        if any(one is None for one in values):
            raise DataError(f"the engine {engine.name} gives no {name}")
        columns.append(np.concatenate(values))
    return Scores(*columns)


def compare(
    engine: Engine,
    trained: Scores,
    pictures: Picture,
    labels: NDArray[np.int64],
    *,
    batch: int,
    calibration: Calibration,
    threshold: float,
) -> Parity:
    """Run an engine and hold it against the trained network.

    Args:
        engine: to be judged.
        trained: what the trained network says of the same pictures, with maps.
        pictures: uint8 RGB, N x S x S x 3.
        labels: N, 1 = tumor.
        batch: pictures in a batch.
        calibration: of the bundle.
        threshold: of its operating point, on the calibrated probability.
    """
    scores = scores_of(engine, pictures, batch)
    difference = np.abs(scores.logits.astype(np.float64) - trained.logits)
    said, said_trained = (calibration.probability(s.logits) >= threshold for s in (scores, trained))
    correlations = _correlations(scores.map, trained.map)
    return Parity(
        engine=engine.name,
        batch=batch,
        pictures=len(pictures),
        largest=float(difference.max()),
        mean=float(difference.mean()),
        decisions_differ=int((said != said_trained).sum()),
        auc=_auc(labels, scores.logits),
        auc_trained=_auc(labels, trained.logits),
        map_correlation=float(correlations.mean()),
        lowest_map_correlation=float(correlations.min()),
    )


def _auc(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> float | None:
    value = float(auc(labels, logits.astype(np.float64))(np.ones((1, len(labels))))[0])
    return value if np.isfinite(value) else None


def _correlations(
    maps: NDArray[np.float32] | None, others: NDArray[np.float32] | None
) -> NDArray[np.float64]:
    if maps is None or others is None:
        raise DataError("there are no maps to compare")
    found = []
    for one, other in zip(maps, others, strict=True):
        a, b = (values.ravel().astype(np.float64) - values.mean(dtype=np.float64) for values in (one, other))
        size = float(np.sqrt((a @ a) * (b @ b)))
        found.append(float(a @ b) / size if size > 0 else float(np.array_equal(one, other)))
    return np.array(found)
