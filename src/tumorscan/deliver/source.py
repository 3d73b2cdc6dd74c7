"""The headers of the slices that results refer to, read again and made complete."""

from __future__ import annotations

import io
import logging
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tumorscan.errors import UnreadableScan, require
from tumorscan.types import Slice, Volume

NO_STUDY = "is no DICOM: results have no study to go into; make a PDF (`tumorscan report`) or JSON (`--json`)"

# Attributes that every object has, be it empty (type 2 in the modules Patient and General Study).
_EXPECTED = (
    *(
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "AccessionNumber",
        "StudyID",
        "StudyDate",
    ),
    *("StudyTime", "ReferringPhysicianName"),
)
_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_UID = re.compile(r"[0-9.]{3,64}")
_DATE, _TIME = re.compile(r"\d{8}"), re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")
_FORMS = {
    "PatientBirthDate": _DATE,
    "StudyDate": _DATE,
    "StudyTime": _TIME,
    "PatientSex": re.compile("[MFO]"),
}
_EPOCH = ("19700101", "000000")


@dataclass(frozen=True)
class Source:
    """A slice as its file describes it.

    Attributes:
        file: its name.
        dataset: the file's header as a pydicom Dataset without pixels, completed.
        frame: number of the slice in a multi-frame file, from 1; None in a file of one frame.
        index: in the volume.
    """

    file: str
    dataset: Any
    frame: int | None
    index: int

    @property
    def frames(self) -> list[int] | None:
        """The frame number as DICOM references it."""
        return None if self.frame is None else [self.frame]

    def find(self, keyword: str) -> Any:
        """An attribute of the frame: its own functional groups, the shared ones, the header; None without."""
        for item in (*self._groups(), self.dataset):
            value = item.get(keyword)
            if value is not None and value != "":
                return value
        return None

    def numbers(self, keyword: str, count: int) -> tuple[float, ...] | None:
        """So many numbers of an attribute; None where it has not."""
        try:
            values = tuple(float(one) for one in self.find(keyword))
        except (TypeError, ValueError):
            return None
        return values if len(values) == count else None

    def _groups(self) -> list[Any]:
        items: list[Any] = []
        places = (
            ("PerFrameFunctionalGroupsSequence", (self.frame or 1) - 1),
            ("SharedFunctionalGroupsSequence", 0),
        )
        for keyword, index in places:
            groups = self.dataset.get(keyword) or []
            if index < len(groups):
                items += [one.value[0] for one in groups[index] if one.VR == "SQ" and one.value]
        return items

    def moment(self) -> tuple[str, str]:
        """Date and time that results take over, for a second run must not differ from the first by the clock.

        The first of content, acquisition, series and study that has a date; 1970-01-01 where none has.
        """
        for kind in ("Content", "Acquisition", "Series", "Study"):
            date, time = (str(self.dataset.get(f"{kind}{part}") or "").strip() for part in ("Date", "Time"))
            if _DATE.fullmatch(date):
                return date, time if _TIME.fullmatch(time) else "000000"
        return _EPOCH


def quiet_highdicom() -> None:
    """The libraries keep their warnings to themselves: those quote what stands in a header, a name even.

    Raises:
        MissingExtra: the extra `dicom` is not installed.
    """
    require("highdicom", "dicom")
    for package in ("highdicom", "pydicom"):
        warnings.filterwarnings("ignore", module=rf"{package}(\.|$)")
        logging.getLogger(package).setLevel(logging.CRITICAL)


def check_dicom(volume: Volume) -> None:
    """Refuse what has no study.

    Raises:
        UnreadableScan: the volume is no DICOM.
    """
    if volume.format != "DICOM":
        raise UnreadableScan(volume.name, NO_STUDY)


