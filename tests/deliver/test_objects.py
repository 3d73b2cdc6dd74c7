"""What a viewer, a PACS and a validator find in the objects that an answer becomes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import drawn_series as drawn
import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement

from tumorscan.deliver.objects import KINDS, deliver_objects, dicom_bytes
from tumorscan.deliver.told import RESEARCH_USE, Told
from tumorscan.errors import SettingsError, UnreadableScan
from tumorscan.read.orientation import turn_of
from tumorscan.types import Verdict


def read_back(told: Told, kinds: tuple[str, ...] = KINDS) -> dict[str, pydicom.Dataset]:
    """The objects as a receiver reads them, by modality; a Parametric Map is "MAP"."""
    made = [pydicom.dcmread(BytesIO(dicom_bytes(one))) for one in deliver_objects(told, kinds)]
    return {"MAP" if "FloatPixelData" in one else one.Modality: one for one in made}


def items(report: pydicom.Dataset) -> list[pydicom.Dataset]:
    """All content items of a report, depth first."""
    found = []
    for item in report.get("ContentSequence", []):
        found += [item, *items(item)]
    return found


def enhanced_told(folder: Path) -> Told:
    return drawn.told(drawn.volume(drawn.write(folder, [drawn.enhanced()])))


def turned_told(folder: Path, orientation: tuple[float, ...]) -> Told:
    files = drawn.write(folder, [drawn.header(i, orientation) for i in range(5)])
    return drawn.told(drawn.volume(files, orientation), orientation=orientation)


def test_all_objects_lie_in_the_original_study_in_series_of_their_own(told: Told) -> None:
    made = read_back(told)
    assert set(made) == {"SR", "OT", "PR", "MAP"}
    source = drawn.header(0)
    for one in made.values():
        for keyword in (
            "StudyInstanceUID",
            "PatientName",
            "PatientID",
            "PatientBirthDate",
            "AccessionNumber",
        ):
            assert one[keyword].value == source[keyword].value, keyword
        assert one.Manufacturer == "tumorscan"
    uids = {one.SeriesInstanceUID for one in made.values()} | {one.SOPInstanceUID for one in made.values()}
    assert len(uids) == 8
    assert all(uid.startswith("2.25.") and uid.is_valid and int(uid[5:]) < 2**128 for uid in uids)


def test_a_second_run_gives_the_same_bytes_whatever_the_clock_says(told: Told) -> None:
    first = [dicom_bytes(one) for one in deliver_objects(told)]
    time.sleep(1.1)
    assert [dicom_bytes(one) for one in deliver_objects(told)] == first


@pytest.mark.parametrize(
    "other",
    [
        lambda told: replace(told, model=replace(told.model, fingerprint="e" * 64)),
        lambda told: replace(told, found=replace(told.found, key_slice=1)),
        lambda told: replace(
            told,
            volume=replace(
                told.volume, slices=(*told.volume.slices[:4], replace(told.volume.slices[4], uid="1.2.3"))
            ),
        ),
    ],
    ids=["another bundle", "another key slice", "another source"],
)
def test_another_answer_has_other_uids(told: Told, other) -> None:
    assert (
        read_back(told, ("sr",))["SR"].SOPInstanceUID != read_back(other(told), ("sr",))["SR"].SOPInstanceUID
    )


def test_the_report_says_what_was_found_by_what_and_where(told: Told) -> None:
    report = read_back(told, ("sr",))["SR"]
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert (report.ContentDate, report.ContentTime) == ("20260102", "101500")
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    by_value = {
        item.ConceptNameCodeSequence[0].CodeMeaning: item
        for item in items(report)
        if item.ValueType in ("NUM", "TEXT", "CODE")
    }
    numbers = {
        name: float(item.MeasuredValueSequence[0].NumericValue)
        for name, item in by_value.items()
        if item.ValueType == "NUM"
    }
    assert numbers["Calibrated probability of a brain tumor"] == 0.87
    assert numbers["Operating point: sensitivity on the data of its fit"] == 0.912
    assert numbers["Operating point: specificity on the data of its fit"] == 0.83
    assert numbers["Research hint: probability of glioma"] == 0.7
    assert by_value["Algorithm Version"].TextValue == drawn.MODEL.version
    texts = [item.TextValue for item in items(report) if item.ValueType == "TEXT"]
    assert RESEARCH_USE in texts
    assert any("95 % interval 85.0 to 95.0 %" in text for text in texts)
    findings = [item.ConceptCodeSequence[0].CodeValue for item in items(report) if item.ValueType == "CODE"]
    assert "V1" in findings
    images = [
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in items(report)
        if item.ValueType == "IMAGE"
    ]
    assert set(images) == {told.volume.slices[2].uid}


@pytest.mark.parametrize(
    "orientation",
    [drawn.AXIAL, drawn.CORONAL_FEET_UP, drawn.SAGITTAL_TURNED],
    ids=["axial", "coronal", "sagittal"],
)
def test_places_are_those_of_the_stored_pixels_however_the_slice_was_turned(
    tmp_path: Path, orientation: tuple[float, ...]
) -> None:
    made = read_back(turned_told(tmp_path, orientation))
    row, column = drawn.LESION
    point = next(item for item in items(made["SR"]) if item.ValueType == "SCOORD")
    assert point.GraphicData == pytest.approx([column + 0.5, row + 0.5])
    line = np.reshape(made["PR"].GraphicAnnotationSequence[0].GraphicObjectSequence[0].GraphicData, (-1, 2))
    assert np.abs(line.mean(axis=0) - [column, row]).max() < 4
    assert (line[0] == line[-1]).all()
    values = np.frombuffer(made["MAP"].FloatPixelData, "<f4").reshape(3, drawn.ROWS, drawn.COLUMNS)
    assert np.abs(np.argwhere(values[1] == values[1].max()) - [row, column]).max() < 6
    assert 0 <= values.min() <= values.max() <= 1


def test_the_map_lies_where_its_slices_lie(told: Told) -> None:
    made = read_back(told, ("map",))["MAP"]
    places = [
        frame.PlanePositionSequence[0].ImagePositionPatient[2]
        for frame in made.PerFrameFunctionalGroupsSequence
    ]
    assert sorted(places) == [4.0, 8.0, 12.0]  # the suspicious run, slices 1 to 3
    shared = made.SharedFunctionalGroupsSequence[0]
    assert list(shared.PixelMeasuresSequence[0].PixelSpacing) == [1.0, 0.9]
    assert made.FrameOfReferenceUID == drawn.header(0).FrameOfReferenceUID


@pytest.mark.parametrize("orientation", [drawn.AXIAL, drawn.SAGITTAL_TURNED], ids=["axial", "sagittal"])
def test_each_frame_of_the_map_is_that_of_its_slice(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    told = turned_told(tmp_path, orientation)
    strength = {1: 0.25, 2: 1.0, 3: 0.5}
    evidence = {
        index: replace(
            one, explanation=replace(one.explanation, evidence=one.explanation.evidence * strength[index])
        )
        for index, one in told.evidence.items()
    }
    made = read_back(replace(told, evidence=evidence), ("map",))["MAP"]
    values = np.frombuffer(made.FloatPixelData, "<f4").reshape(3, -1).max(axis=1)
    for frame, most in zip(made.PerFrameFunctionalGroupsSequence, values, strict=True):
        place = [float(one) for one in frame.PlanePositionSequence[0].ImagePositionPatient]
        index = next(
            i for i in range(5) if np.allclose(drawn.header(i, orientation).ImagePositionPatient, place)
        )
        assert most == pytest.approx(strength[index], rel=0.1)
        source = frame.DerivationImageSequence[0].SourceImageSequence
        assert [one.ReferencedSOPInstanceUID for one in source] == [told.volume.slices[index].uid]


def test_the_capture_shows_the_slice_beside_its_evidence_and_the_line_is_burnt_in(told: Told) -> None:
    picture = read_back(told, ("capture",))["OT"].pixel_array
    assert min(picture.shape[:2]) > 512
    assert picture[-30:].max() > 200  # the line below
    middle = picture[120:-60]
    left, right = np.split(middle, 2, axis=1)
    assert (left[..., 0] == left[..., 2]).all()
    assert np.abs(right.astype(int) - left).max() > 60


def test_where_no_tumor_was_found_nothing_is_outlined_and_that_is_said(told: Told) -> None:
    finding = replace(told.found.finding, verdict=Verdict.NO_TUMOR, probability=0.02, confidence=98.0)
    said: list[str] = []
    made = deliver_objects(replace(told, found=replace(told.found, finding=finding)), say=said.append)
    assert [one.Modality for one in made] == ["SR", "OT", "OT"]
    assert said == ["series: no presentation state: no tumor was found, so nothing is outlined"]
    assert not [item for item in items(made[0]) if item.ValueType == "SCOORD"]


def test_frames_of_a_multi_frame_file_are_named_by_their_number(tmp_path: Path) -> None:
    made = read_back(enhanced_told(tmp_path))
    image = next(item for item in items(made["SR"]) if item.ValueType == "IMAGE")
    assert image.ReferencedSOPSequence[0].ReferencedFrameNumber == 3
    assert made["PR"].GraphicAnnotationSequence[0].ReferencedImageSequence[0].ReferencedFrameNumber == 3
    assert made["MAP"].NumberOfFrames == 3


def test_a_spacing_of_many_digits_is_written_within_the_length_of_its_kind(tmp_path: Path) -> None:
    headers = [drawn.header(i) for i in range(5)]
    for one in headers:
        with pytest.warns():
            one.PixelSpacing = ["0.666666686534882", "0.69998782873153"]
    made = read_back(drawn.told(drawn.volume(drawn.write(tmp_path, headers))))
    spacing = made["PR"].DisplayedAreaSelectionSequence[0].PresentationPixelSpacing
    assert all(len(str(one)) <= 16 for one in spacing)
    assert spacing[0] == pytest.approx(2 / 3, abs=1e-6)


def test_headers_at_hand_are_taken_and_no_file_is_read(told: Told) -> None:
    for one in told.volume.slices:
        Path(one.file).unlink()
    by_uid = {one.uid: drawn.header(number) for number, one in enumerate(told.volume.slices)}
    for one in by_uid.values():
        del one.SliceThickness, one.AccessionNumber
    before = [one.to_json() for one in by_uid.values()]
    assert len(deliver_objects(told, headers=lambda one: by_uid[one.uid])) == len(KINDS)
    assert [one.to_json() for one in by_uid.values()] == before  # they are the caller's


# What an odd header lacks, and what then happens: an object is left out with a reason, or nothing changes.
ODD = {
    "no FrameOfReferenceUID": ({"FrameOfReferenceUID": None}, "map", "the source has no FrameOfReferenceUID"),
    "no orientation": ({"ImageOrientationPatient": None}, "map", "the source has no ImageOrientationPatient"),
    "no spacing": ({"PixelSpacing": None}, "map", "the source has no PixelSpacing"),
    "no patient": (dict.fromkeys(("PatientID", "PatientName", "PatientBirthDate", "PatientSex")), "", ""),
    "a sex of its own": ({"PatientSex": "?"}, "", ""),
    "a birth date in words": ({"PatientBirthDate": "May"}, "", ""),
    "no thickness": (dict.fromkeys(("SliceThickness", "SpacingBetweenSlices")), "", ""),
    "no samples": ({"SamplesPerPixel": None}, "", ""),
    "no position": ({"ImagePositionPatient": None}, "map", "the source has no ImagePositionPatient"),
    "no dates": (dict.fromkeys(("StudyDate", "StudyTime", "AcquisitionDate", "AcquisitionTime")), "", ""),
    "no manufacturer": ({"Manufacturer": None}, "", ""),
    "no study ID": (dict.fromkeys(("StudyID", "AccessionNumber", "ReferringPhysicianName")), "", ""),
    "an age of two digits": ({"PatientAge": "42"}, "", ""),
    "an alphabet": ({"SpecificCharacterSet": "ISO_IR 192", "PatientName": "Żółć^Łąka"}, "", ""),
}


@pytest.mark.parametrize(("changed", "kind", "reason"), ODD.values(), ids=ODD)
def test_odd_sources(tmp_path: Path, changed: dict[str, object], kind: str, reason: str) -> None:
    headers = [drawn.header(i) for i in range(5)]
    for one in headers:
        for keyword, value in changed.items():
            if value is None:
                delattr(one, keyword)
            else:
                one.SpecificCharacterSet = changed.get("SpecificCharacterSet", "ISO_IR 100")
                odd = keyword in ("PatientBirthDate", "PatientSex", "PatientAge")
                with pytest.warns() if odd else nullcontext():
                    setattr(one, keyword, value)
    told = drawn.told(drawn.volume(drawn.write(tmp_path, headers)))
    said: list[str] = []
    made = deliver_objects(told, say=said.append)
    assert len(made) == 4 - bool(kind)
    assert said == ([f"series: no parametric map: {reason}"] if kind else [])
    for one in made:
        again = pydicom.dcmread(BytesIO(dicom_bytes(one)))
        if changed.get("SpecificCharacterSet"):
            assert str(again.PatientName) == changed["PatientName"]


JUNK = ("", "?", "-1", "ä" * 70, "1e400", "nan", "0", "A\\B\\C", "1\\2\\3\\4\\5\\6", "0\\0\\0\\0\\0\\0")


@pytest.mark.parametrize("seed", range(16))
def test_whatever_stands_in_a_header_gives_objects_or_a_refusal(told: Told, seed: int) -> None:
    rng = np.random.default_rng(seed)
    headers = [drawn.header(i) for i in range(5)]
    tags = [one.tag for one in headers[0] if one.keyword != "PixelData"]
    for tag in (tags[place] for place in rng.choice(len(tags), 3, replace=False)):
        value = JUNK[rng.integers(len(JUNK))]
        gone, kind = rng.integers(2), headers[0][tag].VR if rng.integers(2) else "LO"
        for one in headers:
            del one[tag]
            if not gone:
                with suppress(ValueError, TypeError, OverflowError):
                    one.add(DataElement(tag, kind, value, validation_mode=0))
    by_uid = dict(zip((one.uid for one in told.volume.slices), headers, strict=True))
    made, refused = [], ""
    try:
        made = deliver_objects(told, headers=lambda one: by_uid[one.uid])
    except UnreadableScan as error:
        refused = str(error)
    assert bool(made) != bool(refused)
    assert "\n" not in refused
    assert all(pydicom.dcmread(BytesIO(dicom_bytes(one))).StudyInstanceUID for one in made)


def test_a_map_of_very_many_slices_is_of_those_near_the_key_slice(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tumorscan.deliver.objects.MAP_SLICES", 2)
    said: list[str] = []
    deliver_objects(told, ("map",), say=said.append)
    assert said == ["series: parametric map of the 2 nearest to the key slice, not of all 3 suspicious ones"]


_AS_A_PROGRAM = """
import sys
import warnings
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import drawn_series as drawn
from tumorscan.deliver.objects import deliver_objects

