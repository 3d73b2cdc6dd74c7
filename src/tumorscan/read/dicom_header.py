"""What a DICOM header says of each frame of a file, in plain numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tumorscan.config import StudyLimits
from tumorscan.errors import UnreadableScan
from tumorscan.read.dicom_file import check_scan, code, damaged, open_dicom
from tumorscan.read.orientation import normal_of
from tumorscan.read.sources import Source
from tumorscan.read.window import linear_window


@dataclass(frozen=True)
class Header:
    """One frame.

    Attributes:
        source: the file.
        frame: number in a multi-frame file, from 0; None in a file of one frame.
        uid, series: SOP and Series Instance UID.
        series_number, number: of the series in the study, and of the picture in the series.
        rows, columns: as stored, in pixels.
        orientation: cosines of a row's direction and of a column's; None where they are not known.
        position: of the first pixel's middle, in mm; None where it is not known.
        spacing: between rows and between columns, in mm; None where it is not known.
        window: centre and width of a straight ramp; None where the header has none.
        lut_top: highest output of the VOI LUT; None where there is none.
        slope, intercept: of the modality's rescale.
        inverted: MONOCHROME1.
        modality, body_part: as the header says.
        kinds: what tells apart pictures at one place: echo, time, diffusion, kind of picture.
        notes: what was odd.
    """

    source: Source
    frame: int | None
    uid: str
    series: str
    series_number: int | None
    number: int | None
    rows: int
    columns: int
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    spacing: tuple[float, float] | None
    window: tuple[float, float] | None
    lut_top: float | None
    slope: float
    intercept: float
    inverted: bool
    modality: str
    body_part: str
    kinds: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file, with the frame's number in brackets where it holds several."""
        return self.source.name if self.frame is None else f"{self.source.name}[{self.frame}]"


def read_headers(source: Source, limits: StudyLimits) -> list[Header]:
    """One header for each frame of a DICOM file.

    Raises:
        UnreadableScan: it is damaged, holds no picture, or one too large or too small.
    """
    dataset = open_dicom(source, limits, pixels=False)
    try:
        check_scan(dataset, source.name)
        count = int(dataset.get("NumberOfFrames") or 1)
        _check_size(source.name, int(dataset.Rows), int(dataset.Columns), count, limits)
        return [_header(source, dataset, index if count > 1 else None) for index in range(count)]
    except UnreadableScan:
        raise
    except Exception as error:  # damaged elements raise anything when they are looked at
        raise UnreadableScan(source.name, damaged(type(error).__name__)) from error


def _check_size(name: str, rows: int, columns: int, count: int, limits: StudyLimits) -> None:
    if min(rows, columns) < limits.min_side:
        cause = f"is {columns} x {rows} pixels, and a side under {limits.min_side} shows no brain"
        raise UnreadableScan(name, cause)
    if rows * columns > limits.max_pixels:
        cause = f"is {columns} x {rows} pixels, more than the limit of {limits.max_pixels}: raise max_pixels"
        raise UnreadableScan(name, cause)
    if count < 1 or rows * columns * count > limits.max_voxels:
        cause = f"says that it holds {count} frames of {columns} x {rows} pixels"
        limit = f"outside of 1..{limits.max_voxels} voxels: split it or raise max_voxels"
        raise UnreadableScan(name, f"{cause}, {limit}")


def _header(source: Source, dataset: Any, frame: int | None) -> Header:
    groups = _groups(dataset, frame or 0)
    notes: list[str] = []
    slope, intercept = _rescale(dataset, groups, notes)
    return Header(
        source=source,
        frame=frame,
        uid=str(dataset.get("SOPInstanceUID", "")),
        series=str(dataset.get("SeriesInstanceUID", "")),
        series_number=_whole(dataset.get("SeriesNumber")),
        number=_whole(dataset.get("InstanceNumber")) if frame is None else frame,
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        orientation=_orientation(_found("ImageOrientationPatient", dataset, groups), notes),
        position=_numbers(_found("ImagePositionPatient", dataset, groups), 3),
        spacing=_spacing(dataset, groups),
        window=_window(dataset, groups),
        lut_top=_lut_top(dataset),
        slope=slope,
        intercept=intercept,
        inverted=str(dataset.get("PhotometricInterpretation", "")).strip().upper() == "MONOCHROME1",
        modality=code(dataset.get("Modality")),
        body_part=code(_found("BodyPartExamined", dataset, groups) or _region(groups)),
        kinds=_kinds(dataset, groups),
        notes=tuple(notes),
    )


