"""The eight ways to lay a square picture down: four turns, each as it is and mirrored."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

VIEWS: Final = (
    "as it is",
    "mirrored",
    "flipped",
    "turned by 180",
    "mirrored and turned left",
    "turned right",
    "turned left",
    "mirrored and turned right",
)
"""What `seen` does for each number: bit 2 swaps the axes, then bit 1 flips up-down, then bit 0 left-right."""


def seen(picture: NDArray[np.uint8], view: int) -> NDArray[np.uint8]:
    """A grey picture (H x W) in one of the eight views, contiguous."""
    if view & 4:
        picture = picture.T
    if view & 2:
        picture = picture[::-1]
    if view & 1:
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)
