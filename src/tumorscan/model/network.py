"""The network as one flat graph, and what can be asked of the graph: cuts, fresh kernels, norms."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tumorscan.config import ModelSettings
from tumorscan.errors import require
from tumorscan.model.heads import attach_evidence_head, attach_pooled_head
from tumorscan.model.trunk import attach_trunk

HEAD_PREFIX = "head_"


def build_network(settings: ModelSettings, size: int, *, mixed_precision: bool = False) -> Any:
    """Scaling, trunk and head, with fresh weights.

    Args:
        settings: trunk and head.
        size: side S of the pictures in pixels.
        mixed_precision: compute in bfloat16, keep the variables in float32.

    Returns:
        A functional `keras.Model`: uint8 N x S x S x 3 -> float32 N x 1 (logits).
    """
    keras = require("keras", "train")
    with _policy("mixed_bfloat16" if mixed_precision else "float32"):
        pixels = keras.Input((size, size, 3), dtype="uint8", name="pixels")
        features = attach_trunk(settings.trunk, pixels, settings.cut)
        attach = attach_evidence_head if settings.head == "evidence" else attach_pooled_head
        return keras.Model(pixels, attach(features, settings), name=settings.trunk.lower())


@contextmanager
def _policy(name: str) -> Iterator[None]:
    keras = require("keras", "train")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def trunk_layers(network: Any) -> list[Any]:
    """The layers between scaling and head, from bottom to top."""
    names = [layer.name for layer in network.layers]
    first = names.index("scale") + 1
    return [layer for layer in network.layers[first:] if not layer.name.startswith(HEAD_PREFIX)]


def head_layers(network: Any) -> list[Any]:
    """The layers behind the trunk."""
    return [layer for layer in network.layers if layer.name.startswith(HEAD_PREFIX)]


def train_only(network: Any, layers: Iterable[Any]) -> None:
    """Freeze all but these layers; a frozen BatchNorm is in inference mode."""
    names = {layer.name for layer in layers}
    for layer in network.layers:
        layer.trainable = layer.name in names


def inputs_of(layer: Any) -> list[Any]:
    """The tensors that a layer of a flat graph takes."""
    return layer.input if isinstance(layer.input, list) else [layer.input]


def cut_below(network: Any, layer_names: Collection[str]) -> Any:
    """The highest layer whose output is all that the named layers and those above them need.

    What lies under such a cut can be run once and kept.

    Args:
        network: a flat functional model.
        layer_names: layers that must stay above the cut.
    """
    layers = network.layers
    first = next(i for i, layer in enumerate(layers) if layer.name in layer_names)
    for i in range(first - 1, -1, -1):
        below = {id(layer.output) for layer in layers[:i]}
        crossing = {id(t) for layer in layers[i + 1 :] for t in inputs_of(layer)} & below
        if not crossing:
            return layers[i]
    return layers[0]


def behind_fresh_kernels(network: Any, fresh: Collection[str]) -> list[Any]:
    """BatchNorm layers of the trunk that have a freshly started layer below them.

    Their stored statistics describe other inputs than the ones they get, so they must train (and
    be settled before a frozen phase). All other norms of the trunk stay in inference mode: the
    weights at hand store them folded, with mean 0 and variance 1, so batch statistics would break
    what they were trained for.

    Args:
        network: the flat model.
        fresh: names of layers that were not filled from a weights file.
    """
    keras = require("keras", "train")
    tainted: set[int] = set()
    norms = []
    for layer in trunk_layers(network):
        if layer.name in fresh or any(id(t) in tainted for t in inputs_of(layer)):
            tainted.add(id(layer.output))
            if isinstance(layer, keras.layers.BatchNormalization):
                norms.append(layer)
    return norms
