"""From a slice as it was shown to the detector back to its pixels as they are stored."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.deliver.source import Source
from tumorscan.errors import UnreadableScan
from tumorscan.read.orientation import Turn, turn_of

_SIDES = (("L", "R"), ("P", "A"), ("H", "F"))


class Placed:
    """A slice between its two forms: stored as its file has it, shown as a reader sees it."""

    def __init__(self, source: Source, shape: tuple[int, int]) -> None:
        """Check that the two belong together.

        Args:
            source: the slice.
            shape: of the slice as shown, H x W.

        Raises:
            UnreadableScan: the header has another size than the slice that was shown.
        """
        self.source = source
        self.orientation = source.numbers("ImageOrientationPatient", 6)
        self._turn = self._turned()
        self._shape = shape
        stored = shape[::-1] if self._turn.transposed else shape
        if stored != (source.dataset.get("Rows"), source.dataset.get("Columns")):
            raise UnreadableScan(source.file, "its rows and columns are not those of the slice that was read")

    def _turned(self) -> Turn:
        if self.orientation is None:
            return Turn()
        try:
            return turn_of(self.orientation)
        except ValueError:  # the reader ignored it as well
            self.orientation = None
            return Turn()

    def points(self, shown: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points of the shown slice on the stored one.

        Args:
            shown: float64, n x 2: x and y in pixels; the corner of the first pixel is at 0, 0.

        Returns:
            The same of the stored slice, inside of it: as DICOM counts columns and rows (PS3.3 C.18.6.1.2).
        """
        height, width = self._shape
        limits = (height, width) if self._turn.transposed else (width, height)
        carried = [self._turn.to_stored(x - 0.5, y - 0.5, height, width) for x, y in shown]
        return np.asarray(np.clip(np.asarray(carried) + 0.5, 0, limits), np.float64)

    def stored(self, shown: NDArray[Any]) -> NDArray[Any]:
        """Values at the pixels of the shown slice, at those of the stored one."""
        turn = self._turn
        values = shown[:, ::-1] if turn.columns_flipped else shown
        values = values[::-1] if turn.rows_flipped else values
        return np.ascontiguousarray(values.T if turn.transposed else values)

    def sides(self) -> tuple[str, str] | None:
        """Where rows and columns of the shown slice run to: L, R, P, A, H or F; None if not known."""
        if self.orientation is None:
            return None
        row, column = self.orientation[:3], self.orientation[3:]
        across, down = (column, row) if self._turn.transposed else (row, column)
        return _side(across, back=self._turn.columns_flipped), _side(down, back=self._turn.rows_flipped)


def _side(direction: tuple[float, ...], *, back: bool) -> str:
    axis = int(np.abs(direction).argmax())
    return _SIDES[axis][int((direction[axis] < 0) != back)]
