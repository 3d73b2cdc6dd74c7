"""What an evidence head is told: targets as arrays, the losses of cells and picture, two metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import EvidenceSettings
from tumorscan.data.examples import Example
from tumorscan.errors import require


def stacked(made: Sequence[Example]) -> tuple[NDArray[np.uint8], tuple[NDArray[np.float32], ...]]:
    """Pictures (uint8, N x S x S x 3); cells and weights (N x g x g x 2), labels and weights (N x 2)."""
    cells = np.stack([np.stack([one.cells, one.cell_weights], axis=-1) for one in made])
    labels = np.array([[one.label, one.weight] for one in made], np.float32)
    return np.stack([one.picture for one in made]), (cells, labels)


def cells_loss(settings: EvidenceSettings) -> Any:
    """Cross-entropy of the cells.

    `mean`: of all cells of a batch that count. `halves`: the mean over pictures of half of the mean of the
    tumor's cells, a quarter of the empty ones', a quarter of the hardest of those (online hard example
    mining, Shrivastava et al. 2016).
    """
    ops = require("keras.ops", "train")

    def entropies(truth: Any, logits: Any) -> tuple[Any, Any, Any]:
        targets, weights, z = truth[..., 0], truth[..., 1], logits[..., 0]
        return ops.softplus(z) - targets * z, weights * targets, weights * (1 - targets)

    def mean(truth: Any, logits: Any) -> Any:
        entropy, tumor, empty = entropies(truth, logits)
        return ops.sum(entropy * (tumor + empty)) / ops.maximum(ops.sum(tumor + empty), 1.0)

    def halves(truth: Any, logits: Any) -> Any:
        entropy, tumor, empty = entropies(truth, logits)
        count = entropy.shape[1] * entropy.shape[2]
        hardest = max(1, int(settings.hardest * count))
        worst, _ = ops.top_k(ops.reshape(empty * entropy, (-1, count)), hardest)
        return ops.mean(
            0.5 * _mean(ops, entropy, tumor)
            + 0.25 * _mean(ops, entropy, empty)
            + 0.25 * ops.mean(worst, axis=-1)
        )

    return mean if settings.cells == "mean" else halves


def _mean(ops: Any, values: Any, weights: Any) -> Any:
    return ops.sum(values * weights, axis=(1, 2)) / ops.maximum(ops.sum(weights, axis=(1, 2)), 1.0)


def image_loss() -> Any:
    """Cross-entropy of the picture's logit, summed by its weight and divided by the size of the batch.

    Not by the sum of the weights: a batch with few labels that count would pull at them all the harder.
    """
    ops = require("keras.ops", "train")

    def loss(truth: Any, logits: Any) -> Any:
        label, weight, z = truth[:, 0], truth[:, 1], logits[:, 0]
        return ops.mean(weight * (ops.softplus(z) - label * z))

    return loss


def image_auc(*, accuracy: bool = False) -> Any:
    """A metric of the picture's logit, `auc` or `accuracy`, that reads labels with their weights."""
    metrics = require("keras.metrics", "train")
    made = (
        metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
        if accuracy
        else metrics.AUC(name="auc", from_logits=True, num_thresholds=1000)
    )
    plain = made.update_state

    def update_state(truth: Any, logits: Any, sample_weight: Any = None) -> Any:  # noqa: ARG001 - Keras passes it
        return plain(truth[:, :1], logits, truth[:, 1])

    made.update_state = update_state
    return made
