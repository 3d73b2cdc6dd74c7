"""When to halve the rate, when to stop, which epoch is best: pure functions of the history.

A resumed run replays them over the epochs it has, so there is no state to lose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tumorscan.config import PhaseSettings


@dataclass(frozen=True)
class Epoch:
    """One row of the training history. Losses are weighted cross-entropies; AUC and accuracy lie in 0..1."""

    phase: str
    epoch: int
    rate: float
    loss: float
    accuracy: float
    auc: float
    val_loss: float
    val_accuracy: float
    val_auc: float

    @property
    def merit(self) -> tuple[float, float]:
        """Validation AUC decides; the lower validation loss breaks ties, which small sets have many of."""
        return round(self.val_auc, 4), -self.val_loss

    def to_table(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def best_epoch(history: Sequence[Epoch]) -> Epoch:
    """The epoch of highest merit; the earliest of equals."""
    return max(history, key=lambda row: row.merit)


def should_stop(history: Sequence[Epoch], settings: PhaseSettings) -> bool:
    """No better epoch within the last `patience`, or all epochs done."""
    if not history:
        return settings.epochs == 0
    waited = history[-1].epoch - best_epoch(history).epoch
    return waited >= settings.patience or history[-1].epoch + 1 >= settings.epochs


def next_rate(history: Sequence[Epoch], settings: PhaseSettings) -> float:
    """The starting rate, halved once for each `plateau` epochs in a row without a better one."""
    rate, waited = settings.rate, 0
    best: tuple[float, float] = (-1.0, float("-inf"))
    for row in history:
        if row.merit > best:
            best, waited = row.merit, 0
        else:
            waited += 1
            if waited >= settings.plateau:
                rate, waited = rate / 2, 0
    return rate