def _groups(dataset: Any, frame: int) -> list[Any]:
    """The items of the functional groups of a frame, its own before the shared (PS3.3 C.7.6.16)."""
    items: list[Any] = []
    for keyword, index in (
        ("PerFrameFunctionalGroupsSequence", frame),
        ("SharedFunctionalGroupsSequence", 0),
    ):
        sequence = dataset.get(keyword) or []
        if index < len(sequence):
            items += [one.value[0] for one in sequence[index] if one.VR == "SQ" and one.value]
    return items


def _found(keyword: str, dataset: Any, groups: list[Any]) -> Any:
    for item in (*groups, dataset):
        value = item.get(keyword)
        if value is not None and value != "":
            return value
    return None


def _region(groups: list[Any]) -> str:
    for item in groups:
        for one in item.get("AnatomicRegionSequence") or []:
            return str(one.get("CodeMeaning", ""))
    return ""


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """So many finite numbers, or None."""
    try:
        many = [float(one) for one in ([value] if isinstance(value, str | int | float) else list(value))]
    except (TypeError, ValueError):
        return None
    return tuple(many) if len(many) == count and all(math.isfinite(one) for one in many) else None


def _whole(value: Any) -> int | None:
    numbers = _numbers(value, 1)
    return int(numbers[0]) if numbers else None


def _orientation(value: Any, notes: list[str]) -> tuple[float, ...] | None:
    numbers = _numbers(value, 6)
    if numbers is None:
        return None
    try:
        normal_of(numbers)
    except ValueError:
        notes.append("the orientation in the header is none: ignored")
        return None
    return numbers


def _spacing(dataset: Any, groups: list[Any]) -> tuple[float, float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        numbers = _numbers(_found(keyword, dataset, groups), 2)
        if numbers and min(numbers) > 0:
            return numbers[0], numbers[1]
    return None


def _window(dataset: Any, groups: list[Any]) -> tuple[float, float] | None:
    centre, width = (_first(_found(f"Window{one}", dataset, groups)) for one in ("Center", "Width"))
    if centre is None or width is None:
        return None
    function = str(_found("VOILUTFunction", dataset, groups) or "LINEAR").strip().upper()
    return linear_window(centre, width, function)


def _first(value: Any) -> float | None:
    """The first of a header's windows, as viewers take it."""
    if value is not None and not isinstance(value, str | int | float):
        value = next(iter(value), None)
    numbers = _numbers(value, 1)
    return numbers[0] if numbers else None


def _lut_top(dataset: Any) -> float | None:
    for item in dataset.get("VOILUTSequence") or []:
        described = _numbers(item.get("LUTDescriptor"), 3)
        if described and 8 <= described[2] <= 16 and item.get("LUTData") is not None:
            return float(2 ** int(described[2]) - 1)
        return None
    return None


def _rescale(dataset: Any, groups: list[Any], notes: list[str]) -> tuple[float, float]:
    slope = _numbers(_found("RescaleSlope", dataset, groups), 1)
    intercept = _numbers(_found("RescaleIntercept", dataset, groups), 1)
    if slope == (0.0,):
        notes.append("the rescale slope in the header is 0: ignored")
        return 1.0, 0.0
    return (slope or (1.0,))[0], (intercept or (0.0,))[0]


def _kinds(dataset: Any, groups: list[Any]) -> tuple[str, ...]:
    keywords = (
        *("EffectiveEchoTime", "EchoTime", "EchoNumbers", "TemporalPositionIndex"),
        *("TemporalPositionIdentifier", "DiffusionBValue", "FrameType", "ImageType"),
    )
    return tuple(str(_found(keyword, dataset, groups) or "") for keyword in keywords)
