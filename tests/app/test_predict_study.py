"""`tumorscan predict STUDY`: a folder, a zip, pictures beside it, problems, and what programs read."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.app.cli import main

pytest.importorskip("pydicom")

VOLUME_KEYS = {
    *("file", "verdict", "probability", "confidence", "threshold", "operating_point", "model", "notes"),
    *("reasons", "milliseconds", "format", "modality", "series", "plane", "slices", "spacing", "key_slice"),
    *("extent", "curve", "slice_probabilities", "refused_slices", "tumor_type"),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tumorscan.data.phantom_study import write_study

    return write_study(tmp_path_factory.mktemp("studies") / "head", seed=2, slices=9, size=128)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "head.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 90), dtype=np.uint8)).save(path)
    return path


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    lines = capsys.readouterr().out.splitlines()
    return [json.loads(line, parse_constant=lambda what: pytest.fail(f"{what} is no JSON")) for line in lines]


def test_a_study_is_one_object_with_a_schema(capsys, tiny_bundle, study):
    assert main(["predict", str(study), "--model", str(tiny_bundle), "--json"]) == 0
    (told,) = _lines(capsys)
    assert told["schema"] == "tumorscan.study/1"
    assert (told["file"], told["problems"]) == (str(study), [])
    (volume,) = told["volumes"]
    assert set(volume) >= VOLUME_KEYS
    assert (volume["slices"], volume["plane"], volume["modality"]) == (9, "axial", "MR")
    assert len(volume["curve"]) == len(volume["slice_probabilities"]) == 9
    key = volume["key_slice"]
    assert 0 <= key["index"] < 9
    assert Path(key["file"]).parent == study
    assert key["uid"]
    assert volume["curve"][key["index"]] is not None


def test_people_get_a_verdict_the_key_slice_and_what_the_volume_is(capsys, tiny_bundle, study):
    assert main(["predict", str(study), "--model", str(tiny_bundle)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"{study}: ")
    assert "p(tumor)" in out[0]
    assert out[1] == "  DICOM MR axial, 9 slices, 4 mm apart"
    assert out[2].startswith("  key slice ")
    assert " of 9 (IM" in out[2]


def test_a_zip_says_what_its_folder_says(capsys, tmp_path, tiny_bundle, study):
    packed = tmp_path / "head.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in study.iterdir():
            archive.write(file, file.name)
    assert main(["predict", str(packed), str(study), "--model", str(tiny_bundle), "--json"]) == 0
    one, other = _lines(capsys)
    assert one["volumes"][0]["probability"] == other["volumes"][0]["probability"]
    assert one["volumes"][0]["curve"] == other["volumes"][0]["curve"]


def test_pictures_and_studies_mix_in_the_order_given(capsys, tiny_bundle, study, picture):
    paths = [str(picture), str(study), "nowhere.png", str(picture)]
    assert main(["predict", *paths, "--model", str(tiny_bundle), "--json"]) == 3
    told = _lines(capsys)
    assert [Path(one["file"]).name for one in told] == ["head.png", "head", "nowhere.png", "head.png"]
    assert "volumes" in told[1]
    assert told[0]["probability"] == told[3]["probability"]
    assert "error" in told[2]


def test_a_csv_may_name_studies(capsys, tmp_path, tiny_bundle, study, picture):
    listed = tmp_path / "list.csv"
    listed.write_text(f"file\n{picture}\n{study / 'IM0001.dcm'}\n")
    assert main(["predict", str(listed), "--model", str(tiny_bundle), "--json"]) == 0
    picture_said, slice_said = _lines(capsys)
    assert "verdict" in picture_said
    assert slice_said["volumes"][0]["slices"] == 1


def test_a_folder_of_pictures_is_no_study(capsys, tmp_path, tiny_bundle, picture):
    shutil.copy(picture, tmp_path / "second.png")
    assert main(["predict", str(tmp_path), "--model", str(tiny_bundle), "--json"]) == 0
    assert all("volumes" not in one for one in _lines(capsys))


def test_a_damaged_slice_is_named_and_the_rest_is_answered(capsys, tmp_path, tiny_bundle, study):
    folder = tmp_path / "damaged"
    shutil.copytree(study, folder)
    file = folder / "IM0004.dcm"
    file.write_bytes(file.read_bytes()[:2000])
    assert main(["predict", str(folder), "--model", str(tiny_bundle), "--json"]) == 3
    (told,) = _lines(capsys)
    assert any("IM0004.dcm" in problem for problem in told["problems"])
    assert told["volumes"][0]["slices"] == 8


def test_a_study_without_a_single_readable_slice_is_an_error_line(
    capsys, tmp_path, tiny_bundle, study, picture
):
    broken = tmp_path / "broken.dcm"
    broken.write_bytes((study / "IM0001.dcm").read_bytes()[:2000])
    assert main(["predict", str(broken), str(picture), "--model", str(tiny_bundle)]) == 3
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"{broken}: ERROR ")
    assert out[1].startswith(f"{picture}: ")


def test_the_key_slice_is_drawn(capsys, tmp_path, tiny_bundle, study):
    folder = tmp_path / "overlays"
    assert main(["predict", str(study), "--model", str(tiny_bundle), "--json", "--overlay", str(folder)]) == 0
    (told,) = _lines(capsys)
    (volume,) = told["volumes"]
    drawn = Path(volume["overlay"])
    assert drawn.name == f"head.slice{volume['key_slice']['index']}.overlay.png"
    assert [drawn] == list(folder.iterdir())
    assert Image.open(drawn).size == (128, 128)


def test_no_patient_is_named(capsys, tiny_bundle, study):
    for form in ([], ["--json"]):
        main(["predict", str(study), "--model", str(tiny_bundle), *form])
        said = capsys.readouterr()
        assert "PHANTOM" not in said.out + said.err
        assert "Drawn" not in said.out + said.err


@pytest.mark.data
def test_the_healthy_series_raises_no_alarm_and_masks_are_named(capsys, data_dir):
    assert main(["predict", str(data_dir / "volumes" / "dicom_t1_healthy"), "--json"]) == 0
    (told,) = _lines(capsys)
    assert told["volumes"][0]["verdict"] in ("NO TUMOR", "CANNOT SAY")
    scan, mask = (
        data_dir / "volumes" / "progression" / f"01_Pre_{one}.nii.gz" for one in ("Scan_T1", "Mask")
    )
    assert main(["predict", str(scan), str(mask), "--json"]) == 3
    found, refused = _lines(capsys)
    assert found["volumes"][0]["slices"] == 24
    assert "mask" in refused["error"]
