"""An answer in words: what is said, what is never said, and that no name can act."""

from __future__ import annotations

import base64
import math
import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tumorscan.app.answer import (
    PREVIEW_SIDE,
    Answer,
    answer_html,
    data_uri,
    meaning,
    point_rows,
    rate,
    refusal_html,
)
from tumorscan.errors import UnreadableScan
from tumorscan.types import (
    Finding,
    Frame,
    Interval,
    OperatingPoint,
    Prepared,
    Scan,
    Step,
    UncertainBand,
    Verdict,
)

POINT = OperatingPoint(
    "screening",
    0.31,
    0.97,
    Interval(0.968, 0.833, 0.999, "exact binomial"),
    Interval(0.79, 0.544, 0.94, "exact binomial"),
    "calibration split, 38 pictures",
)


def found(probability: float, verdict: Verdict, **more: object) -> Finding:
    confidence = 100 * (probability if verdict is Verdict.TUMOR else 1 - probability)
    values = {"file": "head.png", "threshold": 0.31, "operating_point": "screening", "model": "m 1", **more}
    return Finding(verdict=verdict, probability=probability, confidence=confidence, **values)


def block(finding: Finding, name: str = "head.png", steps: int = 3, band: UncertainBand | None = None) -> str:
    pixels = np.zeros((40, 60, 3), np.uint8)
    names = ("framed", "denoised", "contrast")[:steps]
    small = np.zeros((32, 32, 3), np.uint8)
    prepared = Prepared(small, Frame(0, 0, 60, 40, 0, 0, 60, 40, 32), tuple(Step(n, small) for n in names))
    return answer_html(Answer(Scan(pixels, name, "PNG", "L", 100, True), prepared, finding), POINT, band)


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


@pytest.mark.parametrize(
    ("probability", "verdict"),
    [(0.93, Verdict.TUMOR), (0.4, Verdict.TUMOR), (0.02, Verdict.NO_TUMOR), (0.5, Verdict.CANNOT_SAY)],
)
def test_the_verdict_stands_in_words_with_icon_and_confidence(probability, verdict):
    html = block(found(probability, verdict))
    heading = re.search(r"<h2>(.*?)</h2>", html, re.DOTALL).group(1)
    assert "<svg" in heading
    assert str(verdict) in heading
    finding = found(probability, verdict)
    said = "No verdict" if verdict is Verdict.CANNOT_SAY else f"{finding.confidence:.1f} % confidence"
    assert said in text_of(html)
    assert f"tumor {100 * probability:.1f} %" in text_of(html)


def test_cannot_say_asks_for_a_person_and_shows_where_nothing_is_said():
    band = UncertainBand(0.4, 0.6, 0.02, 0.02, 0.02, "38 pictures", "Few are called wrongly.")
    html = block(found(0.5, Verdict.CANNOT_SAY), band=band)
    text = text_of(html)
    assert "CANNOT SAY - please review" in text
    assert "too near the border" in text
    assert "from a probability of 31.0 % to 60.0 %. Few are called wrongly." in text
    assert 'class="ts-band" style="left:31.00%;width:29.00%"' in html
    assert "ts-band" not in block(found(0.5, Verdict.TUMOR))


def test_a_point_says_what_it_is_set_for_and_promises():
    point = replace(
        POINT, wanted_sensitivity=None, wanted_specificity=0.97, statement="It is what was measured."
    )
    rows = dict(point_rows(point))
    assert rows["Operating point"] == "screening, set for a specificity of 97.0 %"
    assert rows["What that promises"] == "It is what was measured."


def test_icons_differ_without_colour():
    icons = {
        re.search(r"<h2>(<svg.*?</svg>)", block(found(0.5, verdict)), re.DOTALL).group(1)
        for verdict in (Verdict.TUMOR, Verdict.NO_TUMOR, Verdict.CANNOT_SAY)
    }
    assert len(icons) == 3


@pytest.mark.parametrize("verdict", list(Verdict))
def test_never_says_normal(verdict):
    assert "normal" not in block(found(0.2, verdict)).lower()


def test_says_what_the_threshold_was_measured_to_do():
    text = text_of(
        block(found(0.4, Verdict.TUMOR, notes=("palette expanded",), milliseconds={"infer": 12.3}))
    )
    for part in (
        "screening, set for a sensitivity of 97.0 %",
        "from a probability of 31.0 %",
        "96.8 % (95 % interval 83.3 to 99.9 %, exact binomial)",
        "79.0 % (95 % interval 54.4 to 94.0 %, exact binomial)",
        "calibration split, 38 pictures",
        "palette expanded",
        "infer 12 ms",
        "m 1",
    ):
        assert part in text


def test_a_tumor_below_one_half_is_explained():
    assert "less likely than not" in meaning(found(0.4, Verdict.TUMOR))
    assert "less likely than not" not in meaning(found(0.6, Verdict.TUMOR))
    assert "does not mean a healthy brain" in meaning(found(0.1, Verdict.NO_TUMOR))


def test_an_undefined_rate_is_not_a_number():
    assert rate(Interval(math.nan, math.nan, math.nan, "exact binomial")) == "not measured"


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_shows_as_many_steps_as_there_are(steps):
    html = block(found(0.4, Verdict.TUMOR), steps=steps)
    assert html.count("The picture after step") == steps
    assert html.count("<img ") == steps + 1
    assert all("alt=" in image for image in re.findall(r"<img [^>]*>", html))


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>.png", '"><script>alert(1)</script>', "a&b"])
def test_a_name_is_text_and_nothing_else(name):
    for html in (block(found(0.4, Verdict.TUMOR), name), refusal_html(UnreadableScan(name, "is text"))):
        assert name not in html
        assert "<script" not in html
        assert "onerror=alert(1)>" not in html


def test_a_large_picture_is_made_smaller_for_the_page_only():
    pixels = np.random.default_rng(1).integers(0, 256, (300, 2000, 3), dtype=np.uint8)
    uri = data_uri(pixels)
    shown = Image.open(BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert max(shown.size) == PREVIEW_SIDE


def test_a_picture_comes_back_as_it_was(rng):
    pixels = rng.integers(0, 256, (30, 20, 3), dtype=np.uint8)
    grey = np.repeat(pixels[..., :1], 3, axis=2)
    for picture in (pixels, grey):
        image = Image.open(BytesIO(base64.b64decode(data_uri(picture).partition(",")[2])))
        assert np.array_equal(np.asarray(image.convert("RGB")), picture)
