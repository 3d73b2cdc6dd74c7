"""What moving lesions and imitating scanners both do to a plane of grey levels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def closed(bright: NDArray[np.bool_], part: int) -> NDArray[np.uint8]:
    """Holes filled that are narrower than a part of the side; 0 or 1, as large as `bright`."""
    kernel = np.ones((len(bright) // part, len(bright) // part), np.uint8)
    return np.asarray(cv2.morphologyEx(bright.astype(np.uint8), cv2.MORPH_CLOSE, kernel), np.uint8)


def smooth_step(share: NDArray[Any]) -> Plane:
    """0 below 0, 1 above 1, level at both ends (3x^2 - 2x^3); float32."""
    share = np.clip(share, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)
