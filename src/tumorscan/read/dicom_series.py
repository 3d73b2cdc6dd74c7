"""Frames of DICOM files to groups that are volumes, each in the order of its positions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscan.read.dicom_header import Header
from tumorscan.read.orientation import normal_of

_ALIKE = 0.02  # difference of direction cosines that is rounding, not another plane
_SAME_PLACE = 0.01  # mm
_GAP = 1.5  # times the usual step

_HEAD = ("HEAD", "BRAIN", "SKULL", "NEURO", "CRANI", "ORBIT", "PITUITARY", "SELLA", "IAC", "CEREB", "FACE")


@dataclass(frozen=True)
class Group:
    """The frames of one volume in their order.

    Attributes:
        headers: from the feet, the front or the right upwards.
        positions: float64, N, along the normal, in mm; nan where they are not known.
        notes: what was odd about the series.
    """

    headers: tuple[Header, ...]
    positions: NDArray[np.float64]
    notes: tuple[str, ...]


def group_frames(headers: Iterable[Header]) -> list[Group]:
    """Sort frames into volumes: by series, size and direction, then by what differs at one place.

    Args:
        headers: of all files, in any order.

    Returns:
        Groups in the order of the first frame of each.
    """
    found: list[Group] = []
    for series in _by_series(headers):
        parts = _by_direction(series)
        for part in parts:
            notes = []
            if len(parts) > 1:
                notes.append(
                    f"the series holds {len(parts)} sizes or directions of slices, read as volumes apart"
                )
            found += _by_place(_once(part, notes), notes)
    return found


def series_notes(headers: Sequence[Header]) -> list[str]:
    """What the header says that a reader of heads in MRI must know; the picture decides all the same."""
    notes = []
    for modality in sorted({one.modality for one in headers} - {"MR"}):
        said = f"says that this is {modality}" if modality else "does not say that this is MR"
        notes.append(f"the header {said}, not MR; what the picture shows decides")
    notes += [
        f"the header says that this is {part}, not a head; what the picture shows decides"
        for part in sorted({one.body_part for one in headers} - {""})
        if not any(word in part for word in _HEAD)
    ]
    odd = Counter(note for one in headers for note in one.notes)
    return notes + [note if count == 1 else f"{note} ({count} slices)" for note, count in odd.items()]


def _by_series(headers: Iterable[Header]) -> list[list[Header]]:
    series: dict[str, list[Header]] = defaultdict(list)
    for one in headers:
        series[one.series or f"\0{one.source.name}"].append(one)
    return list(series.values())


def _by_direction(series: Sequence[Header]) -> list[list[Header]]:
    parts: list[list[Header]] = []
    for one in series:
        for part in parts:
            if _alike(part[0], one):
                part.append(one)
                break
        else:
            parts.append([one])
    return parts


def _alike(one: Header, other: Header) -> bool:
    if (one.rows, one.columns, one.inverted) != (other.rows, other.columns, other.inverted):
        return False
    if one.orientation is None or other.orientation is None:
        return one.orientation is other.orientation
    return bool(np.allclose(one.orientation, other.orientation, rtol=0, atol=_ALIKE))


def _once(part: Sequence[Header], notes: list[str]) -> list[Header]:
    """Each picture once; copies of a file have its UID."""
    kept: dict[tuple[str, int | None], Header] = {}
    for one in part:
        kept.setdefault((one.uid or one.source.name, one.frame), one)
    if len(kept) < len(part):
        notes.append(f"{len(part) - len(kept)} files are copies of others by their UID: read once")
    return list(kept.values())


def _by_place(part: list[Header], notes: list[str]) -> list[Group]:
    positions = _positions(part)
    if positions is None:
        ordered = sorted(part, key=lambda one: (one.number is None, one.number or 0, one.name))
        if len(part) > 1:
            by = "number" if part[0].number is not None else "name"
            notes.append(f"the header does not say where the slices lie: in the order of their {by}")
        return [Group(tuple(ordered), np.full(len(part), np.nan), tuple(notes))]
    lots = _lots(part, positions)
    if len(lots) > 1:
        notes.append(
            f"the series holds {len(lots)} pictures of one place (echoes, times): read as volumes apart"
        )
    return [_ordered(part, positions, lot, notes) for lot in lots]


def _positions(part: Sequence[Header]) -> NDArray[np.float64] | None:
    first = part[0].orientation
    if first is None or any(one.position is None for one in part):
        return None
    normal = normal_of(first)
    positions = np.array([normal @ np.asarray(one.position) for one in part])
    # A writer that puts every slice at 0, 0, 0 says nothing.
    if len(part) > 1 and np.ptp(positions) < _SAME_PLACE and len({one.kinds for one in part}) == 1:
        return None
    return positions


def _lots(part: Sequence[Header], positions: NDArray[np.float64]) -> list[list[int]]:
    """Indices of frames, so that in each lot a place occurs once."""
    kinds: dict[tuple[str, ...], list[int]] = defaultdict(list)
    if _repeats([positions[index] for index in range(len(part))]):
        for index, one in enumerate(part):
            kinds[one.kinds].append(index)
    else:
        kinds[()] = list(range(len(part)))
    lots: list[list[int]] = []
    for indices in kinds.values():
        lots += _turns(part, positions, indices)
    return lots


def _turns(part: Sequence[Header], positions: NDArray[np.float64], indices: list[int]) -> list[list[int]]:
    """The first picture of each place, the second of each, and so on, by their numbers."""
    turns: list[list[int]] = []
    last, turn = -np.inf, 0
    for index in sorted(indices, key=lambda one: (positions[one], part[one].number or 0, part[one].name)):
        turn = turn + 1 if positions[index] - last < _SAME_PLACE else 0
        last = positions[index] if turn == 0 else last
        if turn == len(turns):
            turns.append([])
        turns[turn].append(index)
    return turns


def _repeats(positions: Sequence[float]) -> bool:
    return len(positions) > 1 and bool((np.diff(np.sort(positions)) < _SAME_PLACE).any())


def _ordered(
    part: Sequence[Header], positions: NDArray[np.float64], lot: list[int], notes: Sequence[str]
) -> Group:
    lot = sorted(lot, key=lambda index: positions[index])
    places = positions[lot]
    return Group(tuple(part[index] for index in lot), places, (*notes, *_gaps(places)))


def _gaps(places: NDArray[np.float64]) -> list[str]:
    if len(places) < 3:
        return []
    steps = np.diff(places)
    usual = float(np.median(steps))
    wide = np.flatnonzero(steps > _GAP * usual)
    if not wide.size:
        return []
    first = int(wide[0])
    count = f"{wide.size} gaps" if wide.size > 1 else "a gap"
    where = f"{steps[first]:.1f} mm after slice {first + 1}"
    return [f"{count} between slices: {where}, where {usual:.1f} mm is usual"]
