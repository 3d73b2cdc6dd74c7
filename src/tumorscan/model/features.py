"""The frozen part of a network, run once over each augmented view; what it gives is kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import AugmentSettings
from tumorscan.data.batches import augmented_view
from tumorscan.errors import EnvironmentProblem, require
from tumorscan.types import Picture

Tick = Callable[[int], None]
"""Told how many pictures were done."""


class FrozenPart:
    """Everything under a cut, as a function from pictures to features."""

    def __init__(self, network: Any, cut: Any, batch: int) -> None:
        keras = require("keras", "train")
        self._model = keras.Model(network.input, cut.output)
        self._batch = batch

    def store(self, pictures: Picture, path: Path, tick: Tick) -> NDArray[Any]:
        """Run over N pictures (uint8, N x S x S x 3) and keep the features in a .npy on disk.

        Maps are kept as float16: they are read many times and are the bulk of what is stored, and
        ImageNet activations lie far inside its range. Pooled vectors stay float32.

        Raises:
            EnvironmentProblem: the disk is full or read-only.
        """
        shape = tuple(self._model.output.shape[1:])
        dtype = np.float16 if len(shape) > 1 else np.float32
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            kept = np.lib.format.open_memmap(path, "w+", dtype, (len(pictures), *shape))
            for part in slices(len(pictures), self._batch):
                kept[part] = np.asarray(self._model.predict_on_batch(pictures[part]), dtype)
                tick(part.stop - part.start)
        except OSError as error:
            raise EnvironmentProblem(f"{path}: features cannot be stored ({error.strerror})") from error
        return kept


def store_views(
    part: FrozenPart,
    pictures: Picture,
    settings: AugmentSettings,
    folder: Path,
    *,
    views: int,
    seed: int,
    tick: Tick,
) -> Sequence[NDArray[Any]]:
    """Features of each augmented view of the training pictures."""
    return [
        part.store(augmented_view(pictures, settings, seed=seed, view=v), folder / f"view{v}.npy", tick)
        for v in range(views)
    ]


def feature_batches(
    features: NDArray[Any],
    targets: NDArray[np.float32],
    batches: Sequence[NDArray[np.int64]],
    weights: NDArray[np.float32] | None = None,
) -> Any:
    """A `keras.utils.PyDataset` of the given rows, read from disk a batch at a time.

    Args:
        features: N x ..., may be a memory map.
        targets: N x 1.
        batches: rows of each batch, in order.
        weights: N, of each picture in the loss.
    """
    keras = require("keras", "train")

    class Batches(keras.utils.PyDataset):  # type: ignore[misc,name-defined]
        def __len__(self) -> int:
            return len(batches)

        def __getitem__(self, index: int) -> tuple[Any, ...]:
            rows = batches[index]
            picked = (features[rows].astype(np.float32), targets[rows])
            return picked if weights is None else (*picked, weights[rows])

    return Batches()


def slices(count: int, step: int) -> Iterator[slice]:
    """0..count in pieces of `step`."""
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
