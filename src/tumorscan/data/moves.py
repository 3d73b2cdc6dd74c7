"""Lesions that change places: so that no source is all tumor, and none all free of it.

A patch is an ellipse with a soft rim, cut to the middle of its box and set to the grey level of what is
around the place where it goes (copy and paste as augmentation: Ghiasi et al. 2021). Patches from
outside the boxes are pasted in the same way, so that a pasted rim tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.data.augment import Box
from tumorscan.data.plane import Plane, closed, smooth_step
from tumorscan.types import Picture

_AIR: Final = 12.0
_TRIES: Final = 12


@dataclass(frozen=True)
class Pasted:
    """A picture with a patch in it.

    Attributes:
        picture: uint8 RGB, S x S x 3.
        box: where the patch lies, as fractions.
    """

    picture: Picture
    box: Box


def paste(donor: Picture, box: Box, target: Picture, rng: np.random.Generator) -> Pasted | None:
    """Lay what is in a donor's box into another picture, near the same place, somewhat scaled.

    Args:
        donor: uint8 RGB with equal channels, S x S x 3.
        box: in the donor, as fractions.
        target: uint8 RGB with equal channels, S x S x 3.
        rng: of the place, the size and the turn.

    Returns:
        The target with the patch; None where no place inside the target's head was found.
    """
    side = len(target)
    scale = rng.uniform(0.6, 1.2)
    width, height = box[2] * scale, box[3] * scale
    inside = _inner(target)
    for _ in range(_TRIES):
        x = box[0] + box[2] / 2 + rng.normal(0, 0.12)
        y = box[1] + box[3] / 2 + rng.normal(0, 0.12)
        row, column = int(y * side), int(x * side)
        if 0 <= row < side and 0 <= column < side and inside[row, column]:
            place = (x - width / 2, y - height / 2, width, height)
            return _laid(_cut(donor, box, mirrored=bool(rng.random() < 0.5)), place, target)
    return None


def elsewhere(box: Box, picture: Picture, rng: np.random.Generator) -> Box | None:
    """A box of about the same size inside the head and clear of the given one; None if there is no room."""
    side, inside = len(picture), _inner(picture)
    width, height = box[2] * rng.uniform(0.6, 1.0), box[3] * rng.uniform(0.6, 1.0)
    for _ in range(_TRIES):
        x, y = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
        apart = x + width < box[0] or x > box[0] + box[2] or y + height < box[1] or y > box[1] + box[3]
        if apart and inside[int((y + height / 2) * side), int((x + width / 2) * side)]:
            return x, y, width, height
    return None


def hide(picture: Picture, box: Box) -> Picture | None:
    """Cover a lesion with the mirrored other side of the head.

    Args:
        picture: uint8 RGB with equal channels, S x S x 3, the head in its middle.
        box: of the lesion, as fractions.

    Returns:
        The picture without the lesion; None where the lesion reaches the midline, so that its mirror image
        would be lesion again.
    """
    grown = _grown(box, 1.25)
    other = (1 - grown[0] - grown[2], grown[1], grown[2], grown[3])
    if other[0] + other[2] > grown[0] and other[0] < grown[0] + grown[2]:
        return None
    return _laid(_cut(picture, other, mirrored=True), grown, picture).picture


def _grown(box: Box, by: float) -> Box:
    x, y, width, height = box
    return x - width * (by - 1) / 2, y - height * (by - 1) / 2, width * by, height * by


def _inner(picture: Picture) -> NDArray[np.bool_]:
    """The head without its rim: where a lesion can lie."""
    side = len(picture)
    head = closed(cv2.GaussianBlur(picture[..., 0], (0, 0), 3) > _AIR, 16)
    return cv2.erode(head, np.ones((side // 10, side // 10), np.uint8)).astype(np.bool_)


def _cut(picture: Picture, box: Box, *, mirrored: bool) -> Plane:
    """The box's content and as much again around it, float32, for the ring that levels are taken from."""
    side = len(picture)
    x, y, width, height = (v * side for v in _grown(box, 1.5))
    size = (max(6, round(width)), max(6, round(height)))
    matrix = np.array(
        [[size[0] / width, 0, -x * size[0] / width], [0, size[1] / height, -y * size[1] / height]]
    )
    patch = cv2.warpAffine(
        picture[..., 0], matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.ascontiguousarray(patch[:, ::-1] if mirrored else patch).astype(np.float32)


def _laid(patch: Plane, box: Box, target: Picture) -> Pasted:
    side = len(target)
    x, y, width, height = (v * side for v in _grown(box, 1.5))
    down, across = patch.shape
    matrix = np.array([[width / across, 0, x], [0, height / down, y]])
    plane = target[..., 0].astype(np.float32)
    there = cv2.warpAffine(
        patch, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32, copy=False)
    away = _distance(box, side)
    ring = (away > 1.05) & (away < 1.45) & (plane > _AIR)
    level = _ratio(plane[ring], there[ring])
    share = smooth_step((1.12 - away) / 0.24)
    mixed = plane + share * (np.clip(there * level, 0, 255) - plane)
    grey = np.rint(mixed).astype(np.uint8)
    return Pasted(cv2.merge([grey, grey, grey]).astype(np.uint8, copy=False), box)


def _distance(box: Box, side: int) -> Plane:
    """1 on the ellipse inscribed in the box, 0 in its middle; float32, side x side."""
    x, y, width, height = (v * side for v in box)
    columns = (np.arange(side, dtype=np.float32) + 0.5 - (x + width / 2)) / (width / 2)
    rows = (np.arange(side, dtype=np.float32) + 0.5 - (y + height / 2)) / (height / 2)
    return np.asarray(np.hypot(columns[None, :], rows[:, None]), np.float32)


def _ratio(here: Plane, there: Plane) -> float:
    if here.size < 8:
        return 1.0
    return float(np.clip(np.median(here) / max(float(np.median(there)), 8.0), 0.4, 2.5))
