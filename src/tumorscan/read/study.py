"""A file, folder or zip of DICOM or NIfTI to a `Study`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from tumorscan.config import ReadLimits, StudyLimits
from tumorscan.errors import UnreadableScan
from tumorscan.read.archive import opened
from tumorscan.read.dicom_file import is_dicom
from tumorscan.read.dicom_header import Header, read_headers
from tumorscan.read.dicom_series import Group, group_frames
from tumorscan.read.dicom_volume import build_volume
from tumorscan.read.files import list_files
from tumorscan.read.nifti import is_nifti, read_nifti
from tumorscan.read.sniff import stranger
from tumorscan.read.sources import Source, file_source
from tumorscan.types import Scan, Study, Volume

DEFAULT_LIMITS = StudyLimits()

_ZIP = b"PK\x03\x04"
_LOOKED_AT = 1000  # files of a folder or archive, to find out whether it is a study


def is_study(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a DICOM or NIfTI file, or a folder or zip that holds one; told by content.

    Never raises: what cannot be looked at is no study.
    """
    try:
        with sources_of(Path(path), DEFAULT_LIMITS) as (sources, _):
            return any(_is_volume(_head(one)) for one in sources[:_LOOKED_AT])
    except UnreadableScan:
        return False


def read_study(path: str | os.PathLike[str], limits: StudyLimits = DEFAULT_LIMITS) -> Study:
    """Read all volumes of a file, folder or zip; what cannot be read is named and the rest goes on.

    DICOM frames are gathered by series, size and direction, and ordered by position. A NIfTI file is a
    volume. What a file is, is told by its content, never by its name.

    Args:
        path: a DICOM or NIfTI file (``.nii``, ``.nii.gz``), a folder or a zip of such.
        limits: what is refused before it is decoded.

    Returns:
        Volumes, largest first, and a line for each thing that could not be read.

    Raises:
        UnreadableScan: there is no volume at all; the message names the first cause.
        MissingExtra: the extra `dicom` is not installed.
    """
    name = os.fspath(path)
    with sources_of(Path(path), limits) as (sources, left_out):
        problems = list(left_out)
        volumes, headers = _sorted_out(sources, limits, problems)
        volumes += _dicom_volumes(name, headers, limits, problems)
    if not volumes:
        raise UnreadableScan(name, _nothing(name, problems))
    volumes.sort(key=lambda one: -one.values.size)
    return Study(name, tuple(volumes), tuple(problems))


def scan_of_dicom(data: bytes, name: str, limits: ReadLimits) -> Scan:
    """A DICOM file of one frame as a picture, through its window.

    Args:
        data: the whole file.
        name: as the user named it.
        limits: what is refused before it is decoded.

    Raises:
        UnreadableScan: it is damaged, no picture, or a volume; the message names the cause and the cure.
        MissingExtra: the extra `dicom` is not installed.
    """
    source = Source(name, len(data), lambda: BytesIO(data))
    room = StudyLimits(
        max_bytes=limits.max_bytes, max_pixels=min(limits.max_pixels, 2**32), min_side=limits.min_side
    )
    headers = read_headers(source, room)
    if len(headers) > 1:
        cause = f"holds {len(headers)} slices: give it alone, as in `tumorscan predict STUDY`"
        raise UnreadableScan(name, cause)
    problems: list[str] = []
    volume = build_volume(group_frames(headers)[0], name, room, problems)
    if volume is None:
        raise UnreadableScan(name, _nothing(name, problems))
    return replace(volume.scan(0), file_bytes=len(data))


