"""Many pictures on the page: each its command line's answer or its cause, and nothing left behind."""

from __future__ import annotations

import csv
import io
import re
import threading
import time
import zipfile

import pytest
from handed_in import BAD_FILES, LIMIT, PICTURES, handed

from tumorscan.app.desk import Desk
from tumorscan.app.inbox import Inbox
from tumorscan.app.page import batch
from tumorscan.app.page.batch import Jobs, Line, work_through
from tumorscan.app.page.batch_tab import batch_pages, result_file
from tumorscan.app.service import Capacity, Overloaded, Service
from tumorscan.config import ReadLimits
from tumorscan.errors import UnreadableScan
from tumorscan.read import read_bytes


@pytest.fixture
def inbox():
    inbox = Inbox(ReadLimits(max_bytes=LIMIT))
    yield inbox
    inbox.close()


@pytest.fixture(scope="module")
def service(tiny_bundle):
    service = Service(tiny_bundle, limits=ReadLimits(max_bytes=LIMIT))
    yield service
    service.close()


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def worked(desk: Desk, sent: object) -> list[Line]:
    *_, last = work_through(desk, sent, threading.Event())
    assert not last.running
    return list(last.lines)


def empty(inbox: Inbox) -> bool:
    return not [one for folder in (inbox.folder, inbox.work) for one in folder.rglob("*") if one.is_file()]


@pytest.mark.parametrize("shared", [False, True])
def test_each_file_has_a_row_and_the_command_lines_answer(inbox, tiny_detector, service, shared):
    files = {name: make() for name, make in PICTURES.items()}
    bad = {name: make() for name, (make, _) in BAD_FILES.items()}
    both = {**files, **bad, "all.zip": zipped({"a/one.png": files["plain.png"], "notes.txt": b"text " * 9})}
    told: list[object] = []
    desk = Desk(service if shared else tiny_detector, inbox, on_answer=told.append)
    lines = worked(desk, handed(inbox, both))
    assert sorted(map(str, told)) == sorted(str(one.answer) for one in lines), "each is told of once"
    assert [one.name for one in lines] == [*files, *bad, "all.zip!a/one.png", "all.zip!notes.txt"]
    answers = {one.name: one for one in lines}
    for name, data in files.items():
        expected = tiny_detector.find(read_bytes(data, name))
        assert answers[name].answer.probability == pytest.approx(expected.probability, abs=1e-6)
        assert answers[name].answer.file == name
        assert answers[name].thumbnail.startswith("data:image/png")
    for name, (_, cause) in BAD_FILES.items():
        assert isinstance(answers[name].answer, UnreadableScan)
        assert cause in answers[name].answer.cause
    assert "is text" in answers["all.zip!notes.txt"].answer.cause
    assert empty(inbox)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (zipped({"../../etc/passwd": b"x"}), "leads out of the archive"),
        (zipped({"big.png": bytes(LIMIT + 1)}), f"more than the limit of {LIMIT}"),
        (zipped({"bomb.png": bytes(900_000)}) + b"", "damaged or cut|no kind known|is of no kind"),
        (zipped({"a.png": b"x"})[:40], "damaged or cut zip"),
        (b"PK\x03\x04nothing", "damaged or cut zip"),
    ],
)
def test_an_odd_zip_is_a_row_with_its_cause(inbox, tiny_detector, data, cause):
    lines = worked(
        Desk(tiny_detector, inbox), handed(inbox, {"odd.zip": data, "plain.png": PICTURES["plain.png"]()})
    )
    assert re.search(cause, lines[0].answer.cause)
    assert lines[0].name.startswith("odd.zip")
    assert lines[-1].answer.probability is not None
    assert empty(inbox)


def test_ten_thousand_files_in_a_zip_are_refused_in_one_row(inbox, tiny_detector):
    data = zipped({f"{number}.png": b"" for number in range(10_000)})
    (line,) = worked(Desk(tiny_detector, inbox), handed(inbox, {"many.zip": data}))
    assert "holds 10000 files, more than the limit" in line.answer.cause


