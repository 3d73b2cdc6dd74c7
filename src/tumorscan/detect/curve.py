"""From the probabilities of a volume's slices to one: a curve, its highest run, the key slice, the extent.

A lesion that matters spans several neighbouring slices; an error of the network often spans one. So each
slice gets the mean with its neighbours in millimetres, and the volume the highest mean of a run of a given
length. Both are low-pass filters before a maximum, as in the scan statistic (Naus 1965; Kulldorff 1997).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import SettingsError
from tumorscan.types import Volume

Floats = NDArray[np.float64]

_FEW, _SLAB = 40, 60.0  # slices, mm: a head takes 120 mm or more in every plane


@dataclass(frozen=True)
class CurveRule:
    """How slices become a volume's answer. Where its numbers come from: docs/results.md, "Volumes".

    Attributes:
        reach: neighbours up to so many mm away are averaged with a slice.
        run: the volume's probability is the highest mean over a run of at least so many mm.
        fewest: slices of a run at least, so that none decides alone; of a shorter stack, all.
        edge: the suspicious run ends where the curve falls under this share of the key slice's.
        pitch: mm taken for the distance of two slices where the volume does not say it.
    """

    reach: float = 5.0
    run: float = 8.0
    fewest: int = 2
    edge: float = 0.5
    pitch: float = 5.0

    def __post_init__(self) -> None:
        for name, low, high in (("reach", 0, 100), ("run", 0, 200), ("fewest", 1, 100), ("edge", 0, 1)):
            if not low <= (value := getattr(self, name)) <= high:
                raise SettingsError(f"{name} is {value:g}: it must lie in [{low}, {high}]")
        if not 0 < self.pitch <= 100:
            raise SettingsError(f"pitch is {self.pitch:g}: it must lie in (0, 100]")


@dataclass(frozen=True)
class Summary:
    """What the slices say together.

    Attributes:
        curve: float64, N: mean of each slice and its neighbours, 0..1; nan where the slice was refused.
        probability: the highest mean of the curve over a run; None where all slices were refused.
        run: first and last slice of that run, both included; None with the probability.
        key: the slice of that run with the highest curve; None with the probability.
    """

    curve: Floats
    probability: float | None
    run: tuple[int, int] | None
    key: int | None


def positions(volume: Volume, pitch: float) -> tuple[Floats, str]:
    """Where each slice lies along the stack, in mm; N. And why that was assumed, empty where it was read.

    Positions of the slices are taken where all are known, else the volume's spacing, else `pitch`.
    """
    assumed = np.arange(len(volume), dtype=np.float64) * np.float64(pitch)
    if _unit_voxels(volume):
        return assumed, (
            f"the voxels' size in the header is not believed ({len(volume)} slices would cover "
            f"{_cover(volume):.0f} mm): slices taken as {pitch:g} mm apart"
        )
    known = np.array([one.position for one in volume.slices], np.float64)
    if len(known) and np.isfinite(known).all() and (len(known) == 1 or np.ptp(known) > 0):
        return known, ""
    if volume.spacing is not None and np.isfinite(volume.spacing[0]) and volume.spacing[0] > 0:
        return np.arange(len(volume), dtype=np.float64) * np.float64(volume.spacing[0]), ""
    return assumed, f"distance of the slices unknown: taken as {pitch:g} mm"


def _unit_voxels(volume: Volume) -> bool:
    """A few slices of cubes that would cover a slab of a head: sizes that a conversion has filled with 1."""
    if volume.spacing is None or not 2 <= len(volume) <= _FEW:
        return False
    low, high = min(volume.spacing), max(volume.spacing)
    sides = (volume.values.shape[1] * volume.spacing[1], volume.values.shape[2] * volume.spacing[2])
    return high <= 1.01 * low and _cover(volume) < _SLAB <= min(sides) / 2


def _cover(volume: Volume) -> float:
    return len(volume) * (volume.spacing[0] if volume.spacing else 0.0)


def summarise(probabilities: Floats, places: Floats, rule: CurveRule) -> Summary:
    """Curve, highest run and key slice.

    Args:
        probabilities: N, of the slices alone, 0..1; nan where a slice was refused.
        places: N, mm along the stack, in the order of the slices.
        rule: how they are put together.
    """
    curve = smoothed(probabilities, places, rule.reach)
    asked = np.flatnonzero(np.isfinite(curve))
    if not len(asked):
        return Summary(curve, None, None, None)
    pitch = _pitch(places)
    best, first, last = -1.0, 0, 0
    for start, stop in _runs(places[asked], pitch, rule):
        mean = float(curve[asked[start : stop + 1]].mean())
        if mean > best:
            best, first, last = mean, int(asked[start]), int(asked[stop])
    inside = np.where(np.isfinite(curve[first : last + 1]), curve[first : last + 1], -1.0)
    return Summary(curve, best, (first, last), first + int(inside.argmax()))


def smoothed(probabilities: Floats, places: Floats, reach: float) -> Floats:
    """Each slice's mean with its neighbours up to `reach` mm away; refused slices (nan) stay so. N."""
    near = np.abs(places[:, None] - places) <= reach + 1e-6
    asked = np.isfinite(probabilities)
    sums = near @ np.where(asked, probabilities, 0.0)
    counts = near @ asked.astype(np.float64)
    return np.where(asked, sums / np.maximum(counts, 1), np.nan)


def extent(curve: Floats, key: int, level: float) -> tuple[int, int]:
    """First and last slice of the run round the key slice with a curve of at least `level`.

    Refused slices (nan) between two of the run are bridged; at its ends they are left out.
    """
    first = last = key
    for i in range(key - 1, -1, -1):
        if curve[i] < level:
            break
        first = first if np.isnan(curve[i]) else i
    for i in range(key + 1, len(curve)):
        if curve[i] < level:
            break
        last = last if np.isnan(curve[i]) else i
    return first, last


def _pitch(places: Floats) -> float:
    """The usual distance of neighbouring slices, in mm; what one slice stands for."""
    return float(np.median(np.abs(np.diff(places)))) if len(places) > 1 else 0.0


def _runs(places: Floats, pitch: float, rule: CurveRule) -> list[tuple[int, int]]:
    """First and last of every shortest run of slices that is long enough; the whole stack if none is.

    Args:
        places: M, of the slices that were asked.
        pitch: mm that one slice stands for.
        rule: says how long a run is.
    """
    most = len(places) - 1
    # From both ends, or refused slices in between would make the answer depend on the direction.
    onward = _onward(places, pitch, rule)
    back = [(most - last, most - first) for first, last in _onward(places[::-1], pitch, rule)]
    return sorted({*onward, *back}) or [(0, most)]


def _onward(places: Floats, pitch: float, rule: CurveRule) -> list[tuple[int, int]]:
    most, runs = len(places) - 1, []
    for first in range(len(places)):
        last = min(first + rule.fewest - 1, most)
        while last < most and abs(places[last] - places[first]) + pitch < rule.run - 1e-6:
            last += 1
        long_enough = abs(places[last] - places[first]) + pitch >= rule.run - 1e-6
        if long_enough and last - first + 1 >= rule.fewest:
            runs.append((first, last))
    return runs
