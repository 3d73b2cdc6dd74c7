"""The work itself, with the shipped detector: what becomes of good, odd and damaged studies."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from node_peers import mr_object, series_of
from pydicom.uid import generate_uid

from tumorscan.app.node.analyse import StudyAnalysis
from tumorscan.config import SHIPPED
from tumorscan.data.phantom_study import write_study
from tumorscan.detect.detector import load_detector
from tumorscan.errors import UnreadableScan


@pytest.fixture(scope="module")
def analyse() -> StudyAnalysis:
    return StudyAnalysis(load_detector(SHIPPED))


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("drawn") / "head", 3, slices=8)


def results(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("study", "results"):
        (tmp_path / name).mkdir()
    return tmp_path / "study", tmp_path / "results"


def test_a_second_time_gives_the_same_objects(analyse, head, folders, tmp_path):
    _, out = folders
    outcome = analyse(head, out)
    assert len(outcome.verdicts) == 1
    assert outcome.problems == 0
    first = results(out)
    (tmp_path / "again").mkdir()
    analyse(head, tmp_path / "again")
    assert results(tmp_path / "again") == first
    read = [pydicom.dcmread(out / name) for name in first]
    assert {ds.StudyInstanceUID for ds in read} == {pydicom.dcmread(next(head.iterdir())).StudyInstanceUID}
    assert "SR" in {ds.Modality for ds in read}


def test_what_is_no_head_gets_no_objects_and_stops_nothing(analyse, folders):
    study, out = folders
    lots = np.random.default_rng(1)
    uid, series = generate_uid(), generate_uid()
    for number in range(3):
        noise = lots.integers(0, 4096, (64, 64)).astype(np.uint16).tobytes()
        mr_object(uid, series, number, Rows=64, Columns=64, PixelData=noise).save_as(
            study / f"{number}.dcm", enforce_file_format=True
        )
    outcome = analyse(study, out)
    assert outcome.verdicts == ("NOT A BRAIN MRI",)
    assert not results(out)


def test_a_damaged_slice_is_told_of_without_a_name(analyse, head, folders):
    study, out = folders
    shutil.copytree(head, study, dirs_exist_ok=True)
    (bad,) = series_of(1)
    bad.Rows = 4096  # more than its pixels
    bad.save_as(study / "bad.dcm", enforce_file_format=True)
    outcome = analyse(study, out)
    assert outcome.problems >= 1
    told = " ".join(outcome.facts["told"])
    assert "bad.dcm" in told
    for secret in ("SECRET", str(study), bad.StudyInstanceUID, bad.SOPInstanceUID):
        assert secret not in told
    assert results(out)


def test_nothing_readable_is_named(analyse, folders):
    study, out = folders
    (study / "text.dcm").write_text("no picture")
    with pytest.raises(UnreadableScan):
        analyse(study, out)
