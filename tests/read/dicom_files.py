"""DICOM and NIfTI files for the tests of reading: drawn ramps whose corners tell how they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

ROWS, COLUMNS = 24, 20
Change = Callable[[Any], None]


def ramp(number: int = 0) -> NDArray[np.uint16]:
    """Brighter to the right, and with the rows, and with the number; every value at most 4095."""
    return np.add.outer(np.arange(ROWS) * 100, np.arange(COLUMNS) * 3).astype(np.uint16) + number * 40


def dataset(number: int = 0, *, series: str = "1", values: NDArray[Any] | None = None, **tags: Any) -> Any:
    """An axial slice at 5 mm times its number."""
    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stored = ramp(number) if values is None else values
    base = {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": generate_uid(entropy_srcs=["t", series, str(number)]),
        "StudyInstanceUID": generate_uid(entropy_srcs=["study"]),
        "SeriesInstanceUID": generate_uid(entropy_srcs=["series", series]),
        "SeriesNumber": int(series),
        "InstanceNumber": 100 - number,
        "Modality": "MR",
        "BodyPartExamined": "BRAIN",
        "PatientName": "Doe^Jane",
        "PatientID": "4711",
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [0, 0, 5 * number],
        "PixelSpacing": [1.5, 0.5],
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
    }
    for keyword, value in {**base, **tags}.items():
        if value is not None:
            setattr(made, keyword, value)
    made.PixelData = stored.tobytes()
    made["PixelData"].VR = "OW"
    return made


def save(made: Any, path: Path) -> Path:
    made.save_as(path, enforce_file_format=True)
    return path


def write_series(folder: Path, numbers: Sequence[int], change: Change | None = None, **tags: Any) -> Path:
    """Slices whose names run against their positions."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        made = dataset(number, **tags)
        if change is not None:
            change(made)
        save(made, folder / f"{tags.get('series', '1')}_{99 - number:02d}")
    return folder


def enhanced(count: int, *, order: Sequence[int] | None = None) -> Any:
    """Enhanced MR: frames of one file, each with its place in a functional group."""
    places = list(range(count)) if order is None else list(order)
    made = dataset(0)
    made.SOPClassUID = EnhancedMRImageStorage
    made.NumberOfFrames = count
    for keyword in ("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing"):
        del made[keyword]
    shared = pydicom.Dataset()
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    shared.PixelMeasuresSequence = [_item(PixelSpacing=[1.5, 0.5])]
    made.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for place in places:
        frame = pydicom.Dataset()
        frame.PlanePositionSequence = [_item(ImagePositionPatient=[0, 0, 5 * place])]
        frame.PixelValueTransformationSequence = [_item(RescaleSlope=2, RescaleIntercept=-10)]
        frame.FrameVOILUTSequence = [_item(WindowCenter=1000, WindowWidth=2000)]
        frames.append(frame)
    made.PerFrameFunctionalGroupsSequence = frames
    made.PixelData = np.stack([ramp(place) for place in places]).tobytes()
    return made


def _item(**tags: Any) -> Any:
    item = pydicom.Dataset()
    for keyword, value in tags.items():
        setattr(item, keyword, value)
    return item
