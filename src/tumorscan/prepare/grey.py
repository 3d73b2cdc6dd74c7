"""Grey pictures: RGB with three equal channels, as most scans are."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.types import Picture


def is_grey(pixels: Picture) -> bool:
    """Whether the three channels of a uint8 H x W x 3 picture are equal everywhere."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    return bool(np.array_equal(red, green) and np.array_equal(green, blue))


def to_grey(plane: NDArray[np.uint8]) -> Picture:
    """A uint8 H x W plane as uint8 RGB, H x W x 3, with three equal channels."""
    return cv2.merge([plane, plane, plane]).astype(np.uint8, copy=False)
