"""Is it the peak that carries the score? Places of a prepared picture are filled from their surroundings.

A deletion test after Samek et al. (2017), with one place instead of many, and a smooth fill instead of black,
which would be a lesion of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import DataError
from tumorscan.evaluate import weighted
from tumorscan.evaluate.intervals import group_bootstrap
from tumorscan.jsonable import plain_interval
from tumorscan.types import Interval, Picture

SIDE: Final = 0.2
"""Side of a blanked square, as a share of the picture's."""

ELSEWHERE: Final = 4
"""Places that are blanked for comparison."""

_LIT: Final = 0.5
"""Share of a place that must be tissue: to blank air is to blank nothing."""


@dataclass(frozen=True)
class Place:
    """A square in pixels of the prepared picture: its upper left corner and its side."""

    row: int
    column: int
    side: int


def place_around(row: int, column: int, size: int) -> Place:
    """The square around a pixel, moved into the picture of `size` where it would leave it."""
    side = max(1, round(SIDE * size))
    return Place(
        min(max(row - side // 2, 0), size - side), min(max(column - side // 2, 0), size - side), side
    )


def places_elsewhere(
    picture: Picture, peak: Place, rng: np.random.Generator, count: int = ELSEWHERE
) -> list[Place]:
    """Equally large places on tissue that do not touch the peak's; fewer where there is no room.

    Args:
        picture: prepared, uint8 RGB, S x S x 3.
        peak: the place to stay away from.
        rng: draws them.
        count: how many.
    """
    import cv2

    grey = picture.max(axis=2)
    tissue = (grey > 0.12 * max(float(np.percentile(grey, 99)), 1.0)).astype(np.float32)
    # Share of tissue in the square whose corner is at each pixel.
    summed = cv2.integral(tissue)
    side = peak.side
    share = summed[side:, side:] - summed[:-side, side:] - summed[side:, :-side] + summed[:-side, :-side]
    free = share / side**2 >= _LIT
    free[
        max(peak.row - side + 1, 0) : peak.row + side, max(peak.column - side + 1, 0) : peak.column + side
    ] = False
    rows, columns = np.nonzero(free)
    if not rows.size:
        return []
    chosen = rng.choice(rows.size, min(count, rows.size), replace=False)
    return [Place(int(rows[i]), int(columns[i]), side) for i in chosen]


def blanked(picture: Picture, place: Place) -> Picture:
    """The picture with a place filled by what is around it, blurred: a Gaussian mean of the outside.

    Args:
        picture: uint8 RGB, S x S x 3; not changed.
        place: within the picture.
    """
    import cv2

    inside = (slice(place.row, place.row + place.side), slice(place.column, place.column + place.side))
    outside = np.ones(picture.shape[:2], np.float32)
    outside[inside] = 0
    sigma = place.side / 3
    weight = cv2.GaussianBlur(outside, (0, 0), sigma)
    blurred = cv2.GaussianBlur(picture * outside[..., None], (0, 0), sigma)
    fill = blurred[inside] / np.maximum(weight[inside], 1e-6)[..., None]
    filled = picture.copy()
    filled[inside] = np.rint(np.clip(fill, 0, 255)).astype(np.uint8)
    return filled


@dataclass(frozen=True)
class Blanking:
    """What blanking does to the score, over pictures.

    Attributes:
        pictures: with a peak and room elsewhere.
        peak: mean fall of the logit where the peak is blanked.
        elsewhere: mean fall where as large a place elsewhere is.
        difference: peak minus elsewhere, paired.
        wins: share of pictures in which the peak's fall is the greater one.
    """

    pictures: int
    peak: Interval
    elsewhere: Interval
    difference: Interval
    wins: Interval

    def to_table(self) -> dict[str, Any]:
        """Plain values."""
        shown = {
            name: plain_interval(getattr(self, name)) for name in ("peak", "elsewhere", "difference", "wins")
        }
        return {"pictures": self.pictures, **shown}


def summed_up(
    falls: Sequence[tuple[float, float]], units: Sequence[str], *, unit: str = "patients", seed: int = 1
) -> Blanking:
    """Mean falls with intervals.

    Args:
        falls: N, of the logit: where the peak is blanked, and on average where another place is.
        units: N names, what the bootstrap draws.
        unit: what a unit is called.
        seed: of the bootstrap.

    Raises:
        DataError: there are none, or another number of units.
    """
    if not falls or len(falls) != len(units):
        raise DataError(f"{len(falls)} blanked pictures for {len(units)} names: give one name for each")
    table: NDArray[np.float64] = np.asarray(falls, np.float64)
    ones = np.ones(len(table))
    found = group_bootstrap(
        {
            "peak": weighted.ratio(table[:, 0], ones),
            "elsewhere": weighted.ratio(table[:, 1], ones),
            "difference": weighted.ratio(table[:, 0] - table[:, 1], ones),
            "wins": weighted.ratio(table[:, 0] > table[:, 1], ones),
        },
        units,
        unit=unit,
        seed=seed,
    )
    return Blanking(len(table), **found)
