"""Does a map of evidence point at the lesion? Measures of one map, and their means over pictures.

All arrays lie on the grid of the prepared picture, S x S. A map's cells are spread over it bilinearly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.detect.peak import peak_of
from tumorscan.errors import DataError
from tumorscan.evaluate import weighted
from tumorscan.evaluate.intervals import group_bootstrap
from tumorscan.jsonable import plain_interval
from tumorscan.types import Interval

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

TOLERANCE: Final = 15 / 224
"""How near the peak must be in the pointing game, as a share of the side: 15 pixels of 224 (Zhang 2016)."""

HALF: Final = 0.5
"""A map is cut at this share of its greatest value."""


@dataclass(frozen=True)
class Located:
    """How well one map found one lesion; all are nan-free.

    Attributes:
        peak_in: 1 where the map's peak lies in the lesion, else 0.
        pointing: the same within `TOLERANCE` of it: the pointing game of Zhang et al. (2016).
        iou: of the map cut at half of its greatest value, with the lesion.
        iou_area: of the strongest pixels, as many as the lesion has; no scale of the map plays a part.
        mass: share of the evidence that lies in the lesion; 0 where there is none.
        lift: mass over the lesion's share of the picture: 1 is what an even map has.
        lesion: the strongest evidence in the lesion.
        rest: the strongest farther than `TOLERANCE` from it; the weakest of all where nothing is.
    """

    peak_in: float
    pointing: float
    iou: float
    iou_area: float
    mass: float
    lift: float
    lesion: float = field(default=0.0, compare=False)
    rest: float = field(default=0.0, compare=False)


MEASURES: Final = ("peak_in", "pointing", "iou", "iou_area", "mass", "lift")
"""What is a mean over pictures."""
APART: Final = "apart"
FIGURES: Final = (*MEASURES, APART)

WORDS: Final = {
    "peak_in": "Peak in the lesion",
    "pointing": "Pointing game",
    "iou": "IoU at half of the peak",
    "iou_area": "IoU at the lesion's area",
    "mass": "Evidence in the lesion",
    "lift": "Evidence over an even map's",
    APART: "Lesions above the rest (AUC)",
}


def located(evidence: Floats, lesion: Mask) -> Located:
    """Measure one map.

    What is negative speaks against a tumor: it counts as no evidence, but a peak may be negative.

    Args:
        evidence: h x w, finite.
        lesion: bool, S x S, True on the lesion; not empty.

    Raises:
        DataError: the map is not finite or the lesion is empty.
    """
    _check(evidence, lesion)
    if np.ptp(evidence) == 0:
        return (
            Located(0, 0, 0, 0, 0, 0) if not evidence.max() > 0 else _measured(evidence, lesion, peak=False)
        )
    return _measured(evidence, lesion, peak=True)


def pixel_of(evidence: Floats, size: int) -> tuple[int, int]:
    """Row and column of the pixel, in a picture of `size`, at the map's peak."""
    down, across = peak_of(evidence)
    return min(int(down * size), size - 1), min(int(across * size), size - 1)


