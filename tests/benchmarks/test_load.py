"""The users of the serving benchmark: counted answers, times and refusals, whatever the server does."""

from __future__ import annotations

import json

import pytest
from served import in_thread


def server(status: int, chunked: bool = False):
    """An application that takes a body and answers so; it counts what it got."""
    got: list[tuple[str, int]] = []

    async def app(scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            return
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body")
        got.append((scope["path"], size))
        if scope["path"].endswith("/upload"):
            body = json.dumps(["x/picture.png"]).encode()
        elif scope["method"] == "POST":
            body = json.dumps({"event_id": "e1"}).encode()
        else:
            body = b"event: complete\ndata: []\n\n"
        headers = [] if chunked else [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app, got


@pytest.fixture
def picture(tmp_path):
    (tmp_path / "head.png").write_bytes(b"pixels" * 100)
    return tmp_path / "head.png"


@pytest.mark.parametrize("chunked", [False, True])
def test_counts_good_answers_and_times_them(picture, chunked):
    from load import ask_ours, run

    app, got = server(200, chunked)
    with in_thread(app) as url:
        load = run(ask_ours, int(url.rpartition(":")[2]), [picture], users=4, seconds=1)
    assert load.statuses == {200: len(load.milliseconds)}
    assert len(got) == len(load.milliseconds) >= 4
    assert {path for path, _ in got} == {"/v1/predict"}
    assert all(size > 600 for _, size in got)
    assert load.errors == 0
    assert 0 < load.percentile(50) <= load.percentile(99)
    assert load.rate == pytest.approx(len(got) / load.seconds)


def test_goes_gradios_way(picture):
    from load import ask_gradio, run

    app, got = server(200, chunked=True)
    with in_thread(app) as url:
        load = run(ask_gradio, int(url.rpartition(":")[2]), [picture], users=1, seconds=1)
    assert [path for path, _ in got[:3]] == [
        "/gradio_api/upload",
        "/gradio_api/call/predict",
        "/gradio_api/call/predict/e1",
    ]
    assert 3 * len(load.milliseconds) == len(got)


@pytest.mark.parametrize(("status", "errors"), [(503, 0), (500, 1)])
def test_the_stated_limit_is_no_error_and_all_else_is(picture, status, errors):
    from load import ask_ours, run

    app, _ = server(status)
    with in_thread(app) as url:
        load = run(ask_ours, int(url.rpartition(":")[2]), [picture], users=1, seconds=1)
    assert load.milliseconds == []
    assert bool(load.errors) == bool(errors)


def test_nobody_there_is_an_error(picture):
    from load import ask_ours, run

    load = run(ask_ours, 9, [picture], users=1, seconds=1)
    assert set(load.statuses) == {0}
    assert load.errors == load.statuses[0] > 0


def test_the_report_says_what_is_met():
    from load import Load
    from serve import _flat, _table, _targets

    row = {
        "ours": Load(64, 10.0, {200: 400, 503: 2}, [20.0] * 400),
        "theirs": Load(64, 10.0, {200: 40}, [900.0] * 40),
    }
    row |= {"users": 64, "bulk": 41.0, "cpu": [40.0, 50.0, 300.0]}
    assert "| 64 | tumorscan app | 40.0 | 20 | 20 | 20 | 2 | 0 | 50 | 98 % of 41.0/s | 10.0x |" in _table(
        [row]
    )
    assert _targets(row).count(": met (") == 2
    assert "6.0 times ours" in _targets(row)
    assert "**missed** (1.0x)" in _targets({**row, "theirs": row["ours"]})
    assert list(_flat({})) == []
