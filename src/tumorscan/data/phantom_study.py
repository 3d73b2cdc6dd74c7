"""A drawn MR series as DICOM files: a whole head without any patient.

Slices share the lots of one head, one lesion and one scanner; the outline shrinks to the vertex as a head
does. Noise and folds differ from slice to slice. UIDs follow from the seed, so a second run writes the same.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.data.anatomy import Head, draw_head, tissues
from tumorscan.data.lesion import Lesion, draw_lesion, grow, place_of
from tumorscan.data.phantom import SIZES, Scanner, draw_scanner, picture_of, signal_of, take_folder
from tumorscan.errors import EnvironmentProblem, SettingsError, require

_STEP = 4.0  # mm between slices
_SIDE = 240.0  # mm of a slice
_FULL = 4095  # 12 bits


@dataclass(frozen=True)
class DrawnStudy:
    """A drawn volume.

    Attributes:
        values: uint16, N x H x W, 0..4095; from the skull base upwards, the front at the top.
        masks: bool, N x H x W; the lesion.
        weighting: "T1", "T2" or "FLAIR".
    """

    values: NDArray[np.uint16]
    masks: NDArray[np.bool_]
    weighting: str


def draw_study(seed: int, *, slices: int = 24, size: int = 224, tumor: bool = True) -> DrawnStudy:
    """Draw a head slice by slice.

    Args:
        seed: 0 or more; the same seed with and without `tumor` is the same head.
        slices: 1..400.
        size: side of a slice in pixels.
        tumor: with a lesion, large enough for several slices.

    Raises:
        SettingsError: a number is out of range.
    """
    if not 1 <= slices <= 400:
        raise SettingsError(f"slices of a phantom are {slices}: they must lie in [1, 400]")
    if seed < 0 or not SIZES[0] <= size <= SIZES[1]:
        raise SettingsError(
            f"phantom seed {seed} or size {size} is out of range: see `tumorscan phantom --help`"
        )
    for_head, for_lesion, for_scanner = (np.random.default_rng([seed, 7, part]) for part in range(3))
    head, scanner = draw_head(for_head), draw_scanner(for_scanner)
    lesion = draw_lesion(for_lesion, bright_swelling=scanner.weighting != "T1", plain=True)
    # One place for all slices, or it would wander with the brain's outline.
    middle = place_of(lesion, tissues(_at(head, 0.5), size))
    drawn = [
        _slice(_at(head, place), replace(scanner, seed=(scanner.seed + number) % 2**32), cut, middle, size)
        for number, place in enumerate(_places(slices))
        for cut in (_cut(lesion, place) if tumor else None,)
    ]
    values, masks = zip(*drawn, strict=True)
    return DrawnStudy(np.stack(values), np.stack(masks), scanner.weighting)


def _places(slices: int) -> NDArray[np.float64]:
    """Of each slice the height in the head, from 0 at the skull base to 1 at the vertex."""
    return np.linspace(0, 1, slices) if slices > 1 else np.array([0.5])


def _at(head: Head, place: float) -> Head:
    """The same head at another height: largest a third of the way up."""
    narrow = float(np.sqrt(1 - ((place - 0.35) / 0.75) ** 2))
    return replace(
        head, level=float(place), half_width=head.half_width * narrow, half_length=head.half_length * narrow
    )


def _cut(lesion: Lesion, place: float) -> Lesion | None:
    """The lesion where the slice cuts it: a ball around the middle of the head."""
    across = 1 - ((place - 0.5) / 0.2) ** 2
    return replace(lesion, radius=lesion.radius * float(np.sqrt(across))) if across > 0.15 else None


def _slice(
    head: Head, scanner: Scanner, lesion: Lesion | None, middle: tuple[int, int], size: int
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    anatomy = tissues(head, size)
    if lesion is None:
        mask, signal = np.zeros((size, size), np.bool_), signal_of(anatomy, scanner)
    else:
        grown = grow(lesion, anatomy, middle)
        mask, signal = grown.mask, grown.lay_on(signal_of(grown.anatomy, scanner))
    return np.rint(picture_of(signal, scanner) * _FULL).astype(np.uint16), mask


def write_study(
    folder: Path,
    seed: int = 1,
    *,
    slices: int = 24,
    size: int = 224,
    tumor: bool = True,
    windowed: bool = True,
) -> Path:
    """Write a drawn head as a series of MR Image Storage, a file a slice, names not in the order of place.

    Args:
        folder: new or empty.
        seed: 0 or more.
        slices: 1..400.
        size: side of a slice in pixels.
        tumor: with a lesion.
        windowed: with Window Center and Width.

    Returns:
        The folder.

    Raises:
        SettingsError: a number is out of range.
        EnvironmentProblem: the folder is not empty, or cannot be written; what was begun is taken away.
        MissingExtra: the extra `dicom` is not installed.
    """
    require("pydicom", "dicom")
    drawn = draw_study(seed, slices=slices, size=size, tumor=tumor)
    order = np.random.default_rng([seed, 8]).permutation(slices)
    try:
        fresh = not folder.exists()
        take_folder(folder)
        try:
            for number in range(slices):
                dataset = slice_dataset(drawn, number, seed, tumor=tumor, windowed=windowed)
                name = f"IM{int(order[number]) + 1:04d}.dcm"
                dataset.save_as(folder / name, enforce_file_format=True)
        except BaseException:  # an interrupt too leaves nothing half-written
            for file in folder.glob("IM*.dcm"):
                file.unlink()
            if fresh:
                shutil.rmtree(folder, ignore_errors=True)
            raise
    except OSError as error:
        raise EnvironmentProblem(f"{folder}: {error.strerror}: name a folder that can be written") from error
    return folder


def slice_dataset(drawn: DrawnStudy, number: int, seed: int, *, tumor: bool, windowed: bool = True) -> Any:
    """One slice as a pydicom dataset of MR Image Storage, ready to be saved."""
    pydicom = require("pydicom", "dicom")
    uids = require("pydicom.uid", "dicom")
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uids.ExplicitVRLittleEndian
    for keyword, value in (
        *_WHO.items(),
        *_uids(uids, drawn, seed, number, tumor=tumor).items(),
        *_geometry(drawn, number).items(),
        *_acquisition(drawn.weighting).items(),
    ):
        setattr(dataset, keyword, value)
    dataset.PatientID = f"PHANTOM-{seed}"
    if windowed:
        low, high = (float(one) for one in np.percentile(drawn.values, (0.5, 99.8)))
        dataset.WindowCenter, dataset.WindowWidth = f"{(low + high) / 2:.1f}", f"{high - low:.1f}"
    dataset.PixelData = drawn.values[number].astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


_WHO = {
    "PatientName": "Phantom^Drawn",
    "PatientBirthDate": "",
    "PatientSex": "O",
    "StudyDate": "20260101",
    "StudyTime": "120000",
    "SeriesDate": "20260101",
    "SeriesTime": "120000",
    "AccessionNumber": "",
    "ReferringPhysicianName": "",
    "StudyID": "1",
    "StudyDescription": "Drawn head, no patient",
    "Manufacturer": "tumorscan",
    "ManufacturerModelName": "head simulator",
    "DeviceSerialNumber": "1",
    "SoftwareVersions": "1",
    "PositionReferenceIndicator": "",
    "BodyPartExamined": "HEAD",
    "PatientPosition": "HFS",
    "Modality": "MR",
    "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
}


def _uids(uids: Any, drawn: DrawnStudy, seed: int, number: int, *, tumor: bool) -> dict[str, Any]:
    """Those of the standard's tree of UUIDs (2.25), from the seed and what was asked for."""
    base = ["tumorscan phantom", str(seed), str(drawn.values.shape), str(tumor)]
    made = {name: uids.generate_uid("2.25.", [*base, name]) for name in ("study", "series", "frame")}
    return {
        "SOPClassUID": uids.MRImageStorage,
        "SOPInstanceUID": uids.generate_uid("2.25.", [*base, "instance", str(number)]),
        "StudyInstanceUID": made["study"],
        "SeriesInstanceUID": made["series"],
        "FrameOfReferenceUID": made["frame"],
        "SeriesNumber": 1,
        "AcquisitionNumber": 1,
        "InstanceNumber": number + 1,
    }


