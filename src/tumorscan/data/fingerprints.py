"""What is kept of a picture to know its near copies: two thumbnails, and hashes that turn with it.

The hash is a sign-only DCT: a bit for each of 128 low frequencies of the thumbnail, set where the
coefficient is positive. It is kin to pHash (Zauner 2010), but compares with zero instead of the median, so
that a mirrored or turned picture's hash follows from the picture's own by flipping and moving bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.types import Picture

THUMB: Final = 64
"""Side of a thumbnail in pixels."""

BITS: Final = 128
"""Length of a hash."""

HEAD, WHOLE = 0, 1
"""The two thumbnails: what stands out from the background, whose margins do not matter, and all of it."""

HASHES: Final = (
    (HEAD, 0.0),
    (WHOLE, 0.0),
    (HEAD, 0.03),
    (HEAD, 0.06),
    (WHOLE, 0.03),
    (WHOLE, 0.06),
    (WHOLE, 0.09),
)
"""Thumbnail and trim (the share left out at each side) of each hash; a copy may have lost that much."""

_FREQUENCIES: Final = 16
_LOWEST, _HIGHEST = 3, 15
_FLAT: Final = 2.0
_NO_AIR, _FAINT, _SMALLEST_HEAD = 20, 0.3, 0.05
_LONGEST: Final = 256

Box = tuple[int, int, int, int]
"""left, top, width, height in pixels."""


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """All that the search for near copies keeps of a picture: 9 KiB.

    Attributes:
        thumbs: uint8, 2 x 64 x 64: grey, the head and the whole picture, each stretched to the square.
        hashes: bool, 7 x 128: see `HASHES`.
    """

    thumbs: NDArray[np.uint8]
    hashes: NDArray[np.bool_]

    @property
    def is_flat(self) -> bool:
        """There is nothing to tell it by: all flat pictures look alike."""
        return float(self.thumbs[WHOLE].std()) < _FLAT


def fingerprint(pixels: Picture) -> Fingerprint:
    """Take the fingerprint of a picture (uint8 RGB, H x W x 3)."""
    grey = _reduced(np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY), np.uint8))
    boxes = {HEAD: head_box(grey), WHOLE: (0, 0, grey.shape[1], grey.shape[0])}
    thumbs = np.stack([_thumb(grey, boxes[kind]) for kind in (HEAD, WHOLE)])
    hashed = [_hash(_thumb(grey, _trimmed(boxes[kind], trim))) for kind, trim in HASHES]
    return Fingerprint(thumbs, np.stack(hashed))


def head_box(grey: NDArray[np.uint8]) -> Box:
    """The bounding box of the largest thing that stands out from the background.

    The threshold follows from the pixels that are no air, once in the whole picture and once more within
    the box so found, so that margins cut or added do not move it. It is not the head crop of the
    preparation on purpose: the groups of a catalog must not change when that is tuned.

    Args:
        grey: uint8, H x W, at most 256 x 256.

    Returns:
        left, top, width, height in pixels; the whole picture where nothing of a head's size stands out.
    """
    height, width = grey.shape
    smooth = cv2.GaussianBlur(grey, (0, 0), max(0.5, 1.5 * max(grey.shape) / _LONGEST))
    left, top, wide, high = 0, 0, width, height
    for _ in range(2):
        inside = smooth[top : top + high, left : left + wide]
        air = float(np.percentile(inside, 2))
        lit = inside[inside > air + _NO_AIR]
        if not lit.size:
            break
        bright = (smooth > air + _FAINT * (float(np.median(lit)) - air)).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
        largest = stats[1:][int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))]
        if largest[2] * largest[3] < _SMALLEST_HEAD * height * width:
            break
        left, top, wide, high = (int(value) for value in largest[:4])
    return left, top, wide, high


def turned(hashes: NDArray[np.bool_], view: int) -> NDArray[np.bool_]:
    """Hashes (bool, N x 128) as those of the pictures in another view, see `views.seen`."""
    if view & 4:
        hashes = hashes[:, _SWAP]
    if view & 2:
        hashes = hashes ^ _ODD_DOWN
    if view & 1:
        hashes = hashes ^ _ODD_ACROSS
    return hashes


def _reduced(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = grey.shape
    scale = _LONGEST / max(height, width)
    if scale >= 1:
        return grey
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _trimmed(box: Box, trim: float) -> Box:
    left, top, width, height = box
    x, y = round(left + trim * width), round(top + trim * height)
    return x, y, max(1, round(left + (1 - trim) * width) - x), max(1, round(top + (1 - trim) * height) - y)


def _thumb(grey: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    left, top, width, height = box
    part = grey[top : top + height, left : left + width]
    return np.asarray(cv2.resize(part, (THUMB, THUMB), interpolation=cv2.INTER_AREA), np.uint8)


def _hash(thumb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    values = thumb.astype(np.float32)
    coefficients = _WAVES @ (values - values.mean()) @ _WAVES.T
    return np.asarray(coefficients[_DOWN, _ACROSS] > 0)


def _waves() -> NDArray[np.float32]:
    """The first rows of the DCT-II (Ahmed, Natarajan and Rao 1974); no norm, for only signs are kept."""
    place = 2 * np.arange(THUMB) + 1
    return np.asarray(np.cos(np.pi / (2 * THUMB) * np.outer(np.arange(_FREQUENCIES), place)), np.float32)


def _order() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Frequencies (down, across) of the bits.

    The lowest are left out (all heads share them) and so are the highest (a JPEG loses them). Dealt out
    in turns, so that each stretch of the hash, by which the index finds it, has low ones and high ones.
    """
    down, across = np.indices((_FREQUENCIES, _FREQUENCIES)).reshape(2, -1)
    kept = (down + across >= _LOWEST) & (down + across <= _HIGHEST) & (np.abs(down - across) < _HIGHEST)
    order = np.argsort((down + across)[kept], kind="stable")
    dealt = np.concatenate([order[start::5] for start in range(5)])
    return down[kept][dealt], across[kept][dealt]


_WAVES: Final = _waves()
_DOWN, _ACROSS = _order()
_ODD_DOWN: Final = _DOWN % 2 == 1
_ODD_ACROSS: Final = _ACROSS % 2 == 1
_PLACE: Final = {(int(d), int(a)): i for i, (d, a) in enumerate(zip(_DOWN, _ACROSS, strict=True))}
_SWAP: Final = np.array([_PLACE[int(a), int(d)] for d, a in zip(_DOWN, _ACROSS, strict=True)])
