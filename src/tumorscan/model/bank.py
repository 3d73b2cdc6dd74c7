"""Features that many fits share: what lies below all that trains is run once for a whole data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tumorscan.atomic import atomic_write_text
from tumorscan.config import Settings
from tumorscan.data.batches import augmented_view
from tumorscan.errors import DataError
from tumorscan.model.features import FrozenPart
from tumorscan.model.phase import Inputs, Labels
from tumorscan.model.train import shared_cut, start_network
from tumorscan.model.weights import WeightsReport
from tumorscan.types import Picture

Rows = Sequence[int]
_PLAIN, _CUT = "plain.npy", "cut"


class FeatureBank:
    """Features of every picture of a data set, plain and under each augmented view, at the shared cut.

    A picture's augmented views are drawn once, so all fits see the same ones. Fits differ in their
    rows, their seed, and all that is above the cut.
    """

    def __init__(
        self, settings: Settings, cut: str, plain: NDArray[Any], views: Sequence[NDArray[Any]]
    ) -> None:
        self._settings, self._cut, self._plain, self._views = settings, cut, plain, views

    @classmethod
    def make(
        cls, pictures: Picture, settings: Settings, folder: Path, *, progress: bool = False
    ) -> FeatureBank:
        """Run the shared part and keep what comes out in a folder.

        Args:
            pictures: prepared, uint8, N x S x S x 3.
            settings: of the fits.
            folder: for the features.
            progress: a bar on stderr.

        Raises:
            EnvironmentProblem: the disk is full or read-only.
        """
        network, report = start_network(settings, settings.train.seed)
        cut = shared_cut(network, report, settings).name
        part = FrozenPart(network.layers[0], network.get_layer(cut), settings.train.batch)
        train = settings.train
        count = max(min(phase.views, phase.epochs) for phase in (train.frozen, train.tuned))
        with tqdm(
            total=(count + 1) * len(pictures), desc="shared features", unit="picture", disable=not progress
        ) as bar:
            plain = part.features(pictures, folder / _PLAIN, bar.update)
            views = [
                part.features(
                    augmented_view(pictures, settings.augment, seed=train.seed, view=v),
                    folder / f"view{v}.npy",
                    bar.update,
                )
                for v in range(count)
            ]
        atomic_write_text(folder / _CUT, cut)
        return cls(settings, cut, plain, views)

    @classmethod
    def open(cls, folder: Path, settings: Settings) -> FeatureBank:
        """The bank that `make` left in a folder, without running anything.

        Raises:
            DataError: it is absent or damaged.
        """
        try:
            cut = (folder / _CUT).read_text(encoding="utf-8")
            plain = np.load(folder / _PLAIN, mmap_mode="r", allow_pickle=False)
            count = len(list(folder.glob("view*.npy")))
            views = [
                np.load(folder / f"view{v}.npy", mmap_mode="r", allow_pickle=False) for v in range(count)
            ]
        except (OSError, ValueError) as error:
            raise DataError(f"{folder}: the shared features are absent or damaged ({error})") from error
        return cls(settings, cut, plain, views)

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