headers = [drawn.header(i) for i in range(5)]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for one in headers:
        one.PatientName = one.ReferringPhysicianName = "Jane_Doe"
        one.PatientID = "J" * 70
    volume = drawn.volume(drawn.write(Path(sys.argv[2]), headers))
print(len(deliver_objects(drawn.told(volume))))
"""


def test_what_the_libraries_warn_of_does_not_get_out(tmp_path: Path) -> None:
    """They quote the patient's name."""
    arguments = [sys.executable, "-c", _AS_A_PROGRAM, str(Path(__file__).parent), str(tmp_path)]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert ended.stdout == "4\n"
    assert not ended.stderr


def _without(keyword: str):
    def spoil(told: Told, folder: Path) -> Told:
        headers = [drawn.header(i) for i in range(5)]
        for one in headers:
            delattr(one, keyword)
        for file, one in zip(told.volume.slices, headers, strict=True):
            one.save_as(file.file, enforce_file_format=False)
        return told

    return spoil


def _gone(told: Told, folder: Path) -> Told:
    shutil.rmtree(Path(told.volume.slices[0].file).parent)
    return told


def _another(told: Told, folder: Path) -> Told:
    drawn.header(4).save_as(told.volume.slices[2].file, enforce_file_format=True)
    return told


REFUSED = {
    "NIfTI": (
        lambda told, _: replace(told, volume=replace(told.volume, format="NIFTI")),
        "series: is no DICOM.*PDF",
    ),
    "no key slice": (
        lambda told, _: replace(told, found=replace(told.found, key_slice=None)),
        "series: has no key slice",
    ),
    "no study UID": (_without("StudyInstanceUID"), r"1\.dcm: has no StudyInstanceUID"),
    "no SOP UID": (_without("SOPInstanceUID"), r"1\.dcm: has no SOPInstanceUID"),
    "no series UID": (_without("SeriesInstanceUID"), r"1\.dcm: has no SeriesInstanceUID"),
    "files gone": (_gone, r"1\.dcm: cannot be read again"),
    "another file": (_another, r"2\.dcm: is another picture"),
    "another size": (
        lambda told, _: replace(told, volume=replace(told.volume, values=told.volume.values[:, :60])),
        r"1\.dcm: its rows and columns",
    ),
}


