"""The page as it is served: the command line's answer for the same bytes, and nothing left behind."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import socket
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from handed_in import BAD_FILES, PICTURES
from served import PATIENCE

from tumorscan.app.desk import Desk
from tumorscan.app.inbox import Inbox
from tumorscan.app.page import draw_examples
from tumorscan.app.page.answer import Answer
from tumorscan.app.page.build import _newest
from tumorscan.app.server import bind
from tumorscan.app.site import SiteSettings, address, serve_site
from tumorscan.errors import BundleError, DataError, EnvironmentProblem, MissingExtra, UnreadableScan
from tumorscan.read import read_scan


@pytest.fixture(scope="module")
def client(page):
    gradio_client = pytest.importorskip("gradio_client")
    return gradio_client.Client(page.url, verbose=False, httpx_kwargs={"timeout": PATIENCE})


def predicted(client, file: Path) -> dict:
    from gradio_client import handle_file

    return client.predict(handle_file(str(file)), api_name="/predict")


@pytest.mark.parametrize("name", PICTURES)
def test_same_probability_as_the_command_line(page, client, pictures, tiny_detector, name):
    expected = tiny_detector.find(read_scan(pictures / name))
    answer = page.desk.attempt(name, (pictures / name).read_bytes)
    assert isinstance(answer, Answer)
    assert answer.finding.probability == pytest.approx(expected.probability, abs=1e-9)
    assert answer.finding.verdict == expected.verdict
    assert answer.finding.notes == expected.notes
    row = predicted(client, pictures / name)
    assert row["probability"] == pytest.approx(expected.probability, abs=1e-6)
    assert row["notes"] == list(expected.notes)
    assert row["sha256"] == expected.sha256 == hashlib.sha256((pictures / name).read_bytes()).hexdigest()
    assert (row["file"], row["verdict"]) == (name, str(expected.verdict))
    assert page.uploads() == []


def test_the_pictures_of_this_suite_need_care(pictures):
    # If the reader stopped turning, windowing and expanding, the test above would prove nothing.
    for name in ("turned.jpg", "deep.png", "palette.png", "alpha.png"):
        assert read_scan(pictures / name).notes


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_wrong_file_gets_the_readers_cause(page, client, pictures, name):
    cause = BAD_FILES[name][1]
    row = predicted(client, pictures / name)
    assert row["file"] == name
    assert cause in row["error"]
    assert "\n" not in row["error"]
    assert page.uploads() == []


def test_too_large_is_refused_while_it_is_sent(page, tmp_path):
    answer = httpx.post(
        f"{page.url}/gradio_api/upload", files={"files": ("big.png", bytes(2_000_000))}, timeout=PATIENCE
    )
    assert answer.status_code == 413
    assert page.uploads() == []


@pytest.mark.parametrize(
    "sent",
    [
        {"path": "{outside}", "meta": {"_type": "gradio.FileData"}},
        {"path": "{outside}", "url": "{outside}", "meta": {"_type": "gradio.FileData"}},
        {"path": "{outside}"},
        {"path": "../../../../../../etc/passwd", "meta": {"_type": "gradio.FileData"}},
        "{outside}",
        None,
        [],
    ],
)
def test_no_other_file_of_the_machine_is_read(page, pictures, sent):
    outside = str(pictures / "plain.png")
    data = json.loads(json.dumps([sent]).replace("{outside}", outside))
    call = httpx.post(f"{page.url}/gradio_api/call/predict", json={"data": data}, timeout=PATIENCE)
    if call.status_code == 200:
        stream = httpx.get(
            f"{page.url}/gradio_api/call/predict/{call.json()['event_id']}", timeout=PATIENCE
        ).text
        assert "probability" not in stream
        assert "Traceback" not in stream
    assert page.uploads() == []
    assert Path(outside).exists()


def test_what_is_uploaded_has_no_answer_under_its_address(page, client, pictures):
    sent = httpx.post(
        f"{page.url}/gradio_api/upload",
        files={"files": ("head.png", (pictures / "plain.png").read_bytes())},
        timeout=PATIENCE,
    ).json()[0]
    assert isinstance(page.desk.attempt("head.png", lambda: page.inbox.take(sent, "head.png")), Answer)
    assert httpx.get(f"{page.url}/gradio_api/file={sent}", timeout=PATIENCE).status_code in (403, 404)


def test_only_predict_has_a_name(client):
    api = client.view_api(return_format="dict", print_info=False)
    assert list(api["named_endpoints"]) == ["/predict"]
    assert not api["unnamed_endpoints"]


def test_keeps_no_history_and_asks_nobody(page):
    config = httpx.get(f"{page.url}/config", timeout=PATIENCE).json()
    assert config["analytics_enabled"] is False
    assert config["run_history"] is False
    assert not config["footer_links"]
    html = (
        httpx.get(page.url, timeout=PATIENCE).text + httpx.get(f"{page.url}/theme.css", timeout=PATIENCE).text
    )
    assert not re.search(r"""(src|href)=["']https?://|url\(["']?https?://|@import""", html)


def test_the_research_line_is_first_and_normal_is_nowhere(page):
    config = httpx.get(f"{page.url}/config", timeout=PATIENCE).json()
    first = next(one["props"]["value"] for one in config["components"] if one["type"] == "html")
    assert "header" in str(first)
    for language, line in (
        ("en", "Research and teaching software: not a medical device, never a diagnosis."),
        ("de", "Software für Forschung und Lehre: kein Medizinprodukt, niemals eine Diagnose."),
    ):
        words = config["i18n_translations"][language]
        assert re.match(r'\s*<div lang="\w\w"><p class="ts-banner" role="alert">', words["header"])
        assert line in words["header"]
        assert not [key for key, text in words.items() if "normal" in text.lower()]


@pytest.mark.parametrize(
    ("sent", "cause"),
    [
        ({"name": "a.png", "size": 10**9}, "is 1000000000 bytes, more than the limit"),
        ({"name": "a.png", "failure": "Failed to fetch"}, "could not be sent (Failed to fetch)"),
        ({"name": "a.png", "path": "/etc/hostname"}, "is no upload of this page"),
        ({"name": "a.png", "path": ["x"]}, "is no upload of this page"),
        ({}, "is no upload of this page"),
        (None, "is no upload of this page"),
        ("text", "is no upload of this page"),
    ],
)
def test_the_drop_zone_cannot_confuse_the_page(page, sent, cause):
    html = page.desk.uploaded(sent)
    assert "ts-refusal" in html
    assert cause in html


class Broken:
    """A detector that fails in a way that nobody thought of."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def prepare(self, _scan, **_options):
        raise self.error


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (DataError("no such thing: do that"), "got no answer: no such thing: do that"),
        (ZeroDivisionError("division by zero\nsecond line"), "ZeroDivisionError: division by zero"),
        (RuntimeError(""), "RuntimeError: no cause given"),
        (MemoryError(), "MemoryError: no cause given"),
    ],
)
def test_a_fault_of_ours_is_one_line_too(pictures, error, shown):
    inbox = Inbox()
    try:
        answer = Desk(Broken(error), inbox).attempt("a.png", (pictures / "plain.png").read_bytes)
    finally:
        inbox.close()
    assert isinstance(answer, UnreadableScan)
    assert shown in answer.cause
    assert "second line" not in answer.cause


def test_examples_are_drawn_readable_and_both_kinds(tmp_path):
    examples = draw_examples(tmp_path / "examples")
    assert [read_scan(file).format for file, _ in examples] == ["PNG"] * 4
    assert sorted(text for _, text in examples) == ["example_lesion"] * 2 + ["example_plain"] * 2


def test_port_in_use_names_port_and_cure():
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentProblem, match=rf"port {port} on 127.0.0.1 is in use: .*--port"):
            serve_site(SiteSettings(port=port), say=lambda line: pytest.fail(f"said {line}"))


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EACCES, "choose one above 1023"),
        (errno.EADDRNOTAVAIL, "not an address of this machine: try 127.0.0.1"),
        (errno.ENOBUFS, "cannot be opened"),
    ],
)
def test_a_port_that_cannot_be_had(monkeypatch, number, message):
    def refuse(self: socket.socket, where: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(EnvironmentProblem, match=message):
        bind("127.0.0.1", 80)


def test_a_host_that_is_none():
    with pytest.raises(EnvironmentProblem, match=r"host 'no such host' is no address .*: try 127.0.0.1"):
        bind("no such host", 7860)


def test_missing_gradio_names_the_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(MissingExtra, match=r"gradio is not installed: pip install 'tumorscan\[app\]'"):
        serve_site(SiteSettings(port=0), say=print)


@pytest.mark.parametrize(
    ("host", "line"),
    [
        ("127.0.0.1", "http://127.0.0.1:7860"),
        ("localhost", "http://localhost:7860"),
        ("::1", "http://[::1]:7860"),
        (
            "192.0.2.7",
            "http://192.0.2.7:7860, open to everyone who reaches this machine: it asks for no token",
        ),
    ],
)
def test_says_where_and_who_may_come(host, line):
    assert address(SiteSettings(host=host, open_to_all=True), 7860) == line


@pytest.mark.parametrize("form", ["nifti", "dicom"])
def test_of_a_whole_volume_the_slice_that_says_most_is_shown(page, tmp_path, tiny_detector, form):
    if form == "nifti":
        nibabel = pytest.importorskip("nibabel")
        values = np.random.default_rng(1).integers(0, 900, (60, 70, 5)).astype(np.int16)
        data = nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 4.0, 1.0])).to_bytes()
    else:
        pytest.importorskip("pydicom")
        from tumorscan.data.phantom_study import write_study

        data = (write_study(tmp_path / "head", 2, slices=1) / "IM0001.dcm").read_bytes()
    answer = page.desk.attempt("volume", lambda: data)
    assert isinstance(answer, Answer), answer
    assert answer.finding.file == "volume"
    assert answer.finding.probability is not None
    assert answer.finding.sha256 == hashlib.sha256(data).hexdigest()
    assert page.uploads() == []
    if form == "nifti":
        assert re.search(r"slice \d of 5, the one that says most", "; ".join(answer.finding.notes))


def test_a_volume_that_is_damaged_gets_its_cause(page):
    nibabel = pytest.importorskip("nibabel")
    data = nibabel.Nifti1Image(np.zeros((60, 70, 5), np.int16), np.eye(4)).to_bytes()[:900]
    answer = page.desk.attempt("cut.nii", lambda: data)
    assert isinstance(answer, UnreadableScan)
    assert str(page.inbox.work) not in str(answer)


def test_a_second_bundle_that_is_none_is_refused_at_the_start(tiny_bundle, tmp_path):
    settings = SiteSettings(port=0, model=tiny_bundle, compare=tmp_path / "nowhere")
    with pytest.raises(BundleError, match="nowhere: no bundle here"):
        serve_site(settings, say=lambda line: pytest.fail(f"said {line}"))


def test_who_opens_the_page_after_a_reload_reads_of_the_new_bundle(page, tiny_detector):
    detectors = [tiny_detector]

    class Other:
        bundle = replace(tiny_detector.bundle, manifest=replace(tiny_detector.bundle.manifest))

        def __getattr__(self, name):
            return getattr(tiny_detector, name)

    class Answering(Desk):
        detector = property(lambda _: detectors[-1])

    newest = _newest(
        Answering(tiny_detector, page.inbox), [(None, lambda language: f"{language}: {len(detectors)}")]
    )
    request = SimpleNamespace(headers={"accept-language": "de"})
    assert "de" not in str(newest(request)[0])
    detectors.append(Other())  # of the same title: only its points were fitted anew
    assert newest(request) == ["de: 2"]


def test_an_answer_survives_a_report_that_cannot_be_made(page, pictures, monkeypatch):
    monkeypatch.setitem(sys.modules, "fpdf", None)
    answer = page.desk.attempt("a.png", (pictures / "plain.png").read_bytes, report=True)
    assert isinstance(answer, Answer)
    assert answer.report == ""
    assert "fpdf is not installed: pip install 'tumorscan[app]'" in answer.no_report
