"""Random changes of training pictures: lots are drawn apart from acting; boxes and masks move along."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.config import AugmentSettings
from tumorscan.types import Picture

Box = tuple[float, float, float, float]
"""x and y of the upper left corner, width and height, as fractions of the picture's sides."""

_BORDERS: Final = {
    "reflect": cv2.BORDER_REFLECT,
    "edge": cv2.BORDER_REPLICATE,
    "black": cv2.BORDER_CONSTANT,
}


@dataclass(frozen=True)
class Augmentation:
    """What is done to one picture, in this order.

    Attributes:
        mirror: left and right change places.
        turn: about the centre, in degrees, counter-clockwise as seen.
        zoom: about the centre; 1.1 makes things 1.1 times as large.
        contrast: factor on the distance to the picture's mean.
        brightness: shift in grey levels.
        shift: to the right and down, as fractions of the sides.
        stretch: makes things so many times as wide, and as much less high.
        upside_down: top and bottom change places.
    """

    mirror: bool = False
    turn: float = 0.0
    zoom: float = 1.0
    contrast: float = 1.0
    brightness: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    stretch: float = 1.0
    upside_down: bool = False

    @property
    def moves(self) -> bool:
        """Anything changes its place."""
        still = Augmentation(contrast=self.contrast, brightness=self.brightness)
        return self != still


def draw(settings: AugmentSettings, rng: np.random.Generator) -> Augmentation:
    """Draw lots. Always all of them, so that switching one change off leaves the others as they were."""
    flip, turn, zoom, contrast, brightness = rng.random(5)
    right, down, stretch, upside_down, quarter, quarters = rng.random(6)
    quarter_turns = 1 + int(3 * quarters) if quarter < settings.quarter else 0
    return Augmentation(
        mirror=bool(flip < settings.flip),
        turn=float((2 * turn - 1) * settings.rotation * 360 + 90 * quarter_turns),
        zoom=float(1 + (2 * zoom - 1) * settings.zoom),
        contrast=float(1 + (2 * contrast - 1) * settings.contrast),
        brightness=float((2 * brightness - 1) * settings.brightness * 255),
        shift=(float((2 * right - 1) * settings.shift), float((2 * down - 1) * settings.shift)),
        stretch=float((1 + settings.stretch) ** (2 * stretch - 1)),
        upside_down=bool(upside_down < settings.upside_down),
    )


def apply(picture: Picture, augmentation: Augmentation, fill: Literal["reflect", "edge", "black"]) -> Picture:
    """Change a picture: one affine warp (bilinear), then one linear map of the grey levels.

    Args:
        picture: uint8 RGB, H x W x 3.
        augmentation: what to do.
        fill: what comes in from outside the picture.

    Returns:
        A new picture, uint8 RGB, H x W x 3, clipped to 0..255 and rounded.
    """
    return _grey_levels(_warp(picture, augmentation, cv2.INTER_LINEAR, _BORDERS[fill]), augmentation)


def apply_to_mask(mask: NDArray[np.bool_], augmentation: Augmentation) -> NDArray[np.bool_]:
    """Move a mask (bool, H x W) as `apply` moves its picture, to the nearest pixel.

    What comes in from outside is False, also where the picture is filled with its reflection.
    """
    moved = _warp(mask.astype(np.uint8), augmentation, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)
    return moved.astype(np.bool_)


def apply_to_box(box: Box, augmentation: Augmentation, *, aspect: float = 1.0) -> Box | None:
    """Move a box as `apply` moves its picture.

    Args:
        box: fractions of the picture's sides.
        augmentation: what is done to the picture.
        aspect: the picture's width over its height; prepared pictures are square.

    Returns:
        The smallest upright box around the moved corners, clipped to the picture; None when nothing of
        it is left.
    """
    x, y, width, height = box
    matrix = _matrix(augmentation, aspect, 1.0)
    corners = np.array([(x + i * width, y + j * height, 1.0) for i in (0, 1) for j in (0, 1)])
    moved = corners * (aspect, 1.0, 1.0) @ matrix.T / (aspect, 1.0)
    left, top = (float(v) for v in np.clip(moved.min(axis=0), 0.0, 1.0))
    right, bottom = (float(v) for v in np.clip(moved.max(axis=0), 0.0, 1.0))
    if right <= left or bottom <= top:
        return None
    return left, top, right - left, bottom - top


def _matrix(augmentation: Augmentation, width: float, height: float) -> NDArray[np.float64]:
    """2 x 3, from a point of the picture to where it goes; (0, 0) is the outer corner of the first pixel."""
    angle = math.radians(augmentation.turn)
    cos, sin = augmentation.zoom * math.cos(angle), augmentation.zoom * math.sin(angle)
    turned = np.array([[cos, sin], [-sin, cos]])  # y points down: hence the signs
    across = augmentation.stretch * (-1.0 if augmentation.mirror else 1.0)
    down = (-1.0 if augmentation.upside_down else 1.0) / augmentation.stretch
    linear = turned @ np.diag([across, down])
    centre = np.array([width / 2, height / 2])
    return np.column_stack(
        [linear, centre + np.array(augmentation.shift) * (width, height) - linear @ centre]
    )


def _warp(
    pixels: NDArray[np.uint8], augmentation: Augmentation, method: int, border: int
) -> NDArray[np.uint8]:
    if not augmentation.moves:
        return pixels.copy()
    height, width = pixels.shape[:2]
    matrix = _matrix(augmentation, width, height)
    # OpenCV's (0, 0) is the centre of the first pixel.
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    moved: NDArray[Any] = cv2.warpAffine(pixels, matrix, (width, height), flags=method, borderMode=border)
    return moved.astype(np.uint8, copy=False)


def _grey_levels(picture: Picture, augmentation: Augmentation) -> Picture:
    if augmentation.contrast == 1 and augmentation.brightness == 0:
        return picture
    mean = float(picture.mean())
    levels = (np.arange(256) - mean) * augmentation.contrast + mean + augmentation.brightness
    table = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    return cv2.LUT(picture, table).astype(np.uint8, copy=False)