def random_map(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Even lots, one a cell, 0..1."""
    return rng.random(shape, dtype=np.float32)


def centre_map(shape: tuple[int, int]) -> Floats:
    """A bell around the middle: what is known without looking. Its sigma is a fifth of the side."""
    down, across = ((np.arange(n) + 0.5) / n - 0.5 for n in shape)
    bell: Floats = np.exp(-(down[:, None] ** 2 + across[None, :] ** 2) / (2 * 0.2**2)).astype(np.float32)
    return bell


def _check(evidence: Floats, lesion: Mask) -> None:
    if evidence.ndim != 2 or not evidence.size or not np.isfinite(evidence).all():
        raise DataError(f"a map of the shape {evidence.shape}: it must be h x w and finite: export anew")
    if lesion.ndim != 2 or lesion.shape[0] != lesion.shape[1] or not lesion.any():
        raise DataError(f"a lesion of the shape {lesion.shape}: it must be S x S and not empty")


def _measured(evidence: Floats, lesion: Mask, *, peak: bool) -> Located:
    import cv2

    size = lesion.shape[0]
    spread = np.asarray(cv2.resize(evidence, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    for_tumor = np.maximum(spread, 0)
    total = float(for_tumor.sum())
    mass = float(for_tumor[lesion].sum()) / total if total > 0 else 0.0
    row, column = pixel_of(evidence, size)
    # Distance of every pixel to the nearest one of the lesion.
    away = cv2.distanceTransform((~lesion).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    top = float(for_tumor.max())
    area = int(lesion.sum())
    return Located(
        peak_in=float(peak and lesion[row, column]),
        pointing=float(peak and away[row, column] <= TOLERANCE * size),
        iou=_iou(for_tumor >= HALF * top, lesion) if top > 0 else 0.0,
        iou_area=_iou(_strongest(spread, area), lesion),
        mass=mass,
        lift=mass * lesion.size / area,
        lesion=float(spread[lesion].max()),
        rest=float(spread.max(initial=spread.min(), where=away > TOLERANCE * size)),
    )


def _strongest(spread: Floats, count: int) -> Mask:
    """The strongest pixels, at most so many: equals at the cut are all left out if not all find room."""
    cut = np.partition(spread, spread.size - count, axis=None)[spread.size - count]
    chosen: Mask = spread >= cut
    return chosen if int(chosen.sum()) <= count else spread > cut


def _iou(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / (one | other).sum())


@dataclass(frozen=True)
class MapFigures:
    """A kind of map over many pictures.

    Attributes:
        figures: the mean of each measure; and, as `apart`, the probability that the strongest evidence in a
            lesion is above the strongest outside of one, each from any picture. Both come from the same
            heads, so no source can be told by it.
        ahead: the first kind's mean minus this one's, on the same draws; empty for the first itself.
    """

    figures: Mapping[str, Interval]
    ahead: Mapping[str, Interval]

    def to_table(self) -> dict[str, Any]:
        """Plain values."""
        return {
            kind: {name: plain_interval(one) for name, one in getattr(self, kind).items()}
            for kind in ("figures", "ahead")
        }


def compare_maps(
    maps: Mapping[str, Sequence[Located]], units: Sequence[str], *, unit: str = "patients", seed: int = 1
) -> dict[str, MapFigures]:
    """Figures of each kind of map, and how far the first is ahead.

    Args:
        maps: by kind, one measurement a picture, in the same order; the first is the one in question.
        units: N names of patients or groups, what the bootstrap draws.
        unit: what a unit is called.
        seed: of the bootstrap.

    Raises:
        DataError: there is no map, or the kinds differ in their number of pictures.
    """
    counts = {len(rows) for rows in maps.values()}
    if counts != {len(units)} or not units:
        raise DataError(f"{sorted(counts)} maps a kind for {len(units)} pictures: give one for each")
    first = next(iter(maps))
    columns = {
        kind: {name: np.array([getattr(row, name) for row in rows], np.float64) for name in MEASURES}
        for kind, rows in maps.items()
    }
    ones = np.ones(len(units))
    statistics = {}
    for kind, table in columns.items():
        for name, values in table.items():
            statistics[f"{kind}/{name}"] = weighted.ratio(values, ones)
            statistics[f"{kind}/{name}/ahead"] = weighted.ratio(columns[first][name] - values, ones)
        statistics[f"{kind}/{APART}"] = _apart(maps[kind])
        statistics[f"{kind}/{APART}/ahead"] = _difference(_apart(maps[first]), _apart(maps[kind]))
    found = group_bootstrap(statistics, units, unit=unit, seed=seed)
    return {
        kind: MapFigures(
            {name: found[f"{kind}/{name}"] for name in FIGURES},
            {} if kind == first else {name: found[f"{kind}/{name}/ahead"] for name in FIGURES},
        )
        for kind in maps
    }


def _apart(rows: Sequence[Located]) -> weighted.Statistic:
    peaks = [row.lesion for row in rows] + [row.rest for row in rows]
    labels = np.repeat(np.array([1, 0], np.int64), len(rows))
    statistic = weighted.auc(labels, np.array(peaks, np.float64))
    return lambda weights: statistic(np.tile(weights, 2))


def _difference(one: weighted.Statistic, other: weighted.Statistic) -> weighted.Statistic:
    return lambda weights: one(weights) - other(weights)
