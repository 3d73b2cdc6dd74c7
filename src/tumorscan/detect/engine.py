"""What every engine is: prepared pictures in, logits, feature maps and embeddings out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import DataError
from tumorscan.types import Picture, Scores

# Enough to fill a few cores, little enough to leave the memory alone.
_BATCH = 32


class Engine(ABC):
    """Runs a bundle's network; the adapters in `engines/` say on what.

    Attributes:
        name: as `--engine` takes it; one adapter may run several, told apart by their files.
        size: side S of the pictures in pixels.
    """

    name: str

    def __init__(self, size: int) -> None:
        self.size = size

    def run(self, pictures: Picture) -> Scores:
        """Score prepared pictures.

        Args:
            pictures: uint8 RGB, N x S x S x 3, N at least 1.

        Raises:
            DataError: another dtype or shape.
        """
        shape = np.shape(pictures)
        if (
            pictures.dtype != np.uint8
            or len(shape) != 4
            or shape[0] < 1
            or shape[1:] != (self.size, self.size, 3)
        ):
            raise DataError(
                f"pictures are {pictures.dtype} {' x '.join(map(str, shape))}: this network takes "
                f"uint8 N x {self.size} x {self.size} x 3, N at least 1; prepare them as its bundle says"
            )
        return self._run(np.ascontiguousarray(pictures))

    def run_all(self, pictures: Picture) -> NDArray[np.float32]:
        """Logits of any number of prepared pictures, in batches."""
        parts = [self.run(pictures[i : i + _BATCH]).logits for i in range(0, len(pictures), _BATCH)]
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    @abstractmethod
    def _run(self, pictures: Picture) -> Scores:
        """Score a contiguous batch whose shape and dtype are right."""


def usable_cores() -> int:
    """Cores that this process may use: a container or `taskset` may grant fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
