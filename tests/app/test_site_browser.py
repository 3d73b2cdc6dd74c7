"""The guarded site in headless Chromium: a login, the page under its strict headers, and no other host asked."""

from __future__ import annotations

import base64
from urllib.parse import urlparse

import pytest
from chromium import DROP, NEEDS_CHROMIUM
from served import PATIENCE, Process

ANN, BOB = "ann-aaaaaaaaaaaaaaaaaaaa", "bob-bbbbbbbbbbbbbbbbbbbb"

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def process(tmp_path_factory, tiny_bundle):
    pytest.importorskip("gradio")
    tokens = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens.write_text(f"ann {ANN}\nbob {BOB}\n")
    folder = tmp_path_factory.mktemp("private")
    with Process(folder, "--model", tiny_bundle, "--token-file", tokens) as one:
        yield one


def logged_in(browser, process, token: str):
    """A tab of a browser of its own, behind the login."""
    tab = browser.new_context().new_page()
    tab.set_default_timeout(1000 * PATIENCE)
    tab.complaints, tab.hosts, tab.heard = [], set(), []
    tab.on("request", lambda request: tab.hosts.add(urlparse(request.url).netloc))
    tab.on("console", lambda line: tab.complaints.append(line.text) if line.type == "error" else None)
    tab.on("response", lambda answer: tab.heard.append(answer.url))
    tab.goto(f"{process.url}/")
    assert tab.title() == "tumorscan: log in"
    tab.get_by_label("Your token").fill(token)
    tab.get_by_role("button", name="Log in").click()
    tab.wait_for_selector(".ts-target")
    return tab


def drop(tab, name: str, data: bytes) -> None:
    tab.evaluate(DROP, [name, base64.b64encode(data).decode()])


def test_two_at_once_each_see_their_own_picture(browser, process, pictures):
    ann, bob = logged_in(browser, process, ANN), logged_in(browser, process, BOB)
    drop(ann, "of-ann.png", (pictures / "plain.png").read_bytes())
    drop(bob, "of-bob.jpg", (pictures / "turned.jpg").read_bytes())
    for tab, own, other in ((ann, "of-ann.png", "of-bob.jpg"), (bob, "of-bob.jpg", "of-ann.png")):
        tab.wait_for_selector(".ts-answer[data-verdict]")
        text = tab.content()
        assert own in text
        assert other not in text
        assert not any(other in url for url in tab.heard)
        refused = [one for one in tab.complaints if "Content Security Policy" in one or "Refused to" in one]
        assert not refused, "the page lives with its strict headers"
        assert tab.hosts - {""} == {urlparse(process.url).netloc}, "nobody else is asked"
    for tab in (ann, bob):
        tab.context.close()
