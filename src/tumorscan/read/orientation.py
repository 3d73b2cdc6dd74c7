"""How a stored slice lies in the patient, and how it is turned to be shown as radiologists look at it.

Patient coordinates are DICOM's (PS3.3 C.7.6.2.1.1): x to the patient's left, y to the back, z to the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Plane = Literal["axial", "coronal", "sagittal", "oblique", ""]

_PLANES: tuple[Plane, Plane, Plane] = ("sagittal", "coronal", "axial")
# By the axis of the normal: what runs to the right of the picture, and what runs down. Axial: the patient's
# left is at the right and the front is up; coronal: the head is up; sagittal: the front is at the left.
_SHOWN = {
    0: ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    1: ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    2: ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
}
# Slices are tilted to the skull base or the nose by up to some 30 degrees and keep their plane's name.
_NAMED = 0.8


@dataclass(frozen=True)
class Turn:
    """From a slice as stored to the slice as shown: transposed first, then flipped.

    Attributes:
        transposed: rows become columns.
        rows_flipped: top and bottom change places, after that.
        columns_flipped: left and right change places, after that.
    """

    transposed: bool = False
    rows_flipped: bool = False
    columns_flipped: bool = False

    def apply(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The slice as shown: a view of H x W, or W x H where it is transposed."""
        shown = stored.T if self.transposed else stored
        shown = shown[::-1] if self.rows_flipped else shown
        return shown[:, ::-1] if self.columns_flipped else shown

    def to_stored(self, x: float, y: float, height: int, width: int) -> tuple[float, float]:
        """Carry a point of the shown slice of `height` x `width` to the stored one.

        Points are in pixels; the middle of the first pixel is at 0, 0.
        """
        x = width - 1 - x if self.columns_flipped else x
        y = height - 1 - y if self.rows_flipped else y
        return (y, x) if self.transposed else (x, y)


def normal_of(orientation: Sequence[float]) -> NDArray[np.float64]:
    """The unit normal of slices, turned so that it points to the left, the back or the head.

    Args:
        orientation: Image Orientation (Patient): cosines of a row's direction, then of a column's.

    Raises:
        ValueError: the two directions are not finite, zero or the same.
    """
    row, column = np.asarray(orientation[:3], np.float64), np.asarray(orientation[3:6], np.float64)
    normal = np.cross(row, column)
    length = float(np.linalg.norm(normal))
    if not np.isfinite(length) or length < 0.5:
        raise ValueError("the directions of rows and columns span no plane")
    normal = normal / length
    return normal if normal[np.abs(normal).argmax()] > 0 else -normal


def plane_of(orientation: Sequence[float]) -> Plane:
    """The plane's name by its normal; oblique where none of the three is near."""
    normal = np.abs(normal_of(orientation))
    return _PLANES[int(normal.argmax())] if normal.max() > _NAMED else "oblique"


def turn_of(orientation: Sequence[float]) -> Turn:
    """What turns a slice as stored so that it is shown as radiologists look at it.

    Args:
        orientation: Image Orientation (Patient): cosines of a row's direction, then of a column's.

    Raises:
        ValueError: the directions span no plane.
    """
    right, down = _SHOWN[int(np.abs(normal_of(orientation)).argmax())]
    row, column = np.asarray(orientation[:3], np.float64), np.asarray(orientation[3:6], np.float64)
    straight = abs(row @ right) + abs(column @ down)
    crossed = abs(row @ down) + abs(column @ right)
    if straight >= crossed:
        return Turn(False, bool(column @ down < 0), bool(row @ right < 0))
    return Turn(True, bool(row @ down < 0), bool(column @ right < 0))
