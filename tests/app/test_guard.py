"""The guard before a small application: who gets through, how much, how fast, and what answers carry."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import time

import httpx
import pytest
from served import PATIENCE, in_thread

from tumorscan.app.guard.bodies import BodyLimits
from tumorscan.app.guard.front import Guard, Rules
from tumorscan.app.guard.hosts import is_loopback
from tumorscan.app.guard.rate import Rate
from tumorscan.app.guard.tokens import SESSION_SECONDS, Tokens, read_tokens
from tumorscan.app.problems import Refusal
from tumorscan.errors import SettingsError

ANN, BOB = "ann-" + "a" * 20, "bob-" + "b" * 20
LIMITS = BodyLimits(most=1_000_000, together=3_000_000, pause=20, seconds=60)
IMPATIENT = BodyLimits(most=1_000_000, together=3_000_000, pause=0.5, seconds=2)


async def echo(scope, receive, send) -> None:
    """Answers who asked and how much came in."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    count, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RuntimeError("left")
        count, more = count + len(message.get("body", b"")), message.get("more_body")
    if scope["path"] == "/hold":
        await asyncio.sleep(1.5)
    body = json.dumps({"client": scope["state"]["client"], "bytes": count}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"max-age=9"),
        (b"x-frame-options", b"ALLOW"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def anyone():
    with in_thread(Guard(echo, Rules(hosts=["scan.example.org"], bodies=LIMITS))) as url:
        yield url


@pytest.fixture(scope="module")
def known():
    with in_thread(Guard(echo, Rules(tokens={"ann": ANN, "bob": BOB}, bodies=LIMITS))) as url:
        yield url


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def is_problem(answer: httpx.Response, status: int, cause: str = "") -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert problem["title"]
    assert cause in problem["detail"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:7860", 200),
        ("[::1]:7860", 200),
        ("localhost", 200),
        ("SCAN.example.org:443", 200),
        ("192.0.2.7", 200),
        (socket.gethostname(), 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("localhost.evil.example:7860", 400),
        ("", 400),
        ("../../etc/passwd", 400),
        ("[::1", 200),  # what stands in brackets is an address, however they are closed
    ],
)
def test_only_names_that_are_ours(anyone, host, status):
    assert httpx.get(anyone, headers={"Host": host}, timeout=PATIENCE).status_code == status


def test_every_answer_is_locked_down(anyone):
    headers = httpx.get(anyone, timeout=PATIENCE).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "http" not in headers["content-security-policy"], "no other origin is named"
    assert headers.get_list("x-frame-options") == ["DENY"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers
    assert httpx.get(f"{anyone}/assets/a.js", timeout=PATIENCE).headers["cache-control"] == "max-age=9"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_sites_page_may_not_post(anyone, site):
    is_problem(httpx.post(anyone, headers={"Sec-Fetch-Site": site}, timeout=PATIENCE), 403, "another site")
    assert httpx.get(anyone, headers={"Sec-Fetch-Site": site}, timeout=PATIENCE).status_code == 200
    assert httpx.post(anyone, headers={"Sec-Fetch-Site": "same-origin"}, timeout=PATIENCE).status_code == 200


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        (bearer(ANN), "ann"),
        ({"Authorization": f"bearer  {BOB}"}, "bob"),
        ({}, None),
        ({"Authorization": "Bearer"}, None),
        (bearer("x"), None),
        (bearer(ANN[:-1]), None),
        (bearer(ANN + "a"), None),
        ({"Authorization": f"Basic {ANN}"}, None),
        ({"Cookie": "tumorscan_session=ann.9999999999.00"}, None),
        ({"Cookie": "tumorscan_session=../../etc/passwd"}, None),
        ({"Cookie": "tumorscan_session="}, None),
        ({"Cookie": ";;=;\x01"}, None),
    ],
)
def test_a_token_names_its_client(known, headers, client):
    answer = httpx.get(known, headers=headers, timeout=PATIENCE)
    if client:
        assert answer.json()["client"] == client
    else:
        is_problem(answer, 401, "asks for a token")
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_whether_it_lives_may_be_asked_by_all(known, path):
    assert httpx.get(f"{known}{path}", timeout=PATIENCE).status_code == 200