@contextmanager
def sources_of(path: Path, limits: StudyLimits) -> Iterator[tuple[Sequence[Source], list[str]]]:
    """The files that a file, folder or zip means while it is open, and a line for each that was left out.

    Raises:
        UnreadableScan: the path does not exist, may not be read, or exceeds a limit.
    """
    if _is_folder(path):
        yield _folder(path, limits)
        return
    source = file_source(path, limits)
    if source.head()[:4] != _ZIP:
        yield [source], []
        return
    with opened(source, limits) as members:
        yield members


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _folder(path: Path, limits: StudyLimits) -> tuple[list[Source], list[str]]:
    files = list_files([path])
    if len(files) > limits.max_files:
        cause = (
            f"holds {len(files)} files, more than the limit of {limits.max_files}: name one series' folder"
        )
        raise UnreadableScan(str(path), cause)
    sources, problems = [], []
    for file in files:
        try:
            sources.append(file_source(file, limits))
        except UnreadableScan as problem:
            problems.append(str(problem))
    return sources, problems


def _head(source: Source) -> bytes:
    try:
        return source.head()
    except UnreadableScan:
        return b""


def _is_volume(head: bytes) -> bool:
    return is_dicom(head) or is_nifti(head)


def _sorted_out(
    sources: Sequence[Source], limits: StudyLimits, problems: list[str]
) -> tuple[list[Volume], list[Header]]:
    """NIfTI volumes, and the headers of all DICOM frames; what else there is, is said."""
    volumes: list[Volume] = []
    headers: list[Header] = []
    strangers: list[str] = []
    room = limits.max_voxels
    for source in sources:
        try:
            head = source.head()
            if is_dicom(head):
                if not (len(sources) > 1 and _is_index(source)):
                    headers += read_headers(source, limits)
            elif is_nifti(head):
                volume = read_nifti(source, limits)
                room = _fits(volume.name, volume.values.size, room)
                volumes.append(volume)
            elif len(sources) == 1:
                problems.append(f"{source.name}: {stranger(head)}")
            else:
                strangers.append(source.name)
        except UnreadableScan as problem:
            problems.append(str(problem))
    if strangers:
        shown = ", ".join(strangers[:3]) + (" ..." if len(strangers) > 3 else "")
        problems.append(f"{shown}: neither DICOM nor NIfTI ({len(strangers)} files): left out")
    return volumes, headers


def _is_index(source: Source) -> bool:
    """A DICOMDIR beside the files that it lists is no problem."""
    return source.name.replace("!", "/").rpartition("/")[2].upper() == "DICOMDIR"


def _dicom_volumes(
    name: str, headers: list[Header], limits: StudyLimits, problems: list[str]
) -> list[Volume]:
    groups = group_frames(headers)
    volumes: list[Volume] = []
    room = limits.max_voxels
    for group, called in zip(groups, _names(name, groups), strict=True):
        first = group.headers[0]
        try:
            room = _fits(called, len(group.headers) * first.rows * first.columns, room)
            volume = build_volume(group, called, limits, problems)
            volumes += [] if volume is None else [volume]
        except UnreadableScan as problem:
            problems.append(str(problem))
    return volumes


def _fits(name: str, voxels: int, room: int) -> int:
    if voxels > room:
        raise UnreadableScan(
            name, f"its {voxels} voxels are more than max_voxels leaves ({room}): read it alone"
        )
    return room - voxels


def _names(name: str, groups: Sequence[Group]) -> list[str]:
    """Of each volume: the path, and the series' number where there are several."""
    if len(groups) == 1:
        return [name]
    numbers = [group.headers[0].series_number for group in groups]
    stems = [
        f"{name}[series {number if number is not None else place}]" for place, number in enumerate(numbers, 1)
    ]
    times, seen = Counter(stems), Counter[str]()
    names = []
    for stem in stems:
        seen[stem] += 1
        names.append(f"{stem[:-1]}, {seen[stem]} of {times[stem]}]" if times[stem] > 1 else stem)
    return names


def _nothing(name: str, problems: Sequence[str]) -> str:
    """The cause of a refusal: the first problem without a name that is the path's own."""
    if not problems:
        return "holds no DICOM or NIfTI file: name the folder or file of a study"
    first = problems[0].removeprefix(f"{name}: ")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"holds no volume that can be read: {first}{more}" if first == problems[0] else first + more
