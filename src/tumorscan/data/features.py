"""What can be told of a picture without looking at the brain: its file, ten statistics, its rim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.config import ReadLimits
from tumorscan.data.parallel import in_order
from tumorscan.data.records import Record
from tumorscan.errors import DataError
from tumorscan.read import read_scan

SMALL: Final = 64
"""Side of the small copies in pixels."""

STATISTICS: Final = (
    *("mean", "deviation", "5th percentile", "25th percentile", "median", "75th percentile"),
    *("95th percentile", "share of black", "mean step to the neighbour", "mean of the frame"),
)
"""Names of the columns of `pixel_statistics`."""

HEAD: Final = 0.42
"""Semi-axes of the ellipse that `rim_features` blanks out, as fractions of the sides."""

_CELL: Final = 4
_SMALLEST: Final = 32
_FRAME: Final = 4
_BLACK: Final = 16
_LIMITS: Final = ReadLimits()


def metadata_features(records: Sequence[Record]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """What a file's header and size say: width, height, bytes per pixel, colour mode and format.

    Args:
        records: N pictures.

    Returns:
        Features, N x K, and their K names. Modes and formats are columns of 0 and 1.
    """
    columns: dict[str, list[float]] = {
        "width": [record.width for record in records],
        "height": [record.height for record in records],
        "bytes per pixel": [record.file_bytes / (record.width * record.height) for record in records],
    }
    for mode in sorted({record.mode for record in records}):
        columns[f"mode {mode}"] = [float(record.mode == mode) for record in records]
    for form in sorted({record.format for record in records}):
        columns[f"format {form}"] = [float(record.format == form) for record in records]
    return np.array(list(columns.values()), np.float64).T, tuple(columns)


def small_copies(
    records: Sequence[Record], *, limits: ReadLimits = _LIMITS, progress: bool = False
) -> NDArray[np.uint8]:
    """Grey copies of the pictures as they are on disk, unprepared, averaged down to 64 x 64.

    Returns:
        uint8, N x 64 x 64, 0..255.

    Raises:
        UnreadableScan: a file cannot be read any more.
    """

    def copy(record: Record) -> NDArray[np.uint8]:
        grey = cv2.cvtColor(read_scan(record.file, limits).pixels, cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.resize(grey, (SMALL, SMALL), interpolation=cv2.INTER_AREA), np.uint8)

    copies = list(in_order(copy, records, title="reading", progress=progress))
    return np.stack(copies) if copies else np.empty((0, SMALL, SMALL), np.uint8)


def pixel_statistics(copies: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Ten numbers of each small copy, named in `STATISTICS`; no place in the picture counts but the frame.

    Args:
        copies: uint8, N x S x S with S over 8, 0..255.

    Returns:
        float64, N x 10, in grey levels, the share of black in 0..1.

    Raises:
        DataError: another shape.
    """
    _check(copies)
    pixels = copies.astype(np.float64)
    flat = pixels.reshape(len(pixels), -1)
    steps = sum(np.abs(np.diff(pixels, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)) / 2
    frame = np.ones(copies.shape[1:], bool)
    frame[_FRAME:-_FRAME, _FRAME:-_FRAME] = False
    percentiles = np.percentile(flat, [5, 25, 50, 75, 95], axis=1)
    black = (flat < _BLACK).mean(axis=1)
    return np.column_stack(
        [flat.mean(axis=1), flat.std(axis=1), *percentiles, black, steps, pixels[:, frame].mean(axis=1)]
    )


def rim_features(copies: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The picture with its centre blanked out: means of 4 x 4 cells that touch no point of the head.

    The head is taken to fill an ellipse in the middle, see `HEAD`; what is left is air, the frame,
    writing, and parts of heads that reach the edge.

    Args:
        copies: uint8, N x S x S, S a multiple of 4, at least 32: below, no cell is left.

    Returns:
        float64, N x K, in grey levels.

    Raises:
        DataError: another shape.
    """
    _check(copies)
    side = copies.shape[1]
    if side % _CELL or side < _SMALLEST:
        raise DataError(
            f"copies have a side of {side}: it must be a multiple of {_CELL}, {_SMALLEST} or more"
        )
    centres = (np.arange(side) + 0.5) / side - 0.5
    head = centres[:, None] ** 2 + centres[None] ** 2 < HEAD**2
    cells = side // _CELL
    outside = ~head.reshape(cells, _CELL, cells, _CELL).any(axis=(1, 3))
    means = copies.reshape(len(copies), cells, _CELL, cells, _CELL).mean(axis=(2, 4))
    rim: NDArray[np.float64] = means[:, outside]
    return rim


def _check(copies: NDArray[np.uint8]) -> None:
    if copies.ndim != 3 or copies.shape[1] != copies.shape[2] or copies.shape[1] <= 2 * _FRAME:
        raise DataError(
            f"copies have the shape {copies.shape}: N x S x S is needed, S over {2 * _FRAME}; "
            "make them with small_copies"
        )
