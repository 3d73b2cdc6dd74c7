"""Keras: the network as it was trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from tumorscan.detect.engine import Engine
from tumorscan.errors import BundleError, require
from tumorscan.model.bundle import Bundle
from tumorscan.model.heads import has_cells, seams
from tumorscan.types import Picture, Scores


class KerasEngine(Engine):
    """The network as it was trained, on whatever backend Keras has."""

    name = "keras"

    def __init__(self, network: Any) -> None:
        super().__init__(int(network.input.shape[1]))
        self.network = network
        inside = seams(network)
        # The same layers with more outputs: nothing is copied.
        layers = require("keras.layers", "train")
        pool = layers.GlobalAveragePooling2D()
        outputs = [network.output, inside.map, pool(inside.features)]
        self._has_lesion = has_cells(network)
        if self._has_lesion:
            likely = layers.Activation("sigmoid", dtype="float32")(inside.map)
            outputs += [pool(layers.Multiply()([inside.features, likely])), pool(likely)]
        self._looking = require("keras", "train").Model(network.input, outputs)

    def _run(self, pictures: Picture) -> Scores:
        logits, maps, embeddings, *lesion = (
            np.asarray(one, np.float32) for one in self._looking.predict_on_batch(pictures)
        )
        weighted = lesion[0] / lesion[1] if self._has_lesion else None
        return Scores(logits[:, 0], maps, embeddings, weighted)


def load(bundle: Bundle, file: str, threads: int | None = None) -> KerasEngine:  # noqa: ARG001 - one signature for all engines; a Keras backend has its threads from its own settings
    """Rebuild the network of a bundle and fill every variable.

    Raises:
        BundleError: a variable is missing or has another shape.
        MissingExtra: Keras is not installed.
    """
    from tumorscan.model.network import build_network
    from tumorscan.model.weights import fill, named_weights, read_npz

    settings = bundle.manifest.settings
    network = build_network(settings.model, settings.prepare.frame.size)
    path = bundle.folder / file
    filled = fill(network.layers, read_npz(path), str(path))
    missing = set(named_weights(network.layers)) - set(filled)
    if missing:
        raise BundleError(f"{path}: lacks {len(missing)} variables, first {min(missing)}")
    return KerasEngine(network)
