"""Engines: one protocol, one adapter for each runtime."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import BundleError
from tumorscan.model.bundle import Bundle
from tumorscan.types import Picture, Scores

# Enough to fill two cores, little enough to leave the memory alone.
_BATCH = 32


class Engine(Protocol):
    """Runs a bundle's network."""

    name: str

    def run(self, pictures: Picture) -> Scores:
        """Score prepared pictures.

        Args:
            pictures: uint8 RGB, N x S x S x 3, N at least 1.
        """

    def run_all(self, pictures: Picture) -> NDArray[np.float32]:
        """Logits of any number of prepared pictures, in batches."""


class KerasEngine:
    """The network as it was trained, on whatever backend Keras has."""

    name = "keras"

    def __init__(self, network: Any) -> None:
        self._network = network

    @classmethod
    def load(cls, bundle: Bundle) -> KerasEngine:
        """Rebuild the network of a bundle and fill every variable.

        Raises:
            BundleError: a variable is missing or has another shape.
            MissingExtra: Keras is not installed.
        """
        from tumorscan.model.network import build_network
        from tumorscan.model.weights import fill, named_weights, read_npz

        settings = bundle.manifest.settings
        network = build_network(settings.model, settings.prepare.frame.size)
        filled = fill(network.layers, read_npz(bundle.weights), str(bundle.weights))
        missing = set(named_weights(network.layers)) - set(filled)
        if missing:
            raise BundleError(f"{bundle.weights}: lacks {len(missing)} variables, first {min(missing)}")
        return cls(network)

    def run(self, pictures: Picture) -> Scores:
        """Score prepared pictures; see `Engine.run`."""
        logits = self._network.predict_on_batch(np.ascontiguousarray(pictures))
        return Scores(np.asarray(logits, np.float32)[:, 0])

    def run_all(self, pictures: Picture) -> NDArray[np.float32]:
        """Logits of any number of prepared pictures, in batches."""
        parts = [self.run(pictures[i : i + _BATCH]).logits for i in range(0, len(pictures), _BATCH)]
        return np.concatenate(parts) if parts else np.empty(0, np.float32)


ENGINES: dict[str, type[KerasEngine]] = {"keras": KerasEngine}
"""By name, as `--engine` takes them."""
