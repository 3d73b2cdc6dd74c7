"""Nothing that identifies the patient is left in the bytes of a copy, and a study stays a study."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from dicomanonymizer.simpledicomanonymizer import initialize_actions_2024b
from pydicom.datadict import dictionary_VR
from pydicom.uid import ComprehensiveSRStorage, SecondaryCaptureImageStorage

from tumorscan.config import StudyLimits
from tumorscan.data.phantom_study import DrawnStudy, draw_study, slice_dataset
from tumorscan.deliver.burnt_in import looks_like_text
from tumorscan.deliver.deidentify import deidentify
from tumorscan.deliver.pseudonyms import Pseudonyms, fresh_pseudonyms, kept_pseudonyms
from tumorscan.errors import SettingsError, UnreadableScan
from tumorscan.read.sources import Source
from tumorscan.read.study import read_study

KEY = Pseudonyms(b"0123456789abcdef")


@pytest.fixture(scope="module")
def drawn() -> DrawnStudy:
    return draw_study(2, slices=2, size=64)


def stored(dataset: Any, preamble: bytes = bytes(128)) -> bytes:
    stream = BytesIO()
    dataset.preamble = preamble
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def cleaned(dataset: Any, key: Pseudonyms = KEY, **options: Any) -> Any:
    data = stored(dataset)
    done = deidentify(Source("in.dcm", len(data), lambda: BytesIO(data)), key, StudyLimits(), **options)
    return done, pydicom.dcmread(BytesIO(done.data))


def fill(item: Any, where: str) -> dict[str, str]:
    """Give each attribute of the profile that is text a value of its own; what was given, by value."""
    given = {}
    for tag in initialize_actions_2024b():
        if len(tag) != 2 or tag[0] in (0x0002, 0xFFFC):
            continue
        number = tag[0] << 16 | tag[1]
        try:
            kind = dictionary_VR(number)
        except KeyError:
            continue
        if kind in ("LO", "SH", "PN", "ST", "LT", "UT", "UC", "CS", "AE") and number not in item:
            value = f"{where}{number:08X}"
            item.add_new(number, kind, value)
            given[value] = str(pydicom.datadict.keyword_for_tag(number))
        elif kind == "DA":
            item.add_new(number, kind, "19530217")
        elif kind == "DT":
            item.add_new(number, kind, "19530217101112")
    return given


def test_no_value_of_the_profile_is_left_at_any_depth(drawn: DrawnStudy) -> None:
    dataset = slice_dataset(drawn, 0, 2, tumor=True)
    for keyword in ("PatientName", "PatientID", "StudyDescription"):
        del dataset[keyword]
    given = fill(dataset, "TOP")
    for depth, keyword in (("NESTA", "ReferencedImageSequence"), ("NESTB", "ProcedureCodeSequence")):
        item = pydicom.Dataset()
        given |= fill(item, depth)
        inner = pydicom.Dataset()
        given |= fill(inner, f"{depth}X")
        item.PurposeOfReferenceCodeSequence = [inner]
        block = item.private_block(0x0011, "SECRETMAKER", create=True)
        block.add_new(1, "LO", "PRIVATENESTED")
        setattr(dataset, keyword, [item])
    block = dataset.private_block(0x0009, "SECRETMAKER", create=True)
    block.add_new(1, "LO", "PRIVATETOP")
    dataset.add_new(0x60003000, "OW", b"OVERLAYSECRET!")
    dataset.add_new(0x00100011, "LO", "UNKNOWNSECRET")
    dataset.PixelData += b"BEHIND THE SECRET "
    dataset.add_new(0xFFFCFFFC, "OB", b"TRAILINGSECRET")
    dataset.file_meta.SourceApplicationEntityTitle = "WARD7"
    data = stored(dataset, preamble=b"PREAMBLESECRET".ljust(128))
    done = deidentify(Source("in.dcm", len(data), lambda: BytesIO(data)), KEY, StudyLimits())
    assert len(given) > 500
    assert all(value.encode() in data for value in given)
    left = {value: keyword for value, keyword in given.items() if value.encode() in done.data}
    assert not left
    for secret in (b"SECRET", b"PRIVATE", b"WARD7", b"19530217"):
        assert secret in data
        assert secret not in done.data
    assert np.array_equal(pydicom.dcmread(BytesIO(done.data)).pixel_array, drawn.values[0])


def test_it_says_what_was_done(drawn: DrawnStudy) -> None:
    _, made = cleaned(slice_dataset(drawn, 0, 2, tumor=True))
    assert made.PatientIdentityRemoved == "YES"
    assert made.DeidentificationMethod.startswith("tumorscan")
    (code,) = made.DeidentificationMethodCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("113100", "DCM")
    assert made.PatientName == made.PatientID == KEY.patient("PHANTOM-2")


def test_references_lead_to_the_copies(drawn: DrawnStudy) -> None:
    one, other = (slice_dataset(drawn, number, 2, tumor=True) for number in (0, 1))
    item = pydicom.Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = other.SOPClassUID, other.SOPInstanceUID
    one.ReferencedImageSequence = [item]
    _, first = cleaned(one)
    _, second = cleaned(other)
    assert first.SOPClassUID == other.SOPClassUID
    assert first.ReferencedImageSequence[0].ReferencedSOPClassUID == other.SOPClassUID
    assert first.ReferencedImageSequence[0].ReferencedSOPInstanceUID == second.SOPInstanceUID
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID != one.SOPInstanceUID
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert first[keyword].value == second[keyword].value != one[keyword].value


def test_the_key_decides(drawn: DrawnStudy) -> None:
    dataset = slice_dataset(drawn, 0, 2, tumor=True)
    first, second = (cleaned(dataset, key)[0].data for key in (KEY, Pseudonyms(KEY.secret)))
    assert first == second
    other, _ = cleaned(dataset, fresh_pseudonyms())
    assert other.instance != cleaned(dataset)[0].instance
    assert "0123" not in repr(KEY)


def test_the_patient_s_name_in_a_field_that_the_profile_leaves_is_found(drawn: DrawnStudy) -> None:
    dataset = slice_dataset(drawn, 0, 2, tumor=True)
    dataset.PatientName, dataset.PatientID = "Meierhofer^Anna Lena", "77-1234"
    dataset.ManufacturerModelName = "scan of Lena"
    dataset.Manufacturer = "No 77-1234"
    dataset.SoftwareVersions = "Annapolis 7"  # no word of the name
    done, made = cleaned(dataset)
    assert (made.ManufacturerModelName, made.Manufacturer, made.SoftwareVersions) == ("", "", "Annapolis 7")
    assert sorted(done.warnings) == [
        "the patient's name or number stood in Manufacturer too: emptied",
        "the patient's name or number stood in ManufacturerModelName too: emptied",
    ]


def test_characteristics_may_be_kept(drawn: DrawnStudy) -> None:
    dataset = slice_dataset(drawn, 0, 2, tumor=True)
    dataset.PatientSex, dataset.PatientAge, dataset.PatientWeight = "F", "093Y", 61
    _, plain = cleaned(dataset)
    assert (plain.PatientSex, "PatientAge" in plain, "PatientWeight" in plain) == ("", False, False)
    _, kept = cleaned(dataset, keep_characteristics=True)
    assert (kept.PatientSex, kept.PatientAge, kept.PatientWeight) == ("F", "090Y", 61)
    assert [one.CodeValue for one in kept.DeidentificationMethodCodeSequence] == ["113100", "113108"]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"SOPClassUID": ComprehensiveSRStorage}, "is a structured report, which holds no picture"),
        ({"Rows": None}, "has no Rows in its header"),
        # The length of an element is damaged, and it swallows those after it.
        ({"SequenceName": "a\x10\x00\x10\x00PN\x0e\x00Doe^Jane"}, "is a damaged or cut DICOM file"),
    ],
)
def test_what_is_no_picture_is_refused(change: dict[str, Any], cause: str, drawn: DrawnStudy) -> None:
    dataset = slice_dataset(drawn, 0, 2, tumor=True)
    for keyword, value in change.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    with pytest.raises(UnreadableScan, match=cause):
        cleaned(dataset)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"BurnedInAnnotation": "YES"}, "the header says that there are burnt-in annotations"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "it is a secondary capture that does not say"),
        ({"ImageType": ["DERIVED", "SECONDARY"]}, "it is a secondary picture that does not say"),
        ({"SOPClassUID": SecondaryCaptureImageStorage, "BurnedInAnnotation": "NO"}, ""),
        ({}, ""),
    ],
)
def test_burnt_in_text_is_warned_of_by_the_header(tags: dict[str, Any], said: str, drawn: DrawnStudy) -> None:
    dataset = slice_dataset(drawn, 0, 2, tumor=True)
    for keyword, value in {"Manufacturer": "ACME", **tags}.items():
        setattr(dataset, keyword, value)
    warnings = " ".join(cleaned(dataset)[0].warnings)
    assert said in warnings if said else not warnings


def test_burnt_in_text_is_warned_of_by_the_pixels() -> None:
    found = defaultdict(int)
    for seed in range(6):
        grey = (draw_study(seed, slices=1, size=224, tumor=seed % 2 == 0).values[0] // 16).astype(np.uint8)
        found["plain"] += looks_like_text(grey)
        for text, place in (("DOE^JANE 1970", (3, 12)), ("ID 4711", (165, 220))):
            written = cv2.putText(
                grey.copy(), text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 230, 1, cv2.LINE_AA
            )
            found[text] += looks_like_text(np.asarray(written))
    assert found["plain"] == 0
    assert min(found["DOE^JANE 1970"], found["ID 4711"]) >= 5


@pytest.mark.data
def test_real_slices_without_text_raise_no_alarm(data_dir: Path) -> None:
    for volume in read_study(data_dir / "volumes" / "dicom_t1_healthy").volumes:
        assert not any(looks_like_text(volume.grey(index)) for index in range(len(volume)))


def test_the_secret_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "secret"
    first = kept_pseudonyms(file)
    assert file.stat().st_mode & 0o077 == 0
    assert kept_pseudonyms(file) == first
    (tmp_path / "short").write_text("abc")
    with pytest.raises(SettingsError, match="holds 3 bytes, too few for a secret"):
        kept_pseudonyms(tmp_path / "short")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], drawn: DrawnStudy) -> None:
    from tumorscan.app.cli import main

    source = tmp_path / "in.zip"
    with zipfile.ZipFile(source, "w") as archive:
        for number in (0, 1):
            archive.writestr(f"DOE_JANE/{number}", stored(slice_dataset(drawn, number, 2, tumor=True)))
    before = source.read_bytes()
    for out in ("a", "b"):
        assert (
            main(["deidentify", str(source), str(tmp_path / out), "--salt-file", str(tmp_path / "key")]) == 0
        )
    first, second = (
        {one.relative_to(tmp_path / out): one.read_bytes() for one in (tmp_path / out).rglob("*.dcm")}
        for out in ("a", "b")
    )
    assert len(first) == 2
    assert first == second
    assert not any("DOE" in str(name) for name in first)
    assert source.read_bytes() == before
    (volume,) = read_study(tmp_path / "a").volumes
    np.testing.assert_array_equal(volume.values, drawn.values)
    assert "2 files without the patient" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["in", "in"], 6, "in: is not empty: name a new folder, so that nothing is overwritten"),
        (["in", "out", "--salt-file", "out/key"], 2, "the secret may not lie among the copies"),
        (["none", "out"], 3, "none: does not exist"),
        (["in/note.txt", "out"], 3, "is no DICOM file, and nothing else is de-identified here"),
    ],
)
def test_refusals_of_the_command(
    arguments: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tumorscan.app.cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "note.txt").write_text("x")
    assert main(["deidentify", *arguments]) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_stranger_among_the_files_is_named_and_the_others_are_copied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], drawn: DrawnStudy
) -> None:
    from tumorscan.app.cli import main

    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a").write_bytes(stored(slice_dataset(drawn, 0, 2, tumor=True)))
    (folder / "b").write_bytes(stored(slice_dataset(drawn, 0, 2, tumor=True)))
    (folder / "note.txt").write_text("x")
    assert main(["deidentify", str(folder), str(tmp_path / "out")]) == 3
    told = capsys.readouterr()
    assert "1 files without the patient" in told.out
    assert f"{folder}/note.txt: is no DICOM file" in told.err
    assert f"{folder}/b: has the UID of a file before it: left out" in told.err
