"""Heads: from the trunk's last feature map to one logit."""

from __future__ import annotations

from typing import Any

from tumorscan.config import ModelSettings
from tumorscan.errors import require

POOL = "head_pool"
DENSE = "head_dense"
NORM = "head_norm"
LOGIT = "head_logit"


def attach_pooled_head(features: Any, settings: ModelSettings) -> Any:
    """The original's head: global average pooling, Dense, BatchNorm, ReLU, Dropout, one logit.

    Args:
        features: Keras tensor, N x h x w x C.
        settings: width of the dense layer and rate of the dropout.

    Returns:
        Keras tensor, float32, N x 1: the logit of "tumor". Float32 whatever the policy, so that
        mixed precision never rounds a probability.
    """
    layers = require("keras.layers", "train")
    x = layers.GlobalAveragePooling2D(name=POOL)(features)
    x = layers.Dense(settings.dense, name=DENSE)(x)
    # Small sets have few steps an epoch: Keras's momentum of 0.99 would still remember the start at the end.
    x = layers.BatchNormalization(momentum=0.9, name=NORM)(x)
    x = layers.ReLU(name="head_relu")(x)
    x = layers.Dropout(settings.dropout, name="head_dropout")(x)
    return layers.Dense(1, dtype="float32", name=LOGIT)(x)
