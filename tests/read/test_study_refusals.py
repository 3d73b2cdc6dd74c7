"""Bad studies: a clear message for what is bad, and everything else is read."""

from __future__ import annotations

import struct
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import dataset, enhanced, ramp, save, write_series
from pydicom import uid

from tumorscan.config import StudyLimits
from tumorscan.errors import UnreadableScan
from tumorscan.read.study import read_study


def changed(**tags: Any) -> bytes:
    made = dataset(0)
    for keyword, value in tags.items():
        if value is None:
            del made[keyword]
        else:
            setattr(made, keyword, value)
    stream = BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def cut(data: bytes) -> bytes:
    return data[:-200]


def deflated_bomb() -> bytes:
    made = dataset(0)
    made.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    stream = BytesIO()
    made.save_as(stream, enforce_file_format=True)
    data = stream.getvalue()
    start = 144 + struct.unpack("<I", data[140:144])[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return data[:start] + b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()


REFUSED = {
    "empty": (b"", "is empty .0 bytes.: copy it again"),
    "cut pixels": (cut(changed()), "is a damaged or cut DICOM file"),
    "no pixels": (changed(PixelData=None), r"is a damaged or cut DICOM file \(no pixel data\)"),
    "no Rows": (changed(Rows=None), r"has no Rows in its header \(Modality MR\): it holds no picture"),
    "zero rows": (changed(Rows=0), "is 20 x 0 pixels, and a side under 16 shows no brain"),
    "huge": (changed(Rows=65535, Columns=65535), "is 65535 x 65535 pixels, more than the limit"),
    "wrong size": (changed(Columns=400), "is a damaged or cut DICOM file"),
    "many frames": (changed(NumberOfFrames=2_000_000_000), "says that it holds 2000000000 frames of 20 x 24"),
    "bits": (changed(BitsAllocated=7), "is a damaged or cut DICOM file"),
    "report": (
        changed(SOPClassUID=uid.ComprehensiveSRStorage, Modality="SR"),
        "is a structured report, which holds no picture",
    ),
    "segmentation": (
        changed(SOPClassUID=uid.SegmentationStorage),
        "is a segmentation, a mask and not a scan",
    ),
    "index": (
        changed(SOPClassUID=uid.MediaStorageDirectoryStorage),
        "is a DICOMDIR, an index of other files: name",
    ),
    "pdf": (changed(SOPClassUID=uid.EncapsulatedPDFStorage), "is a document in DICOM, which holds no scan"),
    "own result": (
        changed(SOPClassUID=uid.SecondaryCaptureImageStorage, Manufacturer="tumorscan"),
        "is a result of tumorscan, not a scan",
    ),
    "mask": (
        changed(PixelData=(ramp(0) > 1000).astype(np.uint16).tobytes()),
        "holds only the values 0, 1: a mask",
    ),
    "deflated bomb": (deflated_bomb(), "is deflated and unpacks to more than the limit"),
    "text": (b"dear doctor\n" * 99, "is text, not a picture"),
    "cut head": (changed()[:300], "is a damaged or cut DICOM file|has no Rows"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_alone_is_refused_with_its_cause(kind: str, tmp_path: Path) -> None:
    data, cause = REFUSED[kind]
    path = tmp_path / "x.dcm"
    path.write_bytes(data)
    with pytest.raises(UnreadableScan, match=cause) as caught:
        read_study(path, StudyLimits(max_bytes=2**25))
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert said.count(str(path)) == 1
    assert "\n" not in said
    assert "Doe" not in said


@pytest.mark.parametrize("kind", [one for one in REFUSED if one != "deflated bomb"])
def test_a_bad_file_among_good_ones_is_a_line_and_the_others_are_read(kind: str, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "s", range(1, 5), series="2")
    (folder / "bad").write_bytes(REFUSED[kind][0])
    study = read_study(folder)
    assert len(study.volumes[0]) == 4
    assert len(study.problems) == 1
    assert "bad" in study.problems[0] or "s[series 1]" in study.problems[0]


def test_zero_slope_is_said_and_ignored(tmp_path: Path) -> None:
    (volume,) = read_study(write_series(tmp_path, range(3), RescaleSlope=0, RescaleIntercept=7)).volumes
    np.testing.assert_array_equal(volume.values[0], ramp(0))
    assert "the rescale slope in the header is 0: ignored (3 slices)" in volume.notes


def test_mixed_series_become_volumes_apart(tmp_path: Path) -> None:
    write_series(tmp_path, range(3), series="1")
    write_series(tmp_path, range(5), series="2")
    study = read_study(tmp_path)
    assert [(one.name, len(one)) for one in study.volumes] == [
        (f"{tmp_path}[series 2]", 5),
        (f"{tmp_path}[series 1]", 3),
    ]
    assert not study.problems


def test_two_directions_in_a_series_become_volumes_apart(tmp_path: Path) -> None:
    write_series(tmp_path / "a", range(4))
    for number in range(3):
        tags = {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1], "ImagePositionPatient": [3 * number, 0, 0]}
        made = dataset(number, SOPInstanceUID=f"1.2.{number}", **tags)
        save(made, tmp_path / "a" / f"sagittal{number}")
    study = read_study(tmp_path / "a")
    assert [(one.plane, len(one)) for one in study.volumes] == [("axial", 4), ("sagittal", 3)]
    assert all(any("2 sizes or directions" in note for note in one.notes) for one in study.volumes)
    assert study.volumes[0].name != study.volumes[1].name


def test_echoes_at_one_place_become_volumes_apart(tmp_path: Path) -> None:
    for echo in (1, 2):
        for number in range(4):
            made = dataset(number, EchoTime=10 * echo, SOPInstanceUID=f"1.2.{echo}.{number}")
            save(made, tmp_path / f"{echo}_{number}")
    study = read_study(tmp_path)
    assert [len(one) for one in study.volumes] == [4, 4]
    assert any("2 pictures of one place" in note for note in study.volumes[0].notes)


def test_copies_are_read_once(tmp_path: Path) -> None:
    write_series(tmp_path / "a", range(3))
    write_series(tmp_path / "b", range(3))
    (volume,) = read_study(tmp_path).volumes
    assert len(volume) == 3
    assert "3 files are copies of others by their UID: read once" in volume.notes


def test_a_gap_is_said(tmp_path: Path) -> None:
    (volume,) = read_study(write_series(tmp_path, [0, 1, 2, 5, 6, 7])).volumes
    assert "a gap between slices: 15.0 mm after slice 3, where 5.0 mm is usual" in volume.notes


def test_slices_without_a_position_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    (volume,) = read_study(write_series(tmp_path, range(3), ImagePositionPatient=None)).volumes
    assert np.isnan(volume.slices[0].position)
    np.testing.assert_array_equal(volume.values[0], ramp(2))  # number 98
    assert any("in the order of their number" in note for note in volume.notes)


def test_one_corrupt_frame_among_200_is_a_line(tmp_path: Path) -> None:
    made = enhanced(200)
    pydicom.pixels.compress(made, uid.RLELossless, generate_instance_uid=False)
    data = save(made, tmp_path / "x.dcm").read_bytes()
    frame = list(pydicom.encaps.generate_frames(made.PixelData, number_of_frames=200))[117]
    at = data.index(frame)
    (tmp_path / "x.dcm").write_bytes(data[:at] + b"\xff" * len(frame) + data[at + len(frame) :])
    study = read_study(tmp_path / "x.dcm")
    (volume,) = study.volumes
    assert len(volume) == 199
    assert 117 not in [one.frame for one in volume.slices]
    assert len(study.problems) == 1
    assert study.problems[0].startswith(f"{tmp_path}/x.dcm[117]: is a damaged or cut DICOM file")
    assert "1 of 200 slices cannot be read: left out" in volume.notes


def test_a_cut_multi_frame_file_is_one_line_and_not_one_a_frame(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "s", range(3), series="2")
    data = save(enhanced(50), tmp_path / "whole").read_bytes()
    (folder / "native").write_bytes(data[: len(data) // 2])
    study = read_study(folder)
    assert [len(one) for one in study.volumes] == [3]
    assert len(study.problems) == 1
    made = enhanced(50)
    pydicom.pixels.compress(made, uid.RLELossless, generate_instance_uid=False)
    frames = list(pydicom.encaps.generate_frames(made.PixelData, number_of_frames=50))
    data = save(made, tmp_path / "packed").read_bytes()
    for frame in frames[20:]:
        data = data.replace(frame, b"\xff" * len(frame))
    (tmp_path / "packed").write_bytes(data)
    study = read_study(tmp_path / "packed")
    assert len(study.volumes[0]) == 20
    (problem,) = study.problems
    assert problem.startswith(
        f"{tmp_path}/packed: 30 of 50 frames cannot be read; {tmp_path}/packed[20] is a damaged"
    )


def test_results_that_lie_beside_their_study_are_named_and_the_study_is_read(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "s", range(3))
    for number, kind in enumerate(
        (uid.ComprehensiveSRStorage, uid.GrayscaleSoftcopyPresentationStateStorage)
    ):
        save(dataset(50 + number, SOPClassUID=kind), folder / f"result{number}")
    study = read_study(folder)
    assert len(study.volumes[0]) == 3
    assert [one.partition(": ")[2] for one in study.problems] == [
        "is a structured report, which holds no picture",
        "is a presentation state, which holds no picture",
    ]


def test_a_dicomdir_beside_its_files_is_no_problem(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "cd", range(3))
    (folder / "DICOMDIR").write_bytes(REFUSED["index"][0])
    study = read_study(folder)
    assert len(study.volumes[0]) == 3
    assert not study.problems


def test_strangers_in_a_folder_are_one_line(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "cd", range(3))
    for number in range(5):
        (folder / f"read{number}.txt").write_text("x")
    (problem,) = read_study(folder).problems
    assert problem.endswith("...: neither DICOM nor NIfTI (5 files): left out")


def zipped(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def test_path_tricks_in_a_zip_are_named_and_write_nothing(tmp_path: Path) -> None:
    names = ("../out", "/etc/x", "a/../../out", "C:\\x", "..\\out")
    members = [(f"good/{number}", changed()) for number in range(1)]
    folder = tmp_path / "in"
    folder.mkdir()
    study = read_study(zipped(folder / "x.zip", *members, *((name, changed()) for name in names)))
    assert len(study.volumes[0]) == 1
    assert len(study.problems) == len(names)
    assert all("leads out of the archive" in problem for problem in study.problems)
    assert [one.name for one in tmp_path.rglob("*")] == ["in", "x.zip"]


BOMB = [("zeros", bytes(40 * 2**20))]


@pytest.mark.parametrize(
    ("members", "limits", "cause"),
    [
        (BOMB, StudyLimits(), "unpacks to .* times its size, more than the limit of 400"),
        (BOMB, StudyLimits(max_bytes=2**20), "unpacks to 41943040 bytes, more than the limit of 1048576"),
        (
            [(str(one), b"x") for one in range(9)],
            StudyLimits(max_files=8),
            "holds 9 files, more than the limit of 8",
        ),
        ([("inner.zip", b"PK\x03\x04")], StudyLimits(), "is a ZIP archive"),
        ([], StudyLimits(), "holds no DICOM or NIfTI file|is empty|damaged|of no kind"),
    ],
)
def test_bombs_and_empty_archives(members: Any, limits: StudyLimits, cause: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableScan, match=cause):
        read_study(zipped(tmp_path / "x.zip", *members), limits)


def test_a_damaged_zip(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", ("a", changed()))
    data = path.read_bytes()
    path.write_bytes(data[:-30])
    with pytest.raises(UnreadableScan, match="is a damaged or cut zip"):
        read_study(path)
    broken = bytearray(data)
    broken[60:90] = b"\xff" * 30
    path.write_bytes(bytes(broken))
    with pytest.raises(UnreadableScan, match=r"x\.zip!a: cannot be unpacked|damaged"):
        read_study(path)


def test_too_many_files_or_voxels(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "s", range(4))
    with pytest.raises(UnreadableScan, match="holds 4 files, more than the limit of 3"):
        read_study(folder, StudyLimits(max_files=3))
    with pytest.raises(UnreadableScan, match=r"its 1920 voxels are more than max_voxels leaves \(1000\)"):
        read_study(folder, StudyLimits(max_voxels=1000))


def test_paths(tmp_path: Path) -> None:
    for path, cause in (
        (tmp_path / "none", "does not exist: check the path"),
        (tmp_path, "holds no DICOM or NIfTI file: name the folder or file of a study"),
        (Path("/dev/null"), "is a device or a pipe"),
        (tmp_path / "a\0b", "cannot be looked at"),
    ):
        with pytest.raises(UnreadableScan, match=cause):
            read_study(path)
