"""`tumorscan app` as a process: how it starts, lives through abuse and changes, and ends; it leaves nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from served import PATIENCE, Process, waits_for

from tumorscan.app.cli import main
from tumorscan.app.site import SiteSettings
from tumorscan.errors import SettingsError
from tumorscan.model.bundle import MANIFEST

ANN, BOB = "ann-aaaaaaaaaaaaaaaaaaaa", "bob-bbbbbbbbbbbbbbbbbbbb"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("private")


@pytest.fixture(scope="module")
def bundle(tiny_bundle, tmp_path_factory) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("served") / "bundle"))


@pytest.fixture(scope="module")
def process(folder, bundle, tmp_path_factory):
    """A server with two clients' tokens that takes requests of 4 MB."""
    pytest.importorskip("gradio")
    tokens = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens.write_text(f"ann {ANN}\nbob {BOB}\n")
    with Process(
        folder, "--model", bundle, "--token-file", tokens, "--max-upload", "4", "--queue", "64"
    ) as one:
        yield one


@pytest.fixture
def client(process):
    with httpx.Client(
        base_url=process.url, timeout=PATIENCE, headers={"Authorization": f"Bearer {ANN}"}
    ) as client:
        yield client
    assert httpx.get(f"{process.url}/readyz", timeout=PATIENCE).json()["status"] == "ready", "it lives on"
    assert "Traceback" not in process.log


def predicted(client, data: bytes, name: str = "head.png") -> httpx.Response:
    return client.post("/v1/predict", files={"file": (name, data)})


@pytest.mark.parametrize(
    "path", ["/", "/v1/model", "/metrics", "/config", "/gradio_api/info", "/openapi.json", "/none"]
)
def test_without_a_token_nothing_is_told(process, path):
    answer = httpx.get(f"{process.url}{path}", timeout=PATIENCE)
    assert answer.status_code == 401
    assert answer.json()["status"] == 401


def test_uploads_leave_nothing(client, folder, pictures):
    # More than a form keeps in memory by default.
    data = (pictures / "plain.png").read_bytes() + bytes(2_000_000)
    assert predicted(client, data).status_code == 200
    known = [folder.glob("tumorscan-bundle-*/*"), folder.glob("tumorscan-page-*/examples/*")]
    others = {one for one in folder.rglob("*") if one.is_file()} - {one for names in known for one in names}
    assert not others


def test_half_a_gigabyte_is_cut_off(process):
    sent = []

    def pieces():
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        yield head
        for _ in range(5000):
            yield bytes(100_000)
            sent.append(100_000)

    headers = {"Authorization": f"Bearer {ANN}", "Content-Type": "multipart/form-data; boundary=x"}
    answer = httpx.post(f"{process.url}/v1/predict", content=pieces(), headers=headers, timeout=PATIENCE)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert "more than 4 MB" in answer.json()["detail"]
    assert sum(sent) < 100_000_000


def test_a_client_that_leaves_changes_nothing(client, process, pictures):
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nhalf'
    head = f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ANN}\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n"
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", process.port), timeout=PATIENCE) as line:
            line.sendall(head.encode() + body)
    assert predicted(client, (pictures / "plain.png").read_bytes()).status_code == 200


def test_two_hundred_at_once(process, pictures):
    data = (pictures / "plain.png").read_bytes()
    headers = {"Authorization": f"Bearer {BOB}"}

    def ask(_: int) -> httpx.Response:
        with httpx.Client(base_url=process.url, timeout=PATIENCE, headers=headers) as client:
            return predicted(client, data)

    with ThreadPoolExecutor(200) as pool:
        got = list(pool.map(ask, range(200)))
    assert {one.status_code for one in got} <= {200, 503}
    assert sum(one.status_code == 200 for one in got) >= 64
    assert all(int(one.headers["retry-after"]) >= 1 for one in got if one.status_code == 503)


def test_a_broken_bundle_is_not_taken_and_a_whole_one_is(client, process, bundle, pictures):
    data = (pictures / "plain.png").read_bytes()
    before = predicted(client, data).json()["results"][0]["probability"]
    text = (bundle / MANIFEST).read_text()
    (bundle / MANIFEST).write_text("{")
    for file in bundle.glob("*.data"):
        os.truncate(file, 10)  # under the feet of a process that might have mapped it
    waits_for(lambda: client.get("/readyz").json()["problem"])
    assert str(bundle) in client.get("/readyz").json()["problem"]
    assert "was not taken" in process.log
    assert predicted(client, data).json()["results"][0]["probability"] == pytest.approx(before, abs=2e-6)
    assert "tumorscan_bundle_refused 1.0" in client.get("/metrics").text
    (bundle / MANIFEST).write_text(text)


