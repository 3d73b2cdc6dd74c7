"""What a cell of the evidence grid should say: from the outline of a lesion to targets and weights."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.data.augment import Box

Floats = NDArray[np.float32]
TUMOR_FROM: Final = 0.5
"""A cell that a lesion covers to this share is tumor."""
EMPTY_UNDER: Final = 0.02
"""A cell that its box covers less than this is empty; between the two a cell is ignored."""


def box_mask(box: Box, side: int) -> NDArray[np.bool_]:
    """The box's pixels, bool, side x side; at least one."""
    mask = np.zeros((side, side), np.bool_)
    left, top = (int(np.floor(v * side)) for v in box[:2])
    right, bottom = (int(np.ceil((box[i] + box[i + 2]) * side)) for i in (0, 1))
    mask[max(top, 0) : max(bottom, 1), max(left, 0) : max(right, 1)] = True
    return mask


def oval_mask(box: Box, side: int) -> NDArray[np.bool_]:
    """The pixels of the ellipse inscribed in a box, bool, side x side: lesions are rounder than boxes.

    The pixel in its middle always belongs to it, so that the smallest lesion is still one.
    """
    x, y, width, height = (v * side for v in box)
    columns = (np.arange(side) + 0.5 - (x + width / 2)) / max(width / 2, 0.5)
    rows = (np.arange(side) + 0.5 - (y + height / 2)) / max(height / 2, 0.5)
    oval = np.asarray(columns[None, :] ** 2 + rows[:, None] ** 2 <= 1, np.bool_)
    middle = (int(np.clip(v, 0, side - 1)) for v in (y + height / 2, x + width / 2))
    oval[tuple(middle)] = True
    return oval


def cell_targets(lesion: NDArray[np.bool_], around: NDArray[np.bool_], grid: int) -> tuple[Floats, Floats]:
    """Targets and weights of the cells.

    Args:
        lesion: bool, S x S: what is surely lesion.
        around: bool, S x S: where it may reach to (its box); cells there that are not tumor are ignored.
        grid: cells along a side.

    Returns:
        float32, grid x grid: 1 = tumor; and 1 where a cell counts, 0 where it is ignored. A lesion smaller
        than a cell has one: the cell that it covers most.
    """
    covered, touched = _share(lesion, grid), _share(around | lesion, grid)
    targets = (covered >= TUMOR_FROM).astype(np.float32)
    if lesion.any() and not targets.any():
        targets.flat[int(covered.argmax())] = 1
    weights = ((targets > 0) | (touched < EMPTY_UNDER)).astype(np.float32)
    return targets, weights


def _share(mask: NDArray[np.bool_], grid: int) -> Floats:
    small = cv2.resize(mask.astype(np.float32), (grid, grid), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32, copy=False)
