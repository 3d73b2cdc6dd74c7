"""Two ways on one picture: by settings and by bundles, each with the command line's answer."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from handed_in import PICTURES

from tumorscan.app.desk import Desk
from tumorscan.app.inbox import Inbox
from tumorscan.app.page.compare import compared, way_of
from tumorscan.config import ContrastSettings, DenoiseSettings
from tumorscan.prepare.pipeline import prepare
from tumorscan.read import read_bytes


@pytest.fixture(scope="module")
def inbox():
    inbox = Inbox()
    yield inbox
    inbox.close()


def sent(inbox: Inbox, data: bytes, options: dict | None = None) -> dict:
    folder = inbox.folder / "an-upload"
    folder.mkdir(exist_ok=True)
    (folder / "picture").write_bytes(data)
    return {"name": "head.png", "path": str(folder / "picture"), "options": options or {}}


def shares(html: str) -> list[float]:
    return [float(one) for one in re.findall(r'data-probability="([\d.e-]+)"', html)]


@pytest.mark.parametrize(
    ("denoise", "contrast"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_each_side_is_prepared_as_chosen(tiny_detector, inbox, denoise, contrast):
    desk, data = Desk(tiny_detector, inbox), PICTURES["plain.png"]()
    html = compared(
        desk, sent(inbox, data, {"left_denoise": False, "right_denoise": denoise, "right_contrast": contrast})
    )
    own = tiny_detector.bundle.manifest.settings.prepare
    fast = own.denoise if own.denoise.method != "off" else replace(own.denoise, method="fast")
    settings = replace(
        own,
        denoise=fast if denoise else DenoiseSettings(method="off"),
        contrast=ContrastSettings(method="clahe" if contrast else "off"),
    )
    scan = read_bytes(data, "head.png")
    expected = tiny_detector.decide(scan, prepare(scan, settings)).probability
    assert shares(html)[1] == pytest.approx(expected, abs=1e-9)
    assert [
        one for one in inbox.folder.rglob("*") if one.is_file() and inbox.examples not in one.parents
    ] == []


def test_what_is_not_chosen_is_as_the_bundle_was_fitted(tiny_detector, inbox):
    desk = Desk(tiny_detector, inbox)
    for options in ({}, {"left_bundle": "1"}, {"left_denoise": None}):
        way = way_of(desk, "left", options)
        assert way.detector is tiny_detector
        assert way.fitted
    own = tiny_detector.bundle.manifest.settings.prepare.denoise.method != "off"
    assert not way_of(desk, "left", {"left_denoise": not own}).fitted


def test_two_bundles_stand_side_by_side(tiny_detector, inbox):
    class Other:
        """The same detector under another name."""

        model = "another <b>2</b>"

        def __getattr__(self, name):
            return getattr(tiny_detector, name)

    html = compared(
        Desk(tiny_detector, inbox, other=Other()),
        sent(inbox, PICTURES["plain.png"](), {"left_bundle": "0", "right_bundle": "1"}),
    )
    assert tiny_detector.model in html
    assert "another &lt;b&gt;2&lt;/b&gt;" in html
    left, right = shares(html)
    assert left == right
    assert "Both say the same" in html


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_wrong_file_gets_its_cause(tiny_detector, inbox, language):
    html = compared(Desk(tiny_detector, inbox), sent(inbox, b"Dear colleague, " * 9), language)
    assert ("is text" if language == "en" else "ist Text") in html
    assert "ts-refusal" in html


@pytest.mark.parametrize("odd", [None, "x", {"options": 3}, {"options": {"left_bundle": ["1"]}, "path": {}}])
def test_nothing_that_is_sent_confuses_it(tiny_detector, inbox, odd):
    assert "is no upload of this page" in compared(Desk(tiny_detector, inbox), odd)