def test_sighup_reloads_at_once_and_drops_nothing(client, process, bundle, tiny_bundle, pictures):
    data = (pictures / "plain.png").read_bytes()
    statuses: list[int] = []
    ended = threading.Event()

    def asking() -> None:
        with httpx.Client(base_url=process.url, timeout=PATIENCE, headers=dict(client.headers)) as user:
            while not ended.is_set():
                statuses.append(predicted(user, data).status_code)

    users = [threading.Thread(target=asking, daemon=True) for _ in range(4)]
    for one in users:
        one.start()
    waits_for(lambda: len(statuses) > 4)
    shutil.rmtree(bundle)
    shutil.copytree(tiny_bundle, bundle)
    process.process.send_signal(signal.SIGHUP)
    waits_for(lambda: "answers from now on" in process.log)
    waits_for(lambda: client.get("/readyz").json()["problem"] == "")
    count = len(statuses)
    waits_for(lambda: len(statuses) > count + 4)
    ended.set()
    for one in users:
        one.join(PATIENCE)
    assert set(statuses) == {200}


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_ends_when_all_is_answered_and_leaves_nothing(tmp_path, tiny_bundle, pictures, by):
    pytest.importorskip("gradio")
    data = (pictures / "plain.png").read_bytes()
    with Process(tmp_path, "--model", tiny_bundle) as process:
        # A child in the background ignores SIGINT unless its program asks for it, and uvicorn does.
        statuses: list[int] = []
        asked = threading.Barrier(9)

        def ask() -> None:
            with httpx.Client(base_url=process.url, timeout=PATIENCE) as client:
                client.get("/healthz")
                asked.wait(PATIENCE)
                files = [("file", (f"{n}.png", data)) for n in range(10)]
                statuses.append(client.post("/v1/predict", files=files).status_code)

        users = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
        for one in users:
            one.start()
        asked.wait(PATIENCE)
        figure = "tumorscan_waiting_pictures 0.0"
        waits_for(
            lambda: figure not in httpx.get(f"{process.url}/metrics", timeout=PATIENCE).text or statuses
        )
        assert process.end(by) == 0
        for one in users:
            one.join(PATIENCE)
        assert statuses
        assert set(statuses) <= {200, 503}
        assert "Traceback" not in process.log
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--host", "0.0.0.0"], "no token is set: give --token-file"),  # noqa: S104 - it is refused
        (["--host", "::"], "no token is set"),
        (["--port", "0"], "--port is 0"),
        (["--port", "70000"], "--port is 70000"),
        (["--token-file", "/none"], "the tokens cannot be read"),
        (["--max-files", "500"], "--max-files is 500"),
        (["--queue", "0"], "waiting is 0"),
        (["--max-upload", "0"], "most is 0"),
        (["--max-picture", "0"], "max_bytes"),
        (["--operating-point", "../../etc/passwd"], "no operating point"),
    ],
)
def test_refuses_to_start(capsys, monkeypatch, tiny_bundle, arguments, cause):
    monkeypatch.delenv("TUMORSCAN_TOKEN", raising=False)
    assert main(["app", "--model", str(tiny_bundle), "--port", "17999", *arguments]) == 2
    error = capsys.readouterr().err
    assert cause in error
    assert error.count("\n") == 1


def test_starts_beyond_this_machine_with_a_token_or_when_told_to():
    from tumorscan.app.guard.front import Rules

    with pytest.raises(SettingsError, match="no token is set"):
        SiteSettings(host="192.0.2.7")
    assert SiteSettings(host="192.0.2.7", rules=Rules(tokens={"ann": ANN})).rules.tokens
    assert SiteSettings(host="192.0.2.7", open_to_all=True).open_to_all


def test_the_log_names_nobody(process, pictures, client):
    predicted(client, b"no picture", "Jane_Doe_1950.png")
    predicted(client, (pictures / "plain.png").read_bytes(), "Jane_Doe_1950.png")
    assert "Jane" not in process.log
    assert ANN not in process.log
