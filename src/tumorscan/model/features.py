"""The frozen part of a network, run once over each augmented view; what it gives is kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import EnvironmentProblem, require

Tick = Callable[[int], None]
"""Told how many pictures were done."""


class FrozenPart:
    """Everything between two layers of a network, as a function from one's output to the other's.

    Args:
        entry: layer whose output comes in; the input layer for pictures.
        cut: layer whose output goes out; the same layer makes this an identity.
        batch: pictures at a time.
    """

    def __init__(self, entry: Any, cut: Any, batch: int) -> None:
        keras = require("keras", "train")
        self._model = None if entry is cut else keras.Model(entry.output, cut.output)
        self._batch = batch

    def features(self, inputs: NDArray[Any], path: Path | None, tick: Tick) -> NDArray[Any]:
        """Run over N inputs and keep what comes out.

        Maps are kept as float16: they are read many times and are the bulk of what is stored, and
        ImageNet activations lie far inside its range. Pooled vectors stay float32.

        Args:
            inputs: N x ..., what the entry gives.
            path: a .npy to keep the features in; None keeps them in memory.
            tick: told of progress.

        Raises:
            EnvironmentProblem: the disk is full or read-only.
        """
        if self._model is None:
            tick(len(inputs))
            return inputs
        shape = tuple(self._model.output.shape[1:])
        dtype = np.float16 if len(shape) > 1 else np.float32
        try:
            kept = _kept((len(inputs), *shape), dtype, path)
            for part in slices(len(inputs), self._batch):
                kept[part] = np.asarray(self._model.predict_on_batch(_plain(inputs[part])), dtype)
                tick(part.stop - part.start)
        except OSError as error:
            raise EnvironmentProblem(f"{path}: features cannot be stored ({error.strerror})") from error
        return kept


def _kept(shape: tuple[int, ...], dtype: type, path: Path | None) -> NDArray[Any]:
    if path is None:
        return np.empty(shape, dtype)
    path.parent.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(path, "w+", dtype, shape)


def _plain(inputs: NDArray[Any]) -> NDArray[Any]:
    """Pictures go in as they are, stored features as float32."""
    return inputs if inputs.dtype == np.uint8 else inputs.astype(np.float32)


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
            picked = (_plain(features[rows]), targets[rows])
            return picked if weights is None else (*picked, weights[rows])

    return Batches()


def slices(count: int, step: int) -> Iterator[slice]:
    """0..count in pieces of `step`."""
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
