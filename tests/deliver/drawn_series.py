"""Drawn DICOM series and answers for them, made by hand so that these tests need no reader and no network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage

from tumorscan.deliver.evidence import Evidence
from tumorscan.deliver.told import Model, Told
from tumorscan.detect.explain import Box, Explanation
from tumorscan.read.orientation import turn_of
from tumorscan.types import (
    Finding,
    Frame,
    Interval,
    OperatingPoint,
    Slice,
    SliceFinding,
    Verdict,
    Volume,
    VolumeFinding,
)

ROOT = "1.2.826.0.1.3680043.8.498.7"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL_FEET_UP = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
SAGITTAL_TURNED = (0.0, 0.0, -1.0, 0.0, 1.0, 0.0)
ROWS, COLUMNS, COUNT = 120, 100, 5
LESION = (70, 30)  # row and column, stored


def pixels(number: int) -> np.ndarray:
    """A disc for a head and a brighter one for a lesion, 12 bits."""
    row, column = np.mgrid[:ROWS, :COLUMNS]
    head = ((row - 60) / 55) ** 2 + ((column - 50) / 45) ** 2 < 1
    lesion = (row - LESION[0]) ** 2 + (column - LESION[1]) ** 2 < 80
    return (900 * head + 1500 * (lesion & (abs(number - 2) < 2)) + row).astype(np.uint16)


def header(number: int, orientation: tuple[float, ...] = AXIAL) -> Dataset:
    """A complete MR slice."""
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID, one.SOPInstanceUID = MRImageStorage, f"{ROOT}.3.{number + 1}"
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = (f"{ROOT}.{i}" for i in (1, 2, 9))
    one.PatientName, one.PatientID, one.PatientBirthDate, one.PatientSex = (
        "Phantom^Drawn",
        "P1",
        "19700102",
        "O",
    )
    one.StudyDate, one.StudyTime, one.StudyID, one.AccessionNumber = "20260102", "101112", "1", "A1"
    one.AcquisitionDate, one.AcquisitionTime = "20260102", "101500"
    one.ReferringPhysicianName = ""
    one.Modality, one.SeriesNumber, one.InstanceNumber = "MR", 3, number + 1
    one.Manufacturer, one.ManufacturerModelName = "drawn", "pencil"
    one.DeviceSerialNumber, one.SoftwareVersions = "1", "1"
    one.ImageType = ["ORIGINAL", "PRIMARY", "M", "SE"]
    one.ImageOrientationPatient = list(orientation)
    normal = np.cross(orientation[:3], orientation[3:])
    one.ImagePositionPatient = [float(v) for v in np.array([-50.0, -60.0, 0.0]) + 4.0 * number * normal]
    one.PixelSpacing, one.SliceThickness, one.SpacingBetweenSlices = [1.0, 0.9], 4.0, 4.0
    one.PositionReferenceIndicator = ""
    one.ScanningSequence, one.SequenceVariant, one.ScanOptions = "SE", "NONE", ""
    one.MRAcquisitionType, one.EchoTime, one.RepetitionTime, one.EchoTrainLength = "2D", 90.0, 4000.0, 1
    one.Rows, one.Columns, one.SamplesPerPixel = ROWS, COLUMNS, 1
    one.PhotometricInterpretation, one.PixelRepresentation = "MONOCHROME2", 0
    one.BitsAllocated, one.BitsStored, one.HighBit = 16, 12, 11
    one.PixelData = pixels(number).tobytes()
    return one


def enhanced() -> Dataset:
    """The same as one enhanced multi-frame file."""
    one = header(0)
    for keyword in ("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "SliceThickness"):
        delattr(one, keyword)
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    one.NumberOfFrames = COUNT
    one.PixelData = b"".join(pixels(number).tobytes() for number in range(COUNT))
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = [1.0, 0.9], 4.0, 4.0
    orientation.ImageOrientationPatient = list(AXIAL)
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    one.SharedFunctionalGroupsSequence = [shared]
    one.PerFrameFunctionalGroupsSequence = []
    for number in range(COUNT):
        frame, position = Dataset(), Dataset()
        position.ImagePositionPatient = [-50.0, -60.0, 4.0 * number]
        frame.PlanePositionSequence = [position]
        one.PerFrameFunctionalGroupsSequence.append(frame)
    return one


def write(folder: Path, headers: list[Dataset]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number}.dcm" for number in range(len(headers))]
    for file, one in zip(files, headers, strict=True):
        one.save_as(file, enforce_file_format=True)
    return files


def volume(files: list[Path], orientation: tuple[float, ...] = AXIAL) -> Volume:
    """As the reader gives it."""
    turn = turn_of(orientation)
    values = np.stack([turn.apply(pixels(number).astype(np.float32)) for number in range(COUNT)])
    many = len(files) > 1
    slices = tuple(
        Slice(
            str(files[number if many else 0]),
            None if many else number,
            f"{ROOT}.3.{number + 1 if many else 1}",
            4.0 * number,
        )
        for number in range(COUNT)
    )
    return Volume(
        values, 1200.0, 2400.0, slices, "axial", "series", "DICOM", series=f"{ROOT}.2", modality="MR"
    )


RATE = Interval(0.912, 0.85, 0.95, "exact binomial")
POINT = OperatingPoint(
    "screening", 0.31, 0.97, RATE, Interval(0.83, 0.8, 0.86, "exact binomial"), "the calibration split"
)
MODEL = Model("drawn", "0123456789ab", "f" * 64, POINT, None, cells=True)


def told(scanned: Volume, verdict: Verdict = Verdict.TUMOR, orientation: tuple[float, ...] = AXIAL) -> Told:
    """An answer with its evidence at the lesion."""
    high, wide = scanned.values.shape[1:]
    row, column = np.mgrid[:14, :14]
    mark = np.zeros((ROWS, COLUMNS), bool)
    mark[LESION] = True
    y, x = np.argwhere(turn_of(orientation).apply(mark))[0]
    near = np.exp(-(((row + 0.5) / 14 * high - y) ** 2 + ((column + 0.5) / 14 * wide - x) ** 2) / 300)
    shown = Explanation(near.astype(np.float32), (x + 0.5, y + 0.5), Box(0, 0, 1, 1), full=1.0)
    frame = Frame(0, 0, wide, high, 0, 0, wide, high, 224)
    finding = Finding("series", verdict, 0.87, 87.0, POINT.threshold, "screening", MODEL.title)
    slices = tuple(SliceFinding(i, replace(finding, file=str(i)), (x + 0.5, y + 0.5)) for i in range(COUNT))
    found = VolumeFinding(
        finding, slices, np.array([0.1, 0.7, 0.9, 0.6, 0.1]), 2, (1, 3), {"glioma": 0.7, "meningioma": 0.3}
    )
    evidence = {index: Evidence(scanned.scan(index), frame, shown) for index in (1, 2, 3)}
    return Told(scanned, found, MODEL, evidence)