def test_a_browser_logs_in_once(known):
    page = {"Accept": "text/html"}
    with httpx.Client(base_url=known, timeout=PATIENCE) as browser:
        sent = browser.get("/x/y", headers=page)
        assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/x/y")
        form = browser.get(sent.headers["location"])
        assert 'action="/login?next=/x/y"' in form.text
        wrong = browser.post("/login?next=/x/y", data={"token": "no"})
        assert wrong.status_code == 401
        assert "not known here" in wrong.text
        assert "set-cookie" not in wrong.headers
        right = browser.post("/login?next=/x/y", data={"token": ANN})
        assert (right.status_code, right.headers["location"]) == (303, "/x/y")
        cookie = right.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert ANN not in cookie
        assert browser.get("/x/y").json()["client"] == "ann"


@pytest.mark.parametrize(
    "away",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        '/"><script>',
        "",
        "/a\r\nX: y",
    ],
)
def test_a_login_leads_nowhere_else(known, away):
    answer = httpx.post(f"{known}/login", params={"next": away}, data={"token": ANN}, timeout=PATIENCE)
    assert answer.headers["location"] in ("/", '/"><script>')
    assert "x" not in answer.headers
    shown = httpx.get(f"{known}/login", params={"next": away}, timeout=PATIENCE).text
    assert "<script>" not in shown


def test_a_session_ends_and_cannot_be_made_longer():
    now = [1000.0]
    tokens = Tokens({"ann": ANN, "bob": BOB}, clock=lambda: now[0])
    value = tokens.session("ann")
    assert tokens.client_of_session(value) == "ann"
    client, end, seal = value.split(".")
    for forged in (
        f"bob.{end}.{seal}",
        f"{client}.{int(end) + 9}.{seal}",
        f"{client}.{end}.{seal[:-1]}",
        "é.1.ß",
        "",
    ):
        assert tokens.client_of_session(forged) is None
    assert Tokens({"ann": ANN}).client_of_session(value) is None, "another process has another key"
    now[0] += SESSION_SECONDS + 1
    assert tokens.client_of_session(value) is None


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (f"{ANN}\n", {"client1": ANN}),
        (f"# ours\n\nann {ANN}\nbob\t{BOB}\n", {"ann": ANN, "bob": BOB}),
    ],
)
def test_reads_tokens(tmp_path, text, tokens):
    (tmp_path / "tokens").write_text(text)
    assert read_tokens(tmp_path / "tokens", {}) == tokens


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "holds no token"),
        (b"# nothing\n", "holds no token"),
        (b"short\n", "16 or more"),
        (b"a b c\n", "line 1: write a token"),
        (f"../../etc/passwd {ANN}".encode(), "line 1: write a token"),
        (f"ann {ANN}\nann {BOB}".encode(), "line 2: write a token"),
        ("ünsägliches-langes-wort".encode(), "16 or more ASCII"),
        (b"\xff\xfe\x00", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_refuses_tokens_that_are_none(tmp_path, content, cause):
    file = tmp_path / "tokens"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=cause) as error:
        read_tokens(file, {})
    assert str(file) in str(error.value)


def test_a_token_from_the_environment():
    assert read_tokens(None, {"TUMORSCAN_TOKEN": f" {ANN}\n"}) == {"user": ANN}
    assert read_tokens(None, {}) == {}
    with pytest.raises(SettingsError, match="TUMORSCAN_TOKEN: a token has 16 or more"):
        read_tokens(None, {"TUMORSCAN_TOKEN": "short"})


def test_a_client_that_asks_too_often_is_told_when_to_come_again():
    now = [0.0]
    rate = Rate(60, burst=3, clock=lambda: now[0])
    for _ in range(3):
        rate.take("ann")
    with pytest.raises(Refusal, match="try again in 1 s") as error:
        rate.take("ann")
    assert (error.value.status, error.value.headers["Retry-After"]) == (429, "1")
    rate.take("bob")
    now[0] += 1
    rate.take("ann")
    now[0] += 1000
    for _ in range(3):
        rate.take("ann")
    with pytest.raises(Refusal):
        rate.take("ann")


def test_no_limit_and_no_endless_memory():
    for _ in range(1000):
        Rate(0).take("ann")
    rate = Rate(1, burst=1)
    for number in range(10_100):
        rate.take(str(number))
    assert len(rate._buckets) == 10_000


