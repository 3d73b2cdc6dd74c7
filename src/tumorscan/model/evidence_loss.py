"""What an evidence head is told: targets as arrays, the losses of cells and picture, two metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.data.examples import Example
from tumorscan.errors import require


def stacked(made: Sequence[Example]) -> tuple[NDArray[np.uint8], tuple[NDArray[np.float32], ...]]:
    """Pictures (uint8, N x S x S x 3); cells and weights (N x g x g x 2), labels and weights (N x 2)."""
    cells = np.stack([np.stack([one.cells, one.cell_weights], axis=-1) for one in made])
    labels = np.array([[one.label, one.weight] for one in made], np.float32)
    return np.stack([one.picture for one in made]), (cells, labels)


def cells_loss(hardest: float) -> Any:
    """Cross-entropy of the cells of a picture, each part a mean within its picture.

    Half for the tumor's cells, a quarter for the empty ones, a quarter for the hardest of those (online
    hard example mining, Shrivastava et al. 2016).

    Args:
        hardest: share of all cells that are the hardest.
    """
    ops = require("keras.ops", "train")

    def loss(truth: Any, logits: Any) -> Any:
        targets, weights, z = truth[..., 0], truth[..., 1], logits[..., 0]
        count = z.shape[1] * z.shape[2]
        entropy = ops.softplus(z) - targets * z
        tumor, empty = weights * targets, weights * (1 - targets)
        worst, _ = ops.top_k(ops.reshape(empty * entropy, (-1, count)), max(1, int(hardest * count)))
        return ops.mean(
            0.5 * _mean(ops, entropy, tumor)
            + 0.25 * _mean(ops, entropy, empty)
            + 0.25 * ops.mean(worst, axis=-1)
        )

    return loss


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
