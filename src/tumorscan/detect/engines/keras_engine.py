"""Keras: the network as it was trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from tumorscan.detect.engine import Engine
from tumorscan.errors import BundleError, require
from tumorscan.model.bundle import Bundle
from tumorscan.model.heads import seams
from tumorscan.types import Picture, Scores


class KerasEngine(Engine):
    """The network as it was trained, on whatever backend Keras has."""

    name = "keras"

    def __init__(self, network: Any) -> None:
        super().__init__(int(network.input.shape[1]))
        self.network = network
        inside = seams(network)
        # The same layers with more outputs: nothing is copied.
        embedding = require("keras.layers", "train").GlobalAveragePooling2D()(inside.features)
        self._looking = require("keras", "train").Model(
            network.input, [network.output, inside.map, embedding]
        )

    def _run(self, pictures: Picture) -> Scores:
        logits, maps, embeddings = (
            np.asarray(one, np.float32) for one in self._looking.predict_on_batch(pictures)
        )
        return Scores(logits[:, 0], maps, embeddings)


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
