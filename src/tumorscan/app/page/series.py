"""A series that was handed in: read, answered and rendered once; the browser then shows it by itself."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.app.desk import files_of, guarded, name_of, points_of, table_of
from tumorscan.app.page import parts
from tumorscan.app.page.evidence import MISSING, Evidence, evidence_of
from tumorscan.app.page.handout import Handout, hand_out
from tumorscan.config import StudyLimits
from tumorscan.detect.volume import explain_slice, find_volume
from tumorscan.detect.volume_table import volume_table
from tumorscan.errors import BundleError, UnreadableScan
from tumorscan.read.study import read_study
from tumorscan.types import OperatingPoint, Study, UncertainBand, Volume, VolumeFinding

if TYPE_CHECKING:
    from tumorscan.app.desk import Desk
    from tumorscan.detect.detector import Detector

LIMITS: Final = StudyLimits(max_files=5000, max_bytes=2 * 1024**3, max_voxels=128 * 1024**2)
"""What the page takes of one series: the half of a gigabyte of voxels."""

LEVELS: Final = 1024
"""Greys that a browser gets: enough for a window a quarter as wide as the series' own to look smooth."""

_PIXELS: Final = 24 * 1024**2
_BEYOND: Final = 0.1  # per cent of the voxels at either end that no grey tells apart


@dataclass(frozen=True)
class Rendered:
    """Slices as the browser gets them.

    Attributes:
        slices: PNG data addresses; red holds the upper 8 of 10 bits of a grey, green the lower 2.
        low, high: values at the first and the last grey.
        ratio: width over height of a slice as it is to be shown.
    """

    slices: tuple[str, ...]
    low: float
    high: float
    ratio: float


@dataclass(frozen=True)
class Seen:
    """What the page shows of a series.

    Attributes:
        volume: under the name that the person gave it.
        place: of the volume in the study.
        names: of all volumes of the study.
        problems: of the study, a line each.
        found: the answer.
        rendered: the slices.
        evidence: over the key slice.
        points: of the bundle, the default first.
        band: where nothing is said.
        model: name and version of the bundle.
        handout: what can be downloaded.
    """

    volume: Volume
    place: int
    names: tuple[str, ...]
    problems: tuple[str, ...]
    found: VolumeFinding
    rendered: Rendered
    evidence: Evidence
    points: tuple[OperatingPoint, ...]
    band: UncertainBand | None
    model: str
    handout: Handout


Told = tuple[int, int] | Seen | UnreadableScan
"""How many slices are done of how many; then the whole, or why there is none."""


def look_through(desk: Desk, sent: Any) -> Iterator[Told]:
    """The answer for a series, with its progress.

    Args:
        desk: answers.
        sent: ``{"files": [...], "options": {"volume": place}}``; each file has a name and a path.
    """
    told: queue.SimpleQueue[Told] = queue.SimpleQueue()
    left = threading.Event()

    def progress(done: int, total: int) -> None:
        if left.is_set():
            raise UnreadableScan("series", "was left by whoever asked")
        told.put((done, total))

    name = _title(table_of(sent))
    work = threading.Thread(
        target=lambda: told.put(guarded(name, lambda: _seen(desk, table_of(sent), name, progress))),
        daemon=True,
    )
    work.start()
    try:
        while isinstance(one := told.get(), tuple):
            yield one
        yield one
    finally:
        # A browser that is gone needs no answer; the files go when the thread has seen that.
        left.set()


def _title(sent: dict[str, Any]) -> str:
    names = [name_of(one.get("name")) for one in files_of(sent)]
    if not names:
        return "series"
    return names[0] if len(names) == 1 else f"{names[0]} + {len(names) - 1}"


def _seen(desk: Desk, sent: dict[str, Any], name: str, progress: Callable[[int, int], None]) -> Seen:
    files = files_of(sent)
    wanted = table_of(sent.get("options")).get("volume", 0)
    detector = desk.detector
    with desk.inbox.held([str(one.get("path", "")) for one in files]) as places, desk.seat():
        names = Names(name, [name_of(one.get("name")) for one in files], places)
        study = _study(desk, files, places, names)
        place = int(wanted) if str(wanted).isdecimal() and int(wanted) < len(study.volumes) else 0
        volume = study.volumes[place]
        found = find_volume(detector, volume, progress=progress)
        evidence = _evidence(detector, volume, found)
        figures = volume_table(names.told_volume(volume), names.told_of(found))
        handout = hand_out(detector, volume, found, figures)
    return Seen(
        volume=volume,
        place=place,
        names=tuple(one.name for one in study.volumes),
        problems=study.problems,
        found=names.told_of(found),
        rendered=render(volume),
        evidence=evidence,
        points=points_of(detector),
        band=detector.band,
        model=detector.model,
        handout=handout,
    )