@pytest.mark.parametrize(
    "odd", [None, "x", {"files": 3}, {"files": [None, 3, {"path": "/etc/passwd"}]}, {"files": {}}]
)
def test_nothing_that_is_sent_confuses_it(inbox, tiny_detector, odd):
    lines = worked(Desk(tiny_detector, inbox), odd)
    assert all("is no upload of this page" in one.answer.cause for one in lines)


def test_another_operating_point_decides(inbox, tiny_detector):
    desk = Desk(tiny_detector, inbox)
    assert desk.point_of({"point": "no such"}) == tiny_detector.operating_point.name
    assert desk.point_of({"point": ["x"]}) == tiny_detector.operating_point.name


def test_stopping_keeps_what_is_done_and_deletes_the_rest(inbox, tiny_detector, monkeypatch):
    jobs, data = Jobs(), PICTURES["plain.png"]()
    desk = Desk(tiny_detector, inbox)
    found = desk.find

    def slowly(scan, point):
        time.sleep(0.05)
        jobs.stop("my job")
        return found(scan, point)

    monkeypatch.setattr(desk, "find", slowly)
    sent = handed(inbox, {f"{number}.png": data for number in range(30)}, job="my job")
    *_, html = batch_pages(desk, jobs, sent)
    done = html.count("<tr><td>")
    assert 1 <= done < 30
    assert "Stopped: the others were not looked at" in html
    assert f"{done} of 30 done" in html
    assert empty(inbox)
    jobs.stop("my job")  # long over: nothing happens


def test_a_page_that_is_left_ends_the_work(inbox, tiny_detector):
    pages = batch_pages(Desk(tiny_detector, inbox), Jobs(), handed(inbox, {"a.png": PICTURES["plain.png"]()}))
    assert "ts-progress" in next(pages)
    pages.close()
    assert empty(inbox)


def test_waits_for_a_seat_instead_of_giving_up(inbox, tiny_bundle):
    service = Service(tiny_bundle, capacity=Capacity(waiting=1))
    try:
        files = {f"{number}.png": PICTURES["plain.png"]() for number in range(6)}
        lines = worked(Desk(service, inbox), handed(inbox, files))
    finally:
        service.close()
    assert all(one.answer.probability is not None for one in lines)


def test_gives_up_on_a_service_that_has_no_seat_at_all(inbox, service, monkeypatch):
    monkeypatch.setattr(batch, "_PATIENCE", 0.0)
    desk = Desk(service, inbox)

    def full(scan, point):
        raise Overloaded("128 pictures are waiting", 1)

    monkeypatch.setattr(desk, "find", full)
    (line,) = worked(desk, handed(inbox, {"a.png": PICTURES["plain.png"]()}))
    assert "128 pictures are waiting: try again in 1 s" in line.answer.cause


def test_csv_and_parquet_hold_every_row(inbox, tiny_detector, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    files = {"ä, b.png": PICTURES["plain.png"](), "text.png": b"just text " * 9}
    lines = worked(Desk(tiny_detector, inbox), handed(inbox, files))
    rows = list(csv.DictReader(io.StringIO(result_file(lines, ".csv").decode())))
    table = parquet.read_table(io.BytesIO(result_file(lines, ".parquet"))).to_pylist()
    for found in (rows, table):
        assert [row["file"] for row in found] == list(files)
        assert float(found[0]["probability"]) == pytest.approx(lines[0].answer.probability, abs=1e-6)
        assert "is text" in found[1]["error"]


def test_names_are_text_and_nothing_else(inbox, tiny_detector):
    name = "<img src=x onerror=alert(1)>.png"
    *_, html = batch_pages(
        Desk(tiny_detector, inbox), Jobs(), handed(inbox, {name: PICTURES["plain.png"]()}), "de"
    )
    assert name not in html
    assert "&lt;img" in html
    assert "normal" not in re.sub(r'"data:[^"]*"', "", html).lower()


def test_the_rest_of_the_time_is_told():
    some = batch.Progress([Line("a", UnreadableScan("a", "b"))] * 10, 40, 5.0)
    assert some.left == pytest.approx(15.0)
    assert batch.Progress([], 40, 5.0).left is None
