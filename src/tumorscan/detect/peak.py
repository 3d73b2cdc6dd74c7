"""The strongest place of a map, finer than its cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def peak_of(evidence: NDArray[np.float32]) -> tuple[float, float]:
    """Where a map is highest: through each strongest cell and its two neighbours goes a parabola.

    A cell is 16 pixels of 224 wide, and many a lesion is smaller: its centre often lies beside what it found.

    Args:
        evidence: float32, h x w, finite. Logits tell more than probabilities, which are all near 1 there.

    Returns:
        Row and column as shares of the height and the width, 0..1; never outside of the strongest cell.
    """
    row, column = divmod(int(evidence.argmax()), evidence.shape[1])
    down, across = _top(evidence[:, column], row), _top(evidence[row], column)
    return down / evidence.shape[0], across / evidence.shape[1]


def _top(line: NDArray[np.float32], strongest: int) -> float:
    """Place of a line's top, in cells from its edge; the middle of the cell where a neighbour lacks."""
    middle = strongest + 0.5
    if not 0 < strongest < len(line) - 1:
        return middle
    before, centre, after = (float(value) for value in line[strongest - 1 : strongest + 2])
    bend = before - 2 * centre + after
    return middle + (0.5 * (before - after) / bend if bend < 0 else 0.0)
