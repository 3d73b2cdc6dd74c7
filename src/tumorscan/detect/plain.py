"""What can be told from a scan's pixels alone: blank, too small, colour, a page, noise.

Each check is a pure function that gives one line, name first, or None. They ask for what no slice of a head
can be, whatever scanner it comes from; what merely looks strange is left to the distance in `gate.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.types import Picture, Scan

SMALLEST_SIDE: Final = 80
"""In pixels. Structural series have 128 or more a side; 80 leaves room for a tight crop round the head."""

BLANK_SPREAD: Final = 8.0
"""Grey levels between the 1st and the 99th percentile under which nothing can be seen."""

CHROMA: Final = 24
"""Distance of a pixel's channels from which it counts as coloured; compression stays below it."""

COLOURED: Final = 0.2
"""Share of coloured pixels that no grey picture with a coloured mark or a tinted margin reaches."""

PAPER: Final = 215
"""Grey level from which a pixel counts as paper."""

PAGE: Final = 0.6
"""Share of paper of a page. A slice on a white ground has air around the head and less of it."""

UNRELATED: Final = 0.5
"""Correlation of neighbouring pixels under which a picture is noise: an image of a body is above 0.8."""

_SIDE = 192
"""Pixels a side that are looked at; more would tell the same in more time."""


def plain_reasons(scan: Scan) -> tuple[str, ...]:
    """Why a scan cannot be a slice of a head, by its pixels alone; empty where nothing speaks against it.

    Args:
        scan: as read.

    Returns:
        One line a reason, each of the form ``"name: what was seen"``.
    """
    return tuple(reason for check in CHECKS if (reason := check(scan)) is not None)


def too_small(scan: Scan) -> str | None:
    """A thumbnail: whatever it shows, a lesion of a few millimetres is under a pixel."""
    if min(scan.width, scan.height) >= SMALLEST_SIDE:
        return None
    return f"too small: {scan.width} x {scan.height} pixels, and a side under {SMALLEST_SIDE} shows no lesion"


def blank(scan: Scan) -> str | None:
    """One shade, or nearly so."""
    low, high = np.percentile(_brightest(_sample(scan.pixels)), (1, 99))
    return None if high - low >= BLANK_SPREAD else "blank: all of it has one shade"


def colour(scan: Scan) -> str | None:
    """A photograph, a screenshot or a colour map; MR slices are grey."""
    if scan.is_grey:
        return None
    pixels = _sample(scan.pixels)
    coloured = float(np.mean(_brightest(pixels) - _darkest(pixels) > CHROMA))
    return None if coloured <= COLOURED else f"colour: {100 * coloured:.0f} % of it is coloured, MR is grey"


def page(scan: Scan) -> str | None:
    """A document, a form or a drawing on a white ground."""
    paper = float(np.mean(_darkest(_sample(scan.pixels)) >= PAPER))
    return None if paper <= PAGE else f"page: {100 * paper:.0f} % of it is white, like paper"


def noise(scan: Scan) -> str | None:
    """Pixels that have nothing to do with their neighbours, by the correlation at a distance of one."""
    centre = _brightest(_centre(scan.pixels)).astype(np.float32)
    related = max(_correlation(centre[:, :-1], centre[:, 1:]), _correlation(centre[:-1], centre[1:]))
    return None if related >= UNRELATED else f"noise: neighbouring pixels correlate by {related:.2f} only"


CHECKS: Final[tuple[Callable[[Scan], str | None], ...]] = (too_small, blank, colour, page, noise)
"""In the order of their reasons."""


def _sample(pixels: Picture) -> Picture:
    """Every n-th pixel both ways, about `_SIDE` a side: levels keep their shares, and it costs nothing."""
    high, wide = pixels.shape[:2]
    sample: Picture = pixels[:: max(1, high // _SIDE), :: max(1, wide // _SIDE)]
    return sample


def _centre(pixels: Picture) -> Picture:
    """The middle, pixel by pixel, for what concerns neighbours."""
    high, wide = pixels.shape[:2]
    top, left = max(0, high - _SIDE) // 2, max(0, wide - _SIDE) // 2
    centre: Picture = pixels[top : top + _SIDE, left : left + _SIDE]
    return centre


def _brightest(pixels: Picture) -> NDArray[np.uint8]:
    """Of the three channels; numpy's `max` over so short an axis takes ten times as long."""
    return np.maximum(np.maximum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])


def _darkest(pixels: Picture) -> NDArray[np.uint8]:
    return np.minimum(np.minimum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Pearson's; 1 where either does not vary, for then there is no noise."""
    if one.size < 2:
        return 1.0
    (mean_one, spread_one), (mean_other, spread_other) = cv2.meanStdDev(one), cv2.meanStdDev(other)
    scale = float(spread_one.item() * spread_other.item())
    if scale < 1e-6:
        return 1.0
    return float(((one - mean_one.item()) * (other - mean_other.item())).mean()) / scale
