"""What can be downloaded of a series: made while its files are still there, and held in memory only."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tumorscan.errors import TumorscanError, UnreadableScan

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


def hand_out(detector: Detector, volume: Volume, found: VolumeFinding, figures: dict[str, Any]) -> Handout:
    """All that can be downloaded of an answer; what cannot be made is told and leaves the others be.

    Args:
        detector: that gave the answer.
        volume: as read; its files are still there.
        found: of it.
        figures: the answer for programs.
    """
    files: list[File] = []
    missing: list[str] = []
    for make in (_report, _objects):
        try:
            files += make(detector, volume, found, missing.append)
        except TumorscanError as error:
            missing.append(error.cause if isinstance(error, UnreadableScan) else str(error))
    files.append(File("json", "tumorscan.json", "application/json", json.dumps(figures, indent=1).encode()))
    return Handout(tuple(files), tuple(missing))


def _report(detector: Detector, volume: Volume, found: VolumeFinding, _: Callable[[str], None]) -> list[File]:
    """The page for people."""
    from tumorscan.deliver.pdf import report_pdf
    from tumorscan.deliver.sheets import volume_sheet

    sheet = volume_sheet(detector, volume, found, datetime.now(UTC))
    return [File("pdf", "tumorscan.pdf", "application/pdf", report_pdf(sheet))]


def _objects(
    detector: Detector, volume: Volume, found: VolumeFinding, say: Callable[[str], None]
) -> list[File]:
    """Structured report and key image, for the study that the series came from; says what is left out."""
    from tumorscan.deliver.objects import deliver_objects, dicom_bytes, kind_of, tell

    if volume.format != "DICOM":
        raise UnreadableScan(volume.name, "came as NIfTI: DICOM objects need the study that they belong to")
    kinds = ("sr", "capture")
    made = deliver_objects(tell(detector, volume, found, kinds), kinds, say=say)
    return [_of_object(kind_of(one), dicom_bytes(one)) for one in made]


def _of_object(kind: str, data: bytes) -> File:
    return File(kind, f"tumorscan-{kind}.dcm", "application/dicom", data)
