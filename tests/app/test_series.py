"""A series on the page: the command line's answer, every slice in the browser, nothing left behind."""

from __future__ import annotations

import base64
import io
import json
import re
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from handed_in import PICTURES, handed

pytest.importorskip("pydicom")

from tumorscan.app.desk import Desk
from tumorscan.app.inbox import Inbox
from tumorscan.app.page.series import LEVELS, Seen, look_through, render
from tumorscan.app.page.series_tab import series_html, series_pages
from tumorscan.data.phantom_study import write_study
from tumorscan.detect.volume import find_volume
from tumorscan.errors import UnreadableScan
from tumorscan.read.study import read_study
from tumorscan.types import Slice, Volume


@pytest.fixture
def inbox():
    inbox = Inbox()
    yield inbox
    inbox.close()


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "head"
    write_study(folder, 3, slices=6, tumor=True)
    return folder


def files_of(study: Path, prefix: str = "") -> dict[str, bytes]:
    return {prefix + one.name: one.read_bytes() for one in sorted(study.iterdir())}


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def seen(desk: Desk, sent: object) -> Seen | UnreadableScan:
    *_, last = look_through(desk, sent)
    return last


def left(inbox: Inbox) -> list[Path]:
    return [one for folder in (inbox.folder, inbox.work) for one in folder.rglob("*") if one.is_file()]


@pytest.fixture(scope="module")
def expected(study, tiny_detector):
    (volume,) = read_study(study).volumes
    return volume, find_volume(tiny_detector, volume)


@pytest.mark.parametrize("form", ["files", "zip"])
def test_the_command_lines_answer(inbox, study, tiny_detector, expected, form):
    files = files_of(study)
    sent = handed(inbox, files if form == "files" else {"head.zip": zipped(files)})
    shown = seen(Desk(tiny_detector, inbox), sent)
    assert isinstance(shown, Seen), shown
    volume, found = expected
    assert shown.found.finding.probability == pytest.approx(found.finding.probability, abs=1e-6)
    np.testing.assert_allclose(shown.found.curve, found.curve, atol=1e-6)
    assert shown.found.key_slice == found.key_slice
    assert shown.volume.name == ("head.zip" if form == "zip" else "IM0001.dcm + 5")
    assert len(shown.rendered.slices) == len(volume)
    assert left(inbox) == []


def test_nothing_of_our_folder_is_told(inbox, study, tiny_detector):
    files = {**files_of(study), "letter.txt": b"Dear colleague " * 30}
    html = series_html(seen(Desk(tiny_detector, inbox), handed(inbox, files)))
    assert str(inbox.work) not in html
    assert inbox.work.name not in html
    assert "neither DICOM nor NIfTI" in html


def test_progress_is_told_and_then_the_whole(inbox, study, tiny_detector):
    pages = list(series_pages(Desk(tiny_detector, inbox), handed(inbox, files_of(study)), "de"))
    assert all("ts-progress" in one for one in pages[:-1])
    assert "von 6 Schichten" in pages[-2]
    assert "Schlüsselschicht zeigen" in pages[-1]
    assert "Kalibrierte Wahrscheinlichkeit" not in pages[-1]  # it was not calibrated for series
    assert "0 von 6 Schichten als keine Schicht eines Kopfes abgelehnt" in pages[-1]
    assert "normal" not in re.sub(r"data:[\w/.+-]*;base64,[\w+/=]*", "", pages[-1]).lower()


def test_downloads_are_what_they_say(inbox, study, tiny_detector, expected):
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")
    shown = seen(Desk(tiny_detector, inbox), handed(inbox, files_of(study)))
    files = {one.kind: one for one in shown.handout.files}
    assert shown.handout.missing == ()
    figures = json.loads(files["json"].data)
    assert figures["probability"] == pytest.approx(expected[1].finding.probability, abs=1e-6)
    assert len(figures["curve"]) == 6
    assert figures["key_slice"]["file"].startswith("IM00")
    assert files["pdf"].data.startswith(b"%PDF")
    assert str(inbox.work) not in files["json"].data.decode()
    assert pydicom.dcmread(io.BytesIO(files["sr"].data)).Modality == "SR"
    assert pydicom.dcmread(io.BytesIO(files["capture"].data)).Rows > 100
    html = series_html(shown)
    for one in files.values():
        assert base64.b64encode(one.data).decode() in html
        assert f'download="{one.name}"' in html