def test_guessing_tokens_is_slowed_down():
    with in_thread(Guard(echo, Rules(tokens={"ann": ANN}, a_minute=1, burst=5))) as url:
        statuses = [httpx.post(url, headers=bearer(str(n)), timeout=PATIENCE).status_code for n in range(8)]
        assert statuses == [401] * 5 + [429] * 3
        assert httpx.post(url, headers=bearer(ANN), timeout=PATIENCE).status_code == 200, "others go on"


def pieces(count: int, size: int = 50_000, sent: list[int] | None = None):
    for _ in range(count):
        yield bytes(size)
        if sent is not None:
            sent.append(size)


@pytest.mark.parametrize("count", [0, 1, 20])
def test_takes_what_is_within_the_limit(anyone, count):
    answer = httpx.post(anyone, content=pieces(count), timeout=PATIENCE)
    assert answer.json()["bytes"] == count * 50_000


def test_cuts_off_what_is_too_long_while_it_is_sent(anyone):
    sent: list[int] = []
    answer = httpx.post(anyone, content=pieces(10_000, sent=sent), timeout=PATIENCE)
    is_problem(answer, 413, "more than 0.954 MB in one request")
    assert sum(sent) < 100_000_000, "it had to send no more than what stands on the way"
    assert httpx.post(anyone, content=b"x", timeout=PATIENCE).json()["bytes"] == 1


def test_refuses_by_the_length_that_is_announced(anyone):
    connection = http.client.HTTPConnection(anyone[7:], timeout=PATIENCE)
    connection.request("POST", "/", headers={"Content-Length": str(500 * 1024**2)})
    assert connection.getresponse().status == 413
    connection.close()


def test_too_much_of_all_together(anyone):
    with httpx.Client(timeout=PATIENCE) as client:

        async def both():
            async with httpx.AsyncClient(timeout=PATIENCE) as many:
                posts = [many.post(f"{anyone}/hold", content=bytes(900_000)) for _ in range(5)]
                return await asyncio.gather(*posts)

        got = asyncio.run(both())
        assert sorted({one.status_code for one in got}) == [200, 503]
        for one in got:
            if one.status_code == 503:
                is_problem(one, 503, "too much is being sent at once")
                assert one.headers["retry-after"] == "5"
        assert client.post(anyone, content=bytes(900_000)).status_code == 200, "the room is given back"


@pytest.mark.parametrize("drip", [b"", b"x"])
def test_gives_up_on_who_sends_too_slowly(drip):
    with in_thread(Guard(echo, Rules(bodies=IMPATIENT))) as url:
        assert _sent_slowly(url, drip).startswith(b"HTTP/1.1 408 ")


def _sent_slowly(url: str, drip: bytes) -> bytes:
    """What is answered to a body that never ends."""
    host, _, port = url[7:].partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n" + drip)
        begun, answer = time.monotonic(), b""
        line.settimeout(0.2)
        while b"\r\n\r\n" not in answer and time.monotonic() - begun < PATIENCE:
            try:
                answer += line.recv(4096)
            except TimeoutError:
                if drip:
                    line.sendall(drip)
    return answer


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: loc"])
def test_hangs_up_on_who_does_not_say_what_it_wants(monkeypatch, start):
    monkeypatch.setattr("tumorscan.app.server._HEADER_SECONDS", 1.0)
    with in_thread(Guard(echo, Rules())) as url:
        host, _, port = url[7:].partition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as line:
            line.sendall(start)
            assert line.recv(10) == b""
        with httpx.Client(base_url=url, timeout=PATIENCE) as patient:
            assert patient.get("/").status_code == 200
            time.sleep(1.5)
            assert patient.get("/").status_code == 200, "who asked once may be silent for a while"


def test_who_leaves_while_sending_is_no_error(anyone):
    host, _, port = anyone[7:].partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
    assert httpx.get(anyone, timeout=PATIENCE).status_code == 200


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("192.0.2.7", False),
        ("::", False),
        ("mri", False),
    ],
)
def test_which_addresses_are_this_machines_alone(host, ours):
    assert is_loopback(host) is ours


@pytest.mark.parametrize("wrong", [{"most": 0}, {"together": -1}, {"pause": 0}, {"seconds": 0}])
def test_limits_are_checked(wrong):
    with pytest.raises(SettingsError, match="must be more than 0"):
        BodyLimits(**wrong)
