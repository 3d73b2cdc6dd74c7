"""A scan of any shape to a square picture: head crop, square pad, resize."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.config import FrameSettings
from tumorscan.errors import UnreadableScan
from tumorscan.types import Frame, Picture, Scan

LONGEST_TO_PAD = 65_536
"""Longest side in pixels that is padded to a square; a longer strip would fill the memory with black."""

SMALLEST_HEAD = 0.1
"""A box that covers less of the picture than this is no head: the whole picture is kept."""

ABOVE_AIR = 0.12
"""The head begins at this fraction of the way from the 5th percentile (air) to the 95th (tissue)."""

MARGIN = 0.02
"""Air left around the head, as a fraction of the box's longer side."""

Box = tuple[int, int, int, int]
"""left, top, width, height in pixels."""


def frame(scan: Scan, settings: FrameSettings) -> tuple[Picture, Frame]:
    """Crop, pad and resize a scan; with neither crop nor pad it is stretched to the square.

    Args:
        scan: uint8 RGB, H x W x 3.
        settings: side of the result, and which of crop and pad are on.

    Returns:
        uint8 RGB, S x S x 3, and the way back to the scan.

    Raises:
        UnreadableScan: the scan is to be padded and is longer than `LONGEST_TO_PAD`.
    """
    box = head_box(scan.pixels) if settings.crop_head else _whole(scan.pixels)
    left, top, width, height = box
    square = max(width, height)
    if settings.pad_square and square > LONGEST_TO_PAD:
        cause = f"{square} pixels long, too long to pad to a square: switch frame.pad_square off"
        raise UnreadableScan(scan.name, cause)
    wide, high = (square, square) if settings.pad_square else (width, height)
    way_back = Frame(*box, (wide - width) // 2, (high - height) // 2, wide, high, settings.size)
    cropped = scan.pixels[top : top + height, left : left + width]
    return resize(_padded(cropped, way_back), settings.size), way_back


def head_box(pixels: Picture) -> Box:
    """The bounding box of the largest bright thing, with a small margin.

    The picture is smoothed first, so that noise neither joins specks to the head nor moves its edge. The
    threshold stands a little above the background (see `ABOVE_AIR`). Otsu's does not serve: beside a
    bright tumor it lies among the tissues, and the box closes round the tumor.

    Args:
        pixels: uint8 RGB, H x W x 3.

    Returns:
        left, top, width, height in pixels; the whole picture where there is no dark background or
        nothing of a head's size.
    """
    brightest = np.ascontiguousarray(pixels.max(axis=2))
    smooth = cv2.GaussianBlur(brightest, (0, 0), max(1.0, max(brightest.shape) / 128))
    air, tissue = np.percentile(smooth, (5, 95))
    if tissue - air < 8:
        return _whole(pixels)
    bright = (smooth > air + ABOVE_AIR * (tissue - air)).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    # Row 0 is the background; something is brighter, since the 95th percentile is.
    largest = stats[1:][int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))]
    left, top, width, height = (int(v) for v in largest[:4])
    if width * height < SMALLEST_HEAD * brightest.size:
        return _whole(pixels)
    return _widened((left, top, width, height), pixels)


def resize(pixels: Picture, size: int) -> Picture:
    """Stretch a picture to a square.

    A side that shrinks is averaged over areas, which keeps noise and thin lines from aliasing; a side
    that grows is interpolated linearly, because cubic kernels overshoot at the skull and CLAHE would
    make halos of it.

    Args:
        pixels: uint8 RGB, H x W x 3.
        size: side of the result in pixels.

    Returns:
        uint8 RGB, size x size x 3, a new array.
    """
    shrunk = _shrink(pixels, size, size)
    grown = cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR)
    return grown.astype(np.uint8, copy=grown is shrunk)


def _shrink(pixels: Picture, width: int, height: int) -> Picture:
    now_high, now_wide = pixels.shape[:2]
    goal = min(width, now_wide), min(height, now_high)
    if goal == (now_wide, now_high):
        return np.ascontiguousarray(pixels)
    return cv2.resize(np.ascontiguousarray(pixels), goal, interpolation=cv2.INTER_AREA).astype(
        np.uint8, copy=False
    )


def _padded(pixels: Picture, way: Frame) -> Picture:
    """The crop, centred on black as the frame says, its unpadded axis already shrunk (a strip stays cheap).

    Black, not the edge's colour: the background of an MR picture is air, which gives no signal; a smeared
    edge would draw stripes of anatomy; and the noise estimate leaves out what is exactly black.
    """
    across, down = way.width == way.padded_width, way.height == way.padded_height
    if across and down:
        return pixels
    shrunk = _shrink(pixels, way.size if across else way.width, way.size if down else way.height)
    high, wide = shrunk.shape[:2]
    canvas = np.zeros(
        (high if down else way.padded_height, wide if across else way.padded_width, 3), np.uint8
    )
    canvas[way.pad_top : way.pad_top + high, way.pad_left : way.pad_left + wide] = shrunk
    return canvas


def _whole(pixels: NDArray[np.uint8]) -> Box:
    return 0, 0, int(pixels.shape[1]), int(pixels.shape[0])


def _widened(box: Box, pixels: Picture) -> Box:
    left, top, width, height = box
    margin = max(2, round(MARGIN * max(width, height)))
    right, bottom = left + width + margin, top + height + margin
    left, top = max(0, left - margin), max(0, top - margin)
    return left, top, min(right, pixels.shape[1]) - left, min(bottom, pixels.shape[0]) - top
