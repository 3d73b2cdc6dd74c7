"""A group of DICOM frames to a `Volume`: decoded file by file, turned, with one window."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import StudyLimits
from tumorscan.errors import UnreadableScan
from tumorscan.read.dicom_header import Header
from tumorscan.read.dicom_pixels import read_frames
from tumorscan.read.dicom_series import Group, series_notes
from tumorscan.read.masks import mask_values, told
from tumorscan.read.orientation import Plane, Turn, plane_of, turn_of
from tumorscan.read.window import choose_window, finite
from tumorscan.types import Slice, Volume

_FEW = 3  # failed frames of a file, each of which gets a line of its own


def build_volume(group: Group, name: str, limits: StudyLimits, problems: list[str]) -> Volume | None:
    """Decode the frames of a group.

    Args:
        group: frames in their order.
        name: of the volume, as shown to people.
        limits: as at `read_headers`.
        problems: gains a line for each frame that cannot be read; the others go on.

    Returns:
        None where no frame can be read; `problems` says why.

    Raises:
        UnreadableScan: it is a mask.
        MissingExtra: the extra `dicom` is not installed.
    """
    first, notes = group.headers[0], [*series_notes(group.headers), *group.notes]
    turn, plane = _turned(first)
    with_lut = _with_lut(group.headers)
    values, good = _decoded(group.headers, turn, limits, problems, with_lut=with_lut)
    if not good:
        return None
    if len(good) < len(group.headers):
        notes.append(
            f"{len(group.headers) - len(good)} of {len(group.headers)} slices cannot be read: left out"
        )
        values = values[good]
    finite(values, notes)
    if labels := mask_values(values):
        raise UnreadableScan(name, told(labels))
    headers = [group.headers[index] for index in good]
    positions = group.positions[good]
    centre, width = _window(values, headers, notes, with_lut=with_lut)
    return Volume(
        values=values,
        centre=centre,
        width=width,
        slices=tuple(
            Slice(one.source.name, one.frame, one.uid, float(place))
            for one, place in zip(headers, positions, strict=True)
        ),
        plane=plane,
        name=name,
        format="DICOM",
        inverted=first.inverted,
        spacing=_spacing(first, positions, turn),
        modality=first.modality,
        series=first.series,
        notes=tuple(notes),
    )


def _turned(first: Header) -> tuple[Turn, Plane]:
    if first.orientation is None:
        return Turn(), ""
    return turn_of(first.orientation), plane_of(first.orientation)


def _with_lut(headers: tuple[Header, ...]) -> bool:
    """Whether each frame has a VOI LUT, all of one depth; as the window is then that of its output."""
    tops = {one.lut_top for one in headers}
    return len(tops) == 1 and None not in tops


def _decoded(
    headers: tuple[Header, ...], turn: Turn, limits: StudyLimits, problems: list[str], *, with_lut: bool
) -> tuple[NDArray[np.float32], list[int]]:
    """The values of all frames as shown, and which of them could be read."""
    first = headers[0]
    shape = (first.columns, first.rows) if turn.transposed else (first.rows, first.columns)
    values = np.empty((len(headers), *shape), np.float32)
    good: list[int] = []
    by_file: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(headers):
        by_file[one.source.name].append(index)
    for indices in by_file.values():
        places = {id(headers[index]): index for index in indices}
        wanted = [headers[index] for index in indices]
        failed: list[UnreadableScan] = []
        try:
            for header, frame in read_frames(wanted[0].source, wanted, limits, with_lut=with_lut):
                if isinstance(frame, UnreadableScan):
                    failed.append(frame)
                    continue
                values[places[id(header)]] = turn.apply(frame)
                good.append(places[id(header)])
        except UnreadableScan as problem:
            problems.append(str(problem))
        problems += _told(wanted[0].source.name, failed, len(wanted))
    return values, sorted(good)


def _told(name: str, failed: list[UnreadableScan], count: int) -> list[str]:
    """A line a frame, or one for all where they are many."""
    if len(failed) <= _FEW:
        return [str(one) for one in failed]
    return [f"{name}: {len(failed)} of {count} frames cannot be read; {failed[0].file} {failed[0].cause}"]


def _window(
    values: NDArray[np.float32], headers: list[Header], notes: list[str], *, with_lut: bool
) -> tuple[float, float]:
    if with_lut and (top := headers[0].lut_top):
        notes.append("shown through the lookup table of the header (VOI LUT)")
        return top / 2, top
    return choose_window(values, [one.window for one in headers], notes)


def _spacing(first: Header, positions: NDArray[np.float64], turn: Turn) -> tuple[float, float, float] | None:
    if first.spacing is None:
        return None
    rows, columns = first.spacing[::-1] if turn.transposed else first.spacing
    steps = np.diff(positions)
    between = float(np.median(steps)) if len(steps) and np.isfinite(steps).all() else float("nan")
    return between, rows, columns