class Names:
    """The person's names in the place of those that the files have with us.

    Args:
        title: of all together.
        names: of the files.
        places: where they are with us, all in one folder; None where there is none.
    """

    def __init__(self, title: str, names: Sequence[str], places: Sequence[Path | None]) -> None:
        self.title = title
        self._names = {str(at): name for name, at in zip(names, places, strict=True) if at is not None}
        folders = {str(at.parent) for at in places if at is not None}
        self._folder = folders.pop() if folders else "\0"
        self._file = re.compile(re.escape(self._folder) + r"/\d+")

    def told(self, text: str) -> str:
        """A text of the rooms below with every file called as the person calls it."""
        named = self._file.sub(lambda one: self._names.get(one[0], self.title), text)
        return named.replace(self._folder, self.title)

    def told_volume(self, volume: Volume) -> Volume:
        """A volume whose slices are called as the person calls their files."""
        return replace(volume, slices=tuple(replace(one, file=self.told(one.file)) for one in volume.slices))

    def told_of(self, found: VolumeFinding) -> VolumeFinding:
        """An answer in which every slice is called as the person calls it."""
        slices = tuple(
            replace(one, finding=replace(one.finding, file=self.told(one.finding.file)))
            for one in found.slices
        )
        return replace(found, slices=slices)


def _study(desk: Desk, files: Sequence[dict[str, Any]], places: Sequence[Path | None], names: Names) -> Study:
    """What can be read of the files; volumes under the person's names, their slices still where they are."""
    there = [one for one in places if one is not None]
    if not there:
        # Says why the first is not: too large, not sent, no upload.
        first = table_of(files[0]) if files else {}
        desk.received(first, name_of(first.get("name")))
        raise UnreadableScan(names.title, "is no longer there: upload it again")
    try:
        study = read_study(there[0] if len(there) == 1 else there[0].parent, LIMITS)
    except UnreadableScan as error:
        raise UnreadableScan(names.title, names.told(error.cause)) from None
    missing = [one for one, at in zip(files, places, strict=True) if at is None]
    lost = [f"{name_of(one.get('name'))}: was not received" for one in missing]
    volumes = tuple(replace(one, name=names.told(one.name)) for one in study.volumes)
    return Study(names.title, volumes, (*lost, *map(names.told, study.problems)))


def _evidence(detector: Detector, volume: Volume, found: VolumeFinding) -> Evidence:
    if found.key_slice is None or found.slices[found.key_slice].finding.probability is None:
        return MISSING
    try:
        key = explain_slice(detector, volume, found.key_slice)
    except BundleError:
        return MISSING
    return evidence_of(key.scan, key.explanation, key.frame)


def render(volume: Volume) -> Rendered:
    """All slices, once: any window is set on them in the browser."""
    low, high = _range(volume)
    count, height, width = volume.values.shape
    scale = min(1.0, (_PIXELS / (count * height * width)) ** 0.5)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    slices = tuple(_packed(_levels(one, low, high), size) for one in volume.values)
    _, down, across = volume.spacing or (1.0, 1.0, 1.0)
    return Rendered(slices, low, high, width * across / (height * down))


def _range(volume: Volume) -> tuple[float, float]:
    """The values between which all greys lie: the window's, and nearly all there are."""
    count, height, width = volume.values.shape
    some = volume.values[:: max(1, count // 16), :: max(1, height // 128), :: max(1, width // 128)]
    finite = some[np.isfinite(some)]
    low, high = volume.centre - volume.width / 2, volume.centre + volume.width / 2
    if finite.size:
        least, most = np.percentile(finite, (_BEYOND, 100 - _BEYOND))
        low, high = min(low, float(least)), max(high, float(most))
    return low, max(high, low + 1e-6)


def _levels(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint16]:
    share = np.clip((np.nan_to_num(values, nan=low) - low) / (high - low), 0, 1)
    levels: NDArray[np.uint16] = np.rint(share * (LEVELS - 1)).astype(np.uint16)
    return levels


def _packed(levels: NDArray[np.uint16], size: tuple[int, int]) -> str:
    if levels.shape != size[::-1]:
        levels = np.asarray(cv2.resize(levels, size, interpolation=cv2.INTER_AREA), np.uint16)
    red, green = (levels >> 2).astype(np.uint8), (levels & 3).astype(np.uint8)
    # OpenCV's order is blue, green, red.
    done, data = cv2.imencode(".png", np.dstack([np.zeros_like(red), green, red]))
    if not done:
        raise MemoryError("a slice could not be packed")
    return parts.file_uri(data.tobytes(), "image/png")
