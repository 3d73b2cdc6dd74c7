"""Features that many fits share: what lies below all that trains is run once for a whole data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tumorscan.config import Settings
from tumorscan.data.batches import augmented_view
from tumorscan.model.features import FrozenPart
from tumorscan.model.phase import Inputs, Labels
from tumorscan.model.train import shared_cut, start_network
from tumorscan.model.weights import WeightsReport
from tumorscan.types import Picture

Rows = Sequence[int]


class FeatureBank:
    """Features of every picture of a data set, plain and under each augmented view, at the shared cut.

    A picture's augmented views are drawn once, so all fits see the same ones. Fits differ in their
    rows, their seed, and all that is above the cut.
    """

    def __init__(
        self, pictures: Picture, settings: Settings, folder: Path | None, *, progress: bool = False
    ) -> None:
        """Run the shared part.

        Args:
            pictures: prepared, uint8, N x S x S x 3.
            settings: of the fits.
            folder: for the features; None keeps them in memory.
            progress: a bar on stderr.
        """
        self._settings = settings
        network, report = start_network(settings, settings.train.seed)
        self._cut = shared_cut(network, report, settings).name
        part = FrozenPart(network.layers[0], network.get_layer(self._cut), settings.train.batch)
        train = settings.train
        views = max(min(phase.views, phase.epochs) for phase in (train.frozen, train.tuned))
        with tqdm(
            total=(views + 1) * len(pictures), desc="shared features", unit="picture", disable=not progress
        ) as bar:
            self._plain = part.features(pictures, folder and folder / "plain.npy", bar.update)
            self._views = []
            for v in range(views):
                changed = augmented_view(pictures, settings.augment, seed=train.seed, view=v)
                self._views.append(part.features(changed, folder and folder / f"view{v}.npy", bar.update))

    def start(
        self, labels: Labels, train: Rows, validation: Rows, seed: int
    ) -> tuple[Any, WeightsReport, Inputs]:
        """A network with starting weights, and the inputs of one fit."""
        network, report = start_network(self._settings, seed)
        rows, held_out = np.asarray(train), np.asarray(validation)
        inputs = Inputs(
            entry=network.get_layer(self._cut),
            view=lambda v: self._views[v][rows],
            plain=self._plain[rows],
            labels=labels[rows],
            validation=self._plain[held_out],
            validation_labels=labels[held_out],
        )
        return network, report, inputs

    def logits(self, network: Any, rows: Rows) -> NDArray[np.float64]:
        """What a trained network says of pictures of the bank, uncalibrated."""
        above = FrozenPart(network.get_layer(self._cut), network.layers[-1], self._settings.train.batch)
        return np.asarray(above.features(self._plain[np.asarray(rows)], None, lambda _: None), np.float64)[
            :, 0
        ]
