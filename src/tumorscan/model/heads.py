"""Heads: from the trunk's last feature map to one logit, pooled first or a cell at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from tumorscan.config import ModelSettings
from tumorscan.errors import SettingsError, require

POOL = "head_pool"
DENSE = "head_dense"
NORM = "head_norm"
LOGIT = "head_logit"
CELLS = "head_cells"
GATHER = "head_gather"


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


def attach_evidence_head(features: Any, settings: ModelSettings) -> Any:
    """A logit for each cell of the map, and the picture's from the highest of them.

    Args:
        features: Keras tensor, N x h x w x C, before its last activation.
        settings: width, dropout, and the aggregation.

    Returns:
        Keras tensor, float32, N x 1: the logit of "tumor"; it never falls when a cell's logit rises, since
        the only weight behind the aggregation is kept from falling below zero.
    """
    layers = require("keras.layers", "train")
    constraints = require("keras.constraints", "train")
    x = layers.BatchNormalization(momentum=0.9, name=NORM)(features)
    x = layers.ReLU(name="head_relu")(x)
    x = layers.Dropout(settings.dropout, name="head_dropout")(x)
    if settings.dense:
        x = layers.Conv2D(settings.dense, 1, activation="relu", name="head_narrow")(x)
        for name in ("head_around", "head_farther"):
            x = layers.Conv2D(settings.dense, 3, padding="same", activation="relu", name=name)(x)
    # Few cells are tumor: starting there keeps the first steps from being spent on it.
    cells = layers.Conv2D(
        1,
        1,
        bias_initializer=require("keras.initializers", "train").Constant(-3.0),
        dtype="float32",
        name=CELLS,
    )(x)
    gather = (
        highest_layer()(settings.highest, dtype="float32", name=GATHER)
        if settings.highest
        else gather_layer()(settings.sharpness, dtype="float32", name=GATHER)
    )
    gathered = gather(cells)
    return layers.Dense(
        1, kernel_initializer="ones", kernel_constraint=constraints.NonNeg(), dtype="float32", name=LOGIT
    )(gathered)


@dataclass(frozen=True)
class Seams:
    """Where a network can be looked into.

    Attributes:
        map: Keras tensor, N x h x w x C: what explains the logit: the trunk's last map, or the cells' logits
            (C = 1).
        features: Keras tensor, N x h x w x C: the trunk's last map; its mean is the embedding.
    """

    map: Any
    features: Any


def seams(network: Any) -> Seams:
    """The seams of a network of `build_network`."""
    if has_cells(network):
        return Seams(network.get_layer(CELLS).output, network.get_layer(NORM).input)
    features = network.get_layer(POOL).input
    return Seams(features, features)


def has_cells(network: Any) -> bool:
    """Whether a network of `build_network` has a logit for each cell, as the evidence head has."""
    return any(layer.name == GATHER for layer in network.layers)


@cache
def gather_layer() -> Any:
    """The class of the layer that gathers cell logits: a smooth maximum, log-mean-exp (Boyd & Vandenberghe).

    gathered = log(mean(exp(r cell))) / r over all cells: the mean for r near 0, the highest for large r,
    rising in every cell.
    """
    keras, ops = require("keras", "train"), require("keras.ops", "train")

    class Gather(keras.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, sharpness: float, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.sharpness = sharpness

        def compute_output_shape(self, shape: Any) -> tuple[Any, int]:
            return shape[0], 1

        def call(self, cells: Any) -> Any:
            count = cells.shape[1] * cells.shape[2]
            highest = ops.logsumexp(cells * self.sharpness, axis=(1, 2))
            return (highest - float(np.log(count))) / self.sharpness

    return Gather


@cache
def highest_layer() -> Any:
    """The class of the layer that gathers cell logits as the mean of the highest, rising in every cell."""
    keras, ops = require("keras", "train"), require("keras.ops", "train")

    class Highest(keras.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, count: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.count = count

        def build(self, shape: Any) -> None:
            if self.count > shape[1] * shape[2]:
                raise SettingsError(
                    f"model.highest={self.count} is more than the {shape[1]} x {shape[2]} cells there are"
                )

        def compute_output_shape(self, shape: Any) -> tuple[Any, int]:
            return shape[0], 1

        def call(self, cells: Any) -> Any:
            flat = ops.reshape(cells, (-1, cells.shape[1] * cells.shape[2]))
            return ops.mean(ops.top_k(flat, self.count)[0], axis=-1, keepdims=True)

    return Highest
