"""A mask that is given as a scan, told by its values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FEW = 8


def mask_values(values: NDArray[np.float32]) -> tuple[float, ...]:
    """The few whole numbers that a mask holds; empty where the values are those of a scan, or all one.

    Args:
        values: of all slices.
    """
    flat = values.reshape(-1)
    some = np.unique(flat[:: -(-flat.size // 200_000)])
    if some.size > _FEW:
        return ()
    # A small lesion may lie between the values looked at; what is not the commonest value is quick to sort.
    rest = np.unique(flat[flat != some[0]])
    labels = np.union1d(some, rest)
    if not 2 <= labels.size <= _FEW or not np.array_equal(labels, np.rint(labels)):
        return ()
    return tuple(float(one) for one in labels)


def told(labels: tuple[float, ...]) -> str:
    """What is said of a mask: the cause of a refusal."""
    numbers = ", ".join(f"{one:g}" for one in labels)
    return f"holds only the values {numbers}: a mask, not a scan; give the scan that it belongs to"