@pytest.mark.parametrize(
    ("files", "cause"),
    [
        ({"letter.txt": b"Dear colleague " * 30}, "letter.txt: is text|is text"),
        ({"plain.png": PICTURES["plain.png"]()}, "PNG|picture|no kind"),
        ({"a.zip": b"PK\x03\x04broken"}, "damaged or cut zip"),
        ({"a.dcm": b""}, "is empty"),
    ],
)
def test_what_is_no_series_gets_its_cause(inbox, tiny_detector, files, cause):
    shown = seen(Desk(tiny_detector, inbox), handed(inbox, files))
    assert isinstance(shown, UnreadableScan)
    assert re.search(cause, shown.cause)
    assert inbox.work.name not in str(shown)
    assert left(inbox) == []


@pytest.mark.parametrize(
    "odd", [None, "x", {"files": 3}, {"files": [{"path": "/etc/passwd"}]}, {"files": [None]}]
)
def test_nothing_that_is_sent_confuses_it(inbox, tiny_detector, odd):
    shown = seen(Desk(tiny_detector, inbox), odd)
    assert isinstance(shown, UnreadableScan)
    assert "is no upload of this page" in shown.cause


def test_one_of_two_series_is_chosen(inbox, study, tiny_detector, tmp_path):
    write_study(tmp_path / "other", 4, slices=3, tumor=False)
    both = files_of(study, "a") | files_of(tmp_path / "other", "b")
    first = seen(Desk(tiny_detector, inbox), handed(inbox, both))
    second = seen(Desk(tiny_detector, inbox), handed(inbox, both, volume=1))
    beyond = seen(Desk(tiny_detector, inbox), handed(inbox, both, volume="7"))
    assert [len(one.volume) for one in (first, second, beyond)] == [6, 3, 6]
    assert "data-volume" in series_html(first)


def test_a_page_that_is_left_leaves_nothing(inbox, study, tiny_detector):
    pages = series_pages(Desk(tiny_detector, inbox), handed(inbox, files_of(study)))
    next(pages)
    next(pages)
    pages.close()
    for _ in range(900):
        if not left(inbox):
            return
        time.sleep(0.1)
    pytest.fail("files are left")


def volume_of(values: np.ndarray, **more: object) -> Volume:
    slices = tuple(Slice(f"{i}") for i in range(len(values)))
    return Volume(values.astype(np.float32), 500, 400, slices, "axial", "v", "NIFTI", **more)


def unpacked(uri: str) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR).astype(int)
    return picture[..., 2] * 4 + picture[..., 1]


def test_slices_keep_ten_bits_and_reach_over_the_window():
    values = np.linspace(0, 4000, 40 * 50).reshape(1, 40, 50)
    rendered = render(volume_of(values))
    levels = unpacked(rendered.slices[0])
    back = rendered.low + levels / (LEVELS - 1) * (rendered.high - rendered.low)
    assert rendered.low <= 300
    assert rendered.high >= 3900
    inside = (values[0] >= rendered.low) & (values[0] <= rendered.high)
    assert np.abs(back - values[0])[inside].max() <= (rendered.high - rendered.low) / LEVELS
    assert rendered.ratio == pytest.approx(50 / 40)


def test_what_is_not_finite_is_black_and_oblong_pixels_keep_their_shape():
    values = np.full((2, 20, 20), 500.0)
    values[0, 3, 3] = np.nan
    values[1] = np.inf
    rendered = render(volume_of(values, spacing=(5.0, 2.0, 1.0)))
    assert unpacked(rendered.slices[0])[3, 3] == 0
    assert rendered.ratio == pytest.approx(0.5)


def test_a_huge_volume_is_made_smaller_for_the_browser_only(monkeypatch):
    monkeypatch.setattr("tumorscan.app.page.series._PIXELS", 2 * 30 * 30)
    rendered = render(volume_of(np.zeros((2, 60, 60))))
    assert unpacked(rendered.slices[0]).shape == (30, 30)


@pytest.mark.data
def test_a_real_series_is_answered(inbox, tiny_detector, data_dir):
    folder = data_dir / "volumes" / "dicom_t1_healthy"
    files = {one.name: one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}
    shown = seen(Desk(tiny_detector, inbox), handed(inbox, files))
    assert isinstance(shown, Seen), shown
    assert len(shown.rendered.slices) == len(shown.volume)
    assert left(inbox) == []
