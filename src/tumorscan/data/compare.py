"""Whether one thumbnail is a copy of another: laid over each other, then correlated where there is tissue."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.data.fingerprints import THUMB

COPY: Final = 0.91
"""Least correlation of a copy.

The neighbouring slices of one patient reach 0.907 at the most (all 3064 of figshare), and copies that were
resaved at JPEG quality 10, sharpened, blurred, trimmed or given another gamma lie above 0.91 but for one in
a hundred; `benchmarks/duplicates.py` prints both.
"""

_STEPS: Final = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 25, 1e-4)
_LARGEST_STRETCH, _LARGEST_SHIFT = 0.3, THUMB / 4
_ALL: Final = np.ones((THUMB, THUMB), np.uint8)
_EDGE: Final = 3
_SKULL: Final = 6
_FEWEST: Final = 300

Floats = NDArray[np.float32]


def correlation(one: NDArray[np.uint8], other: NDArray[np.uint8], trim: float = 0.0) -> float:
    """Correlation of two thumbnails after the one has been laid over the other.

    They are aligned by an affine map (ECC: Evangelidis and Psarakis 2008), because a border found a
    little elsewhere shifts and stretches the whole thumbnail. Then both are normalised to zero mean and
    unit spread in a small neighbourhood of each pixel, which takes out brightness, contrast and gamma.
    Only what lies within the skull counts: skull and air are much the same in all slices of a patient,
    and with them neighbouring slices reach 0.98.

    Args:
        one: uint8, 64 x 64, already in the view of the other.
        other: uint8, 64 x 64.
        trim: share of `one` that `other` lacks at each side; where the alignment starts from.

    Returns:
        -1..1; 0 where the two share too little to say.
    """
    # Air goes by the square root: noise in it counts less, and gamma bends the tissue less.
    a, b = np.sqrt(one.astype(np.float32)), np.sqrt(other.astype(np.float32))
    way = _align(a, b, trim)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(b, way, (THUMB, THUMB), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    shared = np.asarray(cv2.warpAffine(_ALL, way, (THUMB, THUMB), flags=flags), np.uint8)
    tissue, brain = _tissue(one)
    within = _inside(shared) & brain
    if np.count_nonzero(within) < _FEWEST:  # a small head, or no head: then all that is not air
        within = _inside(shared) & tissue
    if np.count_nonzero(within) < _FEWEST:
        return 0.0
    x, y = _levelled(a)[within], _levelled(moved.astype(np.float32))[within]
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / np.sqrt(max(float(x @ x) * float(y @ y), 1e-12)))


def _align(a: Floats, b: Floats, trim: float) -> Floats:
    """The affine map (2 x 3) from places in `a` to places in `b`; the plain one where none is found."""
    scale = 1 / (1 - 2 * trim)
    plain = np.array([[scale, 0, -trim * scale * THUMB], [0, scale, -trim * scale * THUMB]], np.float32)
    try:
        _, way = cv2.findTransformECC(a, b, plain.copy(), cv2.MOTION_AFFINE, _STEPS, _ALL, 5)
    except cv2.error:  # no convergence: they are no copies, or there is nothing to align
        return plain
    turn = np.abs(np.asarray(way)[:, :2] - np.eye(2)).max()
    if turn > _LARGEST_STRETCH or np.abs(np.asarray(way)[:, 2]).max() > _LARGEST_SHIFT:
        return plain
    return np.asarray(way, np.float32)


def _inside(shared: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Away from the edge of what both show, where a neighbourhood is cut off."""
    return _eroded(shared, _EDGE) > 0


def _tissue(thumb: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where there is no air, and the inner part of that."""
    smooth = cv2.GaussianBlur(thumb, (0, 0), 1.5)
    bright = (smooth > 0.2 * np.percentile(smooth, 90)).astype(np.uint8)
    bright = np.asarray(cv2.dilate(bright, np.ones((3, 3), np.uint8)), np.uint8)
    closed = np.asarray(cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)), np.uint8)
    return bright > 0, _eroded(closed, _SKULL) > 0


def _eroded(mask: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    """What is outside the thumbnail counts as not in the mask."""
    kernel = np.ones((2 * by + 1, 2 * by + 1), np.uint8)
    return np.asarray(cv2.erode(np.pad(mask, 1), kernel)[1:-1, 1:-1], np.uint8)


def _levelled(root: Floats) -> Floats:
    smooth = cv2.GaussianBlur(root, (0, 0), 0.5)
    apart = smooth - cv2.GaussianBlur(smooth, (0, 0), 3.0)
    spread = np.sqrt(cv2.GaussianBlur(apart * apart, (0, 0), 3.0))
    return np.asarray(apart / (spread + 0.5), np.float32)
