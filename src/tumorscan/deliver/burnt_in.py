"""Text in the pixels of a DICOM file: told by its header, and by strokes in a row beside the head."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.read.dicom_pixels import decoded

_LETTERS = 4  # so many strokes of one height on one line are text
_HEIGHTS = (5, 48)  # pixels


def burnt_in(dataset: Any) -> list[str]:
    """What must be looked at because text may be burnt into the picture; nothing is taken out.

    Args:
        dataset: a pydicom dataset with its pixels.

    Returns:
        Lines to warn with; empty where neither the header nor the first frame gives a reason.
    """
    said = []
    if reason := _by_header(dataset):
        said.append(f"{reason}: text may be burnt into the picture, which stays as it is; look at it")
    try:
        pixels = decoded(dataset, 0)
    except Exception:  # noqa: BLE001 - damaged pixels make decoders raise anything, and the header is clean all the same
        return [*said, "its pixels cannot be read, so nothing is known of text in them"]
    if looks_like_text(_grey(pixels)):
        said.append("the picture looks as if text were burnt into it, which stays as it is; look at it")
    return said


def _by_header(dataset: Any) -> str:
    answer = str(dataset.get("BurnedInAnnotation", "") or "").strip().upper()
    if answer == "YES":
        return "the header says that there are burnt-in annotations"
    if answer == "NO":
        return ""
    if str(dataset.get("SOPClassUID", "")).startswith("1.2.840.10008.5.1.4.1.1.7"):
        return "it is a secondary capture that does not say whether there are burnt-in annotations"
    kinds = [str(one).upper() for one in dataset.get("ImageType") or ()]
    if "SECONDARY" in kinds:
        return "it is a secondary picture that does not say whether there are burnt-in annotations"
    return ""


def _grey(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    values = pixels.astype(np.float32)
    values = values.max(axis=2) if values.ndim == 3 else values
    low, high = float(values.min()), float(values.max())
    return np.asarray(np.rint((values - low) * (255 / max(high - low, 1e-6))), np.uint8)


def looks_like_text(grey: NDArray[np.uint8]) -> bool:
    """Whether strokes of one brightness stand in a row outside the largest thing in the picture.

    Args:
        grey: uint8, H x W; text is brighter than what is behind it.
    """
    height, width = grey.shape
    outside = grey.copy()
    outside[_head(grey)] = 0
    # Text is written at the top of the range; noise and ghosts beside a head are far below.
    strokes = (outside > 140).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    boxes = [
        (int(x), int(y), int(w), int(h))
        for x, y, w, h, area in stats[1:count]
        if _HEIGHTS[0] <= h <= min(_HEIGHTS[1], height // 4) and w <= 2 * h and area >= h and w < width // 4
    ]
    return any(_in_row(box, boxes) >= _LETTERS for box in boxes)


def _head(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The convex hull of the largest thing that is not background, and a little around it."""
    inside = np.asarray(cv2.GaussianBlur(grey, (0, 0), 2) > 25, np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    mask: NDArray[Any] = np.zeros(grey.shape, np.uint8)
    if contours:
        largest = max(contours, key=cv2.contourArea)
        cv2.fillConvexPoly(mask, cv2.convexHull(largest), 1)
        mask = cv2.dilate(mask, np.ones((7, 7), np.uint8))
    return mask.astype(np.bool_)


def _in_row(first: tuple[int, int, int, int], boxes: list[tuple[int, int, int, int]]) -> int:
    """How many boxes stand on a box's line, of about its height, each near to the one before."""
    _, top, _, high = first
    line = sorted(
        box for box in boxes if abs(box[1] + box[3] - top - high) <= 2 and abs(box[3] - high) <= high // 3
    )
    longest = run = 1
    for one, other in pairwise(line):
        run = run + 1 if other[0] - (one[0] + one[2]) <= 2 * high else 1
        longest = max(longest, run)
    return longest
