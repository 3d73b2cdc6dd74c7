"""`tumorscan deliver` and `tumorscan report`, as people use them, with the shipped bundle on drawn heads."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from tumorscan.app.cli import main
from tumorscan.data.phantom import write_phantoms
from tumorscan.data.phantom_study import write_study

SLICES = 6


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("studies") / "head", 3, slices=SLICES)


@pytest.fixture(scope="module")
def delivered(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("results") / "out"
    assert main(["deliver", str(study), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures") / "drawn"
    write_phantoms(folder, 2, 1)
    return folder / "yes" / "phantom_0001.png"


@pytest.fixture(scope="module")
def said(picture: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `predict --json` printed for the picture."""
    import contextlib
    import io

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["predict", str(picture), "--json", "--operating-point", "specific"]) == 0
    file = tmp_path_factory.mktemp("said") / "finding.json"
    file.write_text(printed.getvalue())
    assert json.loads(printed.getvalue())["sha256"] == hashlib.sha256(picture.read_bytes()).hexdigest()
    return file


def test_a_study_gets_its_objects_and_a_second_run_writes_the_same(
    study: Path, delivered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"1-sr.dcm", "1-capture.dcm", "1-gsps.dcm", "1-map.dcm"}
    assert {one.name for one in delivered.iterdir()} == names
    assert main(["deliver", str(study), "--out", str(tmp_path), "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    series = table["series"][0]
    assert series["verdict"] == "TUMOR DETECTED"
    assert {Path(one["file"]).name for one in series["objects"]} == names
    assert table["problems"] == series["left_out"] == []
    original = dcmread(next(study.iterdir()), stop_before_pixels=True)
    for one in names:
        assert (tmp_path / one).read_bytes() == (delivered / one).read_bytes()
        made = dcmread(tmp_path / one)
        assert made.StudyInstanceUID == original.StudyInstanceUID
        assert made.SeriesInstanceUID != original.SeriesInstanceUID


def test_the_outline_lies_on_the_drawn_lesion(study: Path, delivered: Path) -> None:
    from tumorscan.data.phantom_study import draw_study

    state = dcmread(delivered / "1-gsps.dcm")
    uid = state.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID
    sources = [dcmread(one, stop_before_pixels=True) for one in study.iterdir()]
    number = next(int(one.InstanceNumber) - 1 for one in sources if one.SOPInstanceUID == uid)
    lesion = np.argwhere(draw_study(3, slices=SLICES).masks[number])
    assert len(lesion)
    line = np.reshape(state.GraphicAnnotationSequence[0].GraphicObjectSequence[0].GraphicData, (-1, 2))
    assert np.abs(line.mean(axis=0) - lesion.mean(axis=0)[::-1]).max() < 20


def test_results_beside_the_study_do_not_disturb_the_next_run(
    study: Path, delivered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    together = tmp_path / "together"
    shutil.copytree(study, together)
    for one in delivered.iterdir():
        shutil.copy(one, together)
    assert main(["deliver", str(together), "--out", str(tmp_path / "out"), "--objects", "sr", "--json"]) == 3
    table = json.loads(capsys.readouterr().out)
    assert len(table["series"]) == 1
    assert len(table["problems"]) == 4
    assert (tmp_path / "out" / "1-sr.dcm").read_bytes() == (delivered / "1-sr.dcm").read_bytes()


def test_an_operating_point_and_some_objects(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--objects", "sr, capture", "--operating-point", "specific"]
    assert main(["deliver", str(study), "--out", str(tmp_path), *asked]) == 0
    assert {one.name for one in tmp_path.iterdir()} == {"1-sr.dcm", "1-capture.dcm"}
    assert b"operating point specific" in (tmp_path / "1-sr.dcm").read_bytes()
    assert "never a diagnosis" in capsys.readouterr().err


def test_a_nifti_has_no_study_to_go_into(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nibabel = pytest.importorskip("nibabel")
    file = tmp_path / "head.nii.gz"
    values = np.random.default_rng(1).integers(0, 900, (96, 96, 4)).astype(np.int16)
    nibabel.Nifti1Image(values, np.eye(4)).to_filename(file)
    assert main(["deliver", str(file), "--out", str(tmp_path / "out")]) == 3
    shown = capsys.readouterr()
    assert "is no DICOM: results have no study to go into; make a PDF" in shown.out
    assert not (tmp_path / "out").exists()


def test_a_page_of_a_study_a_picture_and_an_answer(
    study: Path, picture: Path, said: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, given in enumerate((study, picture, said)):
        file = tmp_path / f"{number}.pdf"
        assert main(["report", str(given), "--pdf", str(file), "--json"]) == 0
        table = json.loads(capsys.readouterr().out)
        assert table["verdict"] == "TUMOR DETECTED"
        assert file.read_bytes().startswith(b"%PDF-")


def _changed(**values: object):
    def change(said: Path, picture: Path, folder: Path) -> list[str]:
        file = folder / "finding.json"
        file.write_text(json.dumps({**json.loads(said.read_text()), **values}))
        return [str(file)]

    return change


def _written(text: str):
    def write(said: Path, picture: Path, folder: Path) -> list[str]:
        file = folder / "finding.json"
        file.write_text(text)
        return [str(file)]

    return write


def _another_picture(said: Path, picture: Path, folder: Path) -> list[str]:
    file = folder / "finding.json"
    Image.fromarray(np.zeros((120, 120), np.uint8)).save(folder / "blank.png")
    table = {**json.loads(said.read_text()), "file": "blank.png"}
    del table["sha256"]  # as of versions that kept none
    file.write_text(json.dumps(table))
    return [str(file)]


def test_a_page_of_a_study_s_answer(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(study), "--json"]) == 0
    file = tmp_path / "study.json"
    file.write_text(capsys.readouterr().out)
    assert main(["report", str(file), "--pdf", str(tmp_path / "page.pdf")]) == 0
    assert main(["report", str(file), "--pdf", str(tmp_path / "page.pdf"), "--series", "2"]) == 2
    assert "has 1 answers" in capsys.readouterr().err
    changed = json.loads(file.read_text())
    changed["volumes"][0]["probability"] = 0.4
    file.write_text(json.dumps(changed, indent=1))
    assert main(["report", str(file), "--pdf", str(tmp_path / "page.pdf")]) == 4
    assert "answer for it anew" in capsys.readouterr().err


REFUSED = {
    "no study's answer": (_written('{"file": "a", "volumes": [3]}'), 3, "is no answer of `predict --json`"),
    "a list": (_written('{"file": "a"}\n[1]'), 3, "is damaged JSON"),
    "no such file": (lambda *_: ["nowhere.png"], 3, "nowhere.png: does not exist"),
    "two answers": (
        lambda said, picture, folder: _written(said.read_text() * 2)(said, picture, folder),
        3,
        "holds 2 answers",
    ),
    "an error": (_written('{"file": "a.png", "error": "is empty"}'), 3, "holds an error and no answer"),
    "damaged": (_written('{"file": '), 3, "is damaged JSON"),
    "no answer": (_written('{"a": 1}'), 3, "is no answer of `predict --json`"),
    "another bundle": (_changed(model="other 123"), 4, "was said by other 123"),
    "another answer": (_changed(probability=0.2), 4, "says TUMOR DETECTED"),
    "another picture": (_another_picture, 4, "gives NOT A BRAIN MRI"),
    "another hash": (_changed(sha256="0" * 64), 4, "is not the picture that was answered for"),
    "a point too many": (
        lambda said, *_: [str(said), "--operating-point", "balanced"],
        2,
        "leave out --operating-point",
    ),
    "series of a picture": (lambda *given: [str(given[1]), "--series", "1"], 2, "is no study"),
}


@pytest.mark.parametrize(("given", "code", "message"), REFUSED.values(), ids=REFUSED)
def test_reports_refused(
    given,
    code: int,
    message: str,
    said: Path,
    picture: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "page.pdf"
    assert main(["report", *given(said, picture, tmp_path), "--pdf", str(out)]) == code
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--series", "2"], 2, "has 1, so it must lie in [1, 1]"),
        (["--operating-point", "psychic"], 2, "there is no operating point"),
    ],
)
def test_reports_of_studies_refused(
    arguments: list[str],
    code: int,
    message: str,
    study: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["report", str(study), "--pdf", str(tmp_path / "page.pdf"), *arguments]) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objects", "sr,pdf"], "there are no objects 'pdf': choose of sr, capture, gsps, map"),
        (["--objects", ","], "no objects are asked for"),
        (["--operating-point", "psychic"], "there is no operating point"),
    ],
)
def test_arguments_are_refused_before_any_work(
    arguments: list[str], message: str, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deliver", str(study), "--out", str(tmp_path / "out"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.data
@pytest.mark.slow
def test_a_real_series_gives_objects_that_dciodvfy_accepts_and_names_no_one(
    data_dir: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    dciodvfy = shutil.which("dciodvfy")
    if not dciodvfy:
        pytest.skip("dciodvfy is not installed (Debian: dicom3tools)")
    source = data_dir / "volumes" / "dicom_t1_healthy"
    assert main(["deliver", str(source), "--out", str(tmp_path)]) == 0
    shown = "".join(capfd.readouterr())
    assert "TUMOR DETECTED" not in shown
    assert str(dcmread(next(source.iterdir()), stop_before_pixels=True).PatientName) not in shown
    for file in tmp_path.iterdir():
        checked = subprocess.run([dciodvfy, "-new", file], capture_output=True, text=True, check=False)
        assert "Error" not in checked.stdout + checked.stderr