def load_sources(
    volume: Volume, indices: Iterable[int], headers: Callable[[Slice], Any] | None = None
) -> dict[int, Source]:
    """The headers of some slices, by index.

    Args:
        volume: as `read_study` gave it.
        indices: of the slices.
        headers: gives a slice's pydicom Dataset where it is at hand already; else its file is read.

    Raises:
        UnreadableScan: the volume is no DICOM, its file is gone or damaged, or it lacks a UID.
        MissingExtra: the extra `dicom` is not installed.
    """
    check_dicom(volume)
    quiet_highdicom()
    files: dict[str, Any] = {}
    sources = {}
    for index in sorted(set(indices)):
        origin = volume.slices[index]
        if origin.file not in files:
            files[origin.file] = _completed(origin, headers(origin) if headers else _read(origin.file))
        frame = None if origin.frame is None else origin.frame + 1
        sources[index] = Source(origin.file, files[origin.file], frame, index)
    return sources


def _read(name: str) -> Any:
    from pydicom import dcmread

    try:
        return dcmread(_opened(name), stop_before_pixels=True, force=True)
    except UnreadableScan:
        raise
    except OSError as error:
        raise UnreadableScan(
            name, f"cannot be read again ({error.strerror or error}): is it still there?"
        ) from error
    except Exception as error:  # damaged bytes make the parser raise anything
        raise UnreadableScan(name, f"is a damaged DICOM file ({type(error).__name__})") from error


def _opened(name: str) -> Path | io.BytesIO:
    archive, mark, member = name.partition("!")
    if Path(name).is_file() or not mark:
        return Path(name)
    try:
        with zipfile.ZipFile(archive) as folder:
            return io.BytesIO(folder.read(member))
    except (zipfile.BadZipFile, KeyError, RuntimeError) as error:
        raise UnreadableScan(name, "cannot be unpacked again: is the archive still the same?") from error


def _completed(origin: Slice, header: Any) -> Any:
    """A copy with all that results take over: what is expected and absent or not allowed is empty.

    Raises:
        UnreadableScan: a UID is absent, or is not that of the slice that was read.
    """
    from pydicom.multival import MultiValue

    dataset = deepcopy(header)  # a shallow copy of pydicom's shares its elements
    for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
        dataset.pop(keyword, None)
    for keyword in _NEEDED:
        if not _UID.fullmatch(str(dataset.get(keyword) or "")):
            raise UnreadableScan(origin.file, f"has no {keyword}, so that nothing can refer to it")
    if origin.uid and str(dataset.SOPInstanceUID) != origin.uid:
        raise UnreadableScan(origin.file, "is another picture than the one that was read: run it again")
    _take_out_odd(dataset)
    for keyword in _EXPECTED:
        value = dataset.get(keyword)
        if value is None or isinstance(value, list | MultiValue):
            setattr(dataset, keyword, str(value[0]) if value else "")
    dataset.SamplesPerPixel = 1  # or it would not have been read
    return dataset


def _take_out_odd(dataset: Any) -> None:
    """Take out what stands in a form that it must not have, and would not be valid in results either."""
    for keyword, form in _FORMS.items():
        if not form.fullmatch(str(dataset.get(keyword) or "").strip()):
            setattr(dataset, keyword, "")
    if not _UID.fullmatch(str(dataset.get("FrameOfReferenceUID") or "")):
        dataset.pop("FrameOfReferenceUID", None)
    for keyword in ("SliceThickness", "SpacingBetweenSlices"):
        if not isinstance(dataset.get(keyword), int | float):
            dataset.pop(keyword, None)
    for element in list(dataset.group_dataset(0x0010)):
        if element.keyword not in _EXPECTED and not _valid(element):
            del dataset[element.tag]


def _valid(element: Any) -> bool:
    """Whether a value of a patient's data has the form of its kind; what has not is not handed on."""
    from pydicom import config
    from pydicom.valuerep import validate_value

    many = element.value if isinstance(element.value, list | tuple) else [element.value]
    try:
        for one in many:
            validate_value(element.VR, str(one), config.RAISE)
    except ValueError:
        return False
    return True
