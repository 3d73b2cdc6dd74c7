"""One window from values to grey for a whole volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.read.pixels import HIGH_PERCENTILE, LOW_PERCENTILE

_ENOUGH = 4_000_000  # values that tell a percentile well; more would only take time
_SHOWS_SOMETHING = 0.01


def linear_window(centre: float, width: float, function: str = "LINEAR") -> tuple[float, float] | None:
    """Centre and width of the straight ramp that a header's window means; None where it means none.

    PS3.3 C.11.2.1.2: LINEAR runs over `width` - 1 around `centre` - 0.5, the two others as they say.
    """
    if not (np.isfinite(centre) and np.isfinite(width)):
        return None
    if function in ("LINEAR_EXACT", "SIGMOID"):
        return (centre, width) if width > 0 else None
    return (centre - 0.5, width - 1) if width > 1 else None


def choose_window(
    values: NDArray[np.float32], windows: Sequence[tuple[float, float] | None], notes: list[str]
) -> tuple[float, float]:
    """The window of a volume: the header's where it has one that shows something, else percentiles.

    Args:
        values: of all slices.
        windows: of each slice, centre and width; None where the header has none.
        notes: gains a line where the header's window was not simply taken.

    Returns:
        Centre and width, in the unit of the values.
    """
    given = [one for one in windows if one is not None]
    if given and len(given) == len(windows):
        lows = [centre - width / 2 for centre, width in given]
        highs = [centre + width / 2 for centre, width in given]
        low, high = float(np.median(lows)), float(np.median(highs))
        if _shows(values, low, high):
            if len(set(given)) > 1:
                notes.append(f"the slices have windows of their own: the median, {low:g}..{high:g}, is taken")
            return (low + high) / 2, high - low
        why = "the header's window shows nothing"
    else:
        why = "only some slices have a window" if given else "no window in the header"
    low, high = percentile_window(values)
    notes.append(f"{why}: from {low:g} to {high:g}, percentiles of the whole series")
    return (low + high) / 2, high - low


def percentile_window(values: NDArray[np.float32]) -> tuple[float, float]:
    """The 0.5th and the 99.5th percentile of all values; the extremes where those are one."""
    some = _some(values)
    low, high = (float(one) for one in np.percentile(some, (LOW_PERCENTILE, HIGH_PERCENTILE)))
    if low == high:  # nearly all of it is background
        low, high = float(values.min()), float(values.max())
    return low, high


def finite(values: NDArray[np.float32], notes: list[str]) -> None:
    """Put the lowest finite value, in place, where a value is no finite number; 0 where there is none."""
    odd = ~np.isfinite(values)
    count = int(odd.sum())
    if not count:
        return
    values[odd] = values[~odd].min() if count < values.size else 0.0
    notes.append(f"{count} values are no finite numbers: read as the lowest of the others")


def _shows(values: NDArray[np.float32], low: float, high: float) -> bool:
    some = _some(values)
    return bool(np.mean((some > low) & (some < high)) >= _SHOWS_SOMETHING)


def _some(values: NDArray[Any]) -> NDArray[Any]:
    flat = values.reshape(-1)
    return flat[:: -(-flat.size // _ENOUGH)]
