"""Where the tumors are: boxes and masks that a csv gives for its pictures, checked before they are used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.data.augment import Box
from tumorscan.data.sources import file_of, label_in, selected_rows
from tumorscan.errors import DataError, UnreadableScan
from tumorscan.read import read_scan
from tumorscan.types import Frame

Mask = NDArray[np.bool_]
"""bool, H x W: True on the lesion."""

BOX_COLUMNS: Final = ("box_x", "box_y", "box_w", "box_h")
"""x and y of the upper left corner, width and height, as fractions of the picture's sides."""

MASK_COLUMN: Final = "mask"

ROUNDING: Final = 1e-3
"""How far a box may reach past the picture, in fractions: csv files hold rounded numbers."""


@dataclass(frozen=True)
class Lesion:
    """Where the tumor of a picture is; at least one of the two is known.

    Attributes:
        box: fractions of the picture's sides, within it and of some area.
        mask: a picture of the same size, not black where the lesion is; absolute, links resolved.
    """

    box: Box | None
    mask: Path | None


def read_lesions(path: Path, where: Mapping[str, str] | None = None) -> dict[Path, Lesion]:
    """The lesions that a csv gives: columns `box_x`, `box_y`, `box_w`, `box_h`, or `mask`, or both.

    Every mask is opened and compared with its picture, so that nothing fails in the middle of a training.

    Args:
        path: a csv with the columns file and label; masks are relative to it, as the files are.
        where: only the rows whose columns hold these values.

    Returns:
        By the picture's file, absolute, links resolved. Pictures whose place is not given are left out.

    Raises:
        DataError: the csv cannot be used; box columns are missing, half empty or no numbers; a box has no
            area or lies outside the picture; a mask is missing, damaged, empty or of another size; a
            picture without tumor has a box or a mask that is not empty; a picture has two lesions.
    """
    found: dict[Path, Lesion] = {}
    for line, row in selected_rows(path, where or {}):
        at = f"{path}: line {line}"
        tumor = label_in(path, line, row) == "tumor"
        file = file_of(row["file"], path.parent)
        box = _box(at, row, tumor=tumor)
        mask = _mask(at, row, file, path.parent, tumor=tumor)
        if box is None and mask is None:
            continue
        lesion = Lesion(box, mask)
        if found.setdefault(file, lesion) != lesion:
            raise DataError(
                f"{at}: {file.name} stands in an earlier line with another lesion: keep one line a picture"
            )
    return found


def read_mask(file: Path) -> Mask:
    """The mask in a picture file: bool, H x W, True where the picture is not black.

    Raises:
        DataError: it cannot be read, or it is a JPEG, whose rings around the lesion are not black.
    """
    try:
        scan = read_scan(file)
    except UnreadableScan as error:
        raise DataError(f"mask {error}") from error
    if scan.format == "JPEG":
        raise DataError(f"mask {file}: is a JPEG, which blurs the outline: save it as PNG")
    return np.asarray(scan.pixels.any(axis=2))


def box_on_prepared(box: Box, scan_width: int, scan_height: int, frame: Frame) -> Box | None:
    """Carry a box of the scan to its prepared picture.

    Args:
        box: fractions of the scan's sides.
        scan_width: in pixels.
        scan_height: in pixels.
        frame: how the scan became the prepared picture.

    Returns:
        Fractions of the prepared picture's side, clipped to it; None when nothing of the box is left.
    """
    x, y, width, height = box
    corners = [
        frame.from_scan(x * scan_width, y * scan_height),
        frame.from_scan((x + width) * scan_width, (y + height) * scan_height),
    ]
    (left, top), (right, bottom) = (
        (min(max(across / frame.size, 0.0), 1.0), min(max(down / frame.size, 0.0), 1.0))
        for across, down in corners
    )
    if right <= left or bottom <= top:
        return None
    return left, top, right - left, bottom - top


def mask_on_prepared(mask: Mask, frame: Frame) -> Mask:
    """Carry a mask of the scan to its prepared picture, by the pixel under each pixel's centre.

    Args:
        mask: bool, H x W, of the scan's size.
        frame: how the scan became the prepared picture.

    Returns:
        bool, S x S; False on the padding.
    """
    height, width = mask.shape
    first, second = frame.to_scan(0.5, 0.5), frame.to_scan(1.5, 1.5)
    steps = np.arange(frame.size)
    x, y = (np.floor(a + (b - a) * steps).astype(np.int64) for a, b in zip(first, second, strict=True))
    across = (x >= 0) & (x < width)
    down = (y >= 0) & (y < height)
    moved = mask[np.clip(y, 0, height - 1)[:, None], np.clip(x, 0, width - 1)[None, :]]
    return np.asarray(moved & down[:, None] & across[None, :])


def _box(at: str, row: Mapping[str, str], *, tumor: bool) -> Box | None:
    there = [name for name in BOX_COLUMNS if name in row]
    if not there:
        return None
    missing = [name for name in BOX_COLUMNS if name not in row]
    if missing:
        raise DataError(
            f"{at}: no column {', '.join(missing)} beside {there[0]}: give all of {', '.join(BOX_COLUMNS)}"
        )
    values = {name: row[name].strip() for name in BOX_COLUMNS}
    if not any(values.values()):
        return None
    if not tumor:
        raise DataError(f"{at}: labelled no_tumor, with a box: correct the label or empty the box's columns")
    empty = [name for name, value in values.items() if not value]
    if empty:
        raise DataError(f"{at}: half a box, {', '.join(empty)} is empty: give all four numbers or none")
    return _checked(at, *(_number(at, name, value) for name, value in values.items()))


def _number(at: str, name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{at}: {name} is {value!r}: it must be a number from 0 to 1, with a decimal point")
    return number


def _checked(at: str, x: float, y: float, width: float, height: float) -> Box:
    shown = f"box x {x:g}, y {y:g}, width {width:g}, height {height:g}"
    if width <= 0 or height <= 0:
        raise DataError(
            f"{at}: {shown} has no area: correct it, or empty its columns if the place is unknown"
        )
    if min(x, y) < -ROUNDING or max(x + width, y + height) > 1 + ROUNDING:
        raise DataError(
            f"{at}: {shown} lies outside the picture: give fractions of the picture's sides, "
            "pixels divided by its width and height"
        )
    left, top = max(x, 0.0), max(y, 0.0)
    return left, top, min(x + width, 1.0) - left, min(y + height, 1.0) - top


def _mask(at: str, row: Mapping[str, str], picture: Path, folder: Path, *, tumor: bool) -> Path | None:
    name = row.get(MASK_COLUMN, "")
    if not name.strip():
        return None
    file = file_of(name, folder)
    if not file.exists():
        raise DataError(f"{at}: there is no mask {name.strip()}: correct its name, relative to {folder}")
    try:
        mask, scan = read_mask(file), read_scan(picture)
    except (DataError, UnreadableScan) as error:
        raise DataError(f"{at}: {error}") from error
    if mask.shape != scan.pixels.shape[:2]:
        raise DataError(
            f"{at}: mask {file.name} is {mask.shape[1]} x {mask.shape[0]} pixels and its picture "
            f"{scan.width} x {scan.height}: give a mask of the picture's size"
        )
    if tumor and not mask.any():
        raise DataError(
            f"{at}: labelled tumor, but its mask {file.name} is empty: correct the label or the mask"
        )
    if not tumor and mask.any():
        raise DataError(
            f"{at}: labelled no_tumor, but its mask {file.name} is not empty: correct one of them"
        )
    return file if tumor else None
