"""What can be downloaded of a series: made while its files are still there, and held in memory only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tumorscan.detect.rows import to_table
from tumorscan.errors import TumorscanError, UnreadableScan
from tumorscan.jsonable import jsonable

if TYPE_CHECKING:
    from tumorscan.detect.detector import Detector
    from tumorscan.types import Volume, VolumeFinding


@dataclass(frozen=True)
class File:
    """A file to download.

    Attributes:
        kind: pdf, sr, capture or json.
        name: that it is saved under.
        media: its type.
        data: the whole of it.
    """

    kind: str
    name: str
    media: str
    data: bytes


@dataclass(frozen=True)
class Handout:
    """Files to download, and why others are not among them (a line each)."""

    files: tuple[File, ...]
    missing: tuple[str, ...] = ()


def hand_out(detector: Detector, volume: Volume, found: VolumeFinding, told: VolumeFinding) -> Handout:
    """All that can be downloaded of an answer; what cannot be made is told and leaves the others be.

    Args:
        detector: that gave the answer.
        volume: as read; its files are still there.
        found: of it.
        told: the same with the person's names of the files.
    """
    files = [File("json", "tumorscan.json", "application/json", json_bytes(told))]
    missing: list[str] = []
    for make in (_objects,):
        try:
            files += make(detector, volume, found)
        except TumorscanError as error:
            missing.append(error.cause if isinstance(error, UnreadableScan) else str(error))
    return Handout(tuple(files), tuple(missing))


def _objects(detector: Detector, volume: Volume, found: VolumeFinding) -> list[File]:
    """Structured report and key image, for the study that the series came from."""
    from tumorscan.deliver.objects import deliver_objects, dicom_bytes, tell

    kinds = ("sr", "capture")
    made = deliver_objects(tell(detector, volume, found, kinds), kinds)
    return [
        File(kind, f"tumorscan-{kind}.dcm", "application/dicom", dicom_bytes(one))
        for kind, one in zip(kinds, made, strict=True)
    ]


def json_bytes(found: VolumeFinding) -> bytes:
    """The answer for programs: the volume's, and each slice's."""
    table = {
        **to_table(found.finding),
        "key_slice": found.key_slice,
        "extent": found.extent,
        "curve": jsonable(found.curve),
        "tumor_type": dict(found.tumor_type),
        "slices": [{"index": one.index, "peak": one.peak, **to_table(one.finding)} for one in found.slices],
    }
    return json.dumps(jsonable(table), indent=1).encode()