def _geometry(drawn: DrawnStudy, number: int) -> dict[str, Any]:
    count, rows, columns = drawn.values.shape
    height = _STEP * (number - (count - 1) / 2)
    return {
        "Rows": rows,
        "Columns": columns,
        "PixelSpacing": [f"{_SIDE / rows:.6g}", f"{_SIDE / columns:.6g}"],
        "SliceThickness": f"{_STEP:g}",
        "SpacingBetweenSlices": f"{_STEP:g}",
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [f"{-_SIDE / 2:g}", f"{-_SIDE / 2:g}", f"{height:g}"],
        "SliceLocation": f"{height:g}",
    }


def _acquisition(weighting: str) -> dict[str, Any]:
    """What the module of MR images asks for, as it is usual for the weighting."""
    repetition, echo = {"T1": ("500", "10"), "T2": ("4000", "100"), "FLAIR": ("9000", "120")}[weighting]
    inversion = {"ScanningSequence": ["SE", "IR"], "InversionTime": "2500"} if weighting == "FLAIR" else {}
    return {
        "SeriesDescription": f"{weighting} drawn",
        "ScanningSequence": "SE",
        "SequenceVariant": "SK",
        "ScanOptions": "",
        "MRAcquisitionType": "2D",
        "RepetitionTime": repetition,
        "EchoTime": echo,
        "EchoTrainLength": 1,
        "MagneticFieldStrength": "1.5",
        **inversion,
    }