@pytest.mark.parametrize(("spoilt", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals_are_one_line_that_names_file_and_cause(
    told: Told, tmp_path: Path, spoilt, message: str
) -> None:
    with pytest.raises(UnreadableScan, match=message) as refused:
        deliver_objects(spoilt(told, tmp_path))
    assert "\n" not in str(refused.value)
    assert "Phantom" not in str(refused.value)


@pytest.mark.parametrize("kinds", [("sr", "pdf"), ()])
def test_unknown_objects_are_refused(told: Told, kinds: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError, match="sr, capture, gsps, map"):
        deliver_objects(told, kinds)


def _tool(name: str) -> str:
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed (Debian: dicom3tools, dcmtk)")
    return found


SOURCES = {
    "axial": lambda folder: turned_told(folder, drawn.AXIAL),
    "sagittal": lambda folder: turned_told(folder, drawn.SAGITTAL_TURNED),
    "enhanced": enhanced_told,
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_dciodvfy_finds_no_error(tmp_path: Path, source) -> None:
    dciodvfy = _tool("dciodvfy")
    for kind, one in zip(KINDS, deliver_objects(source(tmp_path / "source")), strict=True):
        file = tmp_path / f"{kind}.dcm"
        file.write_bytes(dicom_bytes(one))
        checked = subprocess.run([dciodvfy, "-new", str(file)], capture_output=True, text=True, check=False)
        said = checked.stdout + checked.stderr
        assert "Error" not in said, said
        odd = [line for line in said.splitlines() if line.startswith("Warning")]
        # The private codes, and a word of PS3.3 C.8.32.2 that the validator does not know yet.
        assert all("99TUMORSCAN" in line or "QUANTITY" in line for line in odd), odd


def test_dcmtk_reads_them(told: Told, tmp_path: Path) -> None:
    dsrdump, dcmdump = _tool("dsrdump"), _tool("dcmdump")
    for kind, one in zip(KINDS, deliver_objects(told), strict=True):
        (tmp_path / f"{kind}.dcm").write_bytes(dicom_bytes(one))
    shown = subprocess.run(
        [dsrdump, "+Pl", str(tmp_path / "sr.dcm")], capture_output=True, text=True, check=True
    )
    assert "Verification Flag   : UNVERIFIED" in shown.stdout
    assert "(POINT,30.5/70.5)" in shown.stdout
    assert not shown.stderr
    for kind in KINDS[1:]:
        dumped = subprocess.run(
            [dcmdump, str(tmp_path / f"{kind}.dcm")], capture_output=True, text=True, check=True
        )
        assert "tumorscan" in dumped.stdout
        assert not dumped.stderr


def test_no_turn_loses_a_pixel() -> None:
    from tumorscan.deliver.geometry import Placed
    from tumorscan.deliver.source import Source

    stored = np.arange(12.0).reshape(3, 4)
    for orientation in (
        drawn.AXIAL,
        drawn.CORONAL_FEET_UP,
        drawn.SAGITTAL_TURNED,
        (0.0, 1.0, 0.0, -1.0, 0.0, 0.0),
    ):
        header = pydicom.Dataset()
        header.Rows, header.Columns, header.ImageOrientationPatient = 3, 4, list(orientation)
        shown = turn_of(orientation).apply(stored)
        placed = Placed(Source("drawn", header, None, 0), shown.shape)
        assert (placed.stored(shown) == stored).all()
        row, column = np.argwhere(shown == 6)[0]  # stored at row 1, column 2
        assert placed.points(np.array([[column + 0.5, row + 0.5]])).tolist() == [[2.5, 1.5]]
