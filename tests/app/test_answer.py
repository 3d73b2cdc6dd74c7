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

from tumorscan.app.page import texts
from tumorscan.app.page.answer import Answer, answer_html, meaning, refusal_html
from tumorscan.app.page.evidence import MISSING, NOTHING, evidence_of
from tumorscan.app.page.parts import PREVIEW_SIDE, data_uri, point_rows, rate
from tumorscan.app.page.texts.de import DE
from tumorscan.app.page.texts.en import EN
from tumorscan.detect.explain import Explanation
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


SPECIFIC = replace(POINT, name="specific", threshold=0.9, wanted_sensitivity=None, wanted_specificity=0.97)


def block(
    finding: Finding,
    name: str = "head.png",
    steps: int = 3,
    band: UncertainBand | None = None,
    language: str = "en",
    points: tuple[OperatingPoint, ...] = (POINT,),
) -> str:
    pixels = np.zeros((40, 60, 3), np.uint8)
    names = ("framed", "denoised", "contrast")[:steps]
    small = np.zeros((32, 32, 3), np.uint8)
    prepared = Prepared(small, Frame(0, 0, 60, 40, 0, 0, 60, 40, 32), tuple(Step(n, small) for n in names))
    scan = Scan(pixels, name, "PNG", "L", 100, True)
    return answer_html(Answer(scan, prepared, finding, NOTHING, points, band), language)


BAND = UncertainBand(0.4, 0.6, 0.02, 0.02, 0.02, "38 pictures", "Few are called wrongly.")
REFUSED = Finding(
    "head.png",
    Verdict.NOT_BRAIN_MRI,
    None,
    None,
    0.31,
    "screening",
    "m 1",
    reasons=("blank: all of it has one shade",),
)


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


@pytest.mark.parametrize(
    ("probability", "verdict", "band"),
    [
        (0.93, Verdict.TUMOR, None),
        (0.4, Verdict.TUMOR, None),
        (0.02, Verdict.NO_TUMOR, None),
        (0.5, Verdict.CANNOT_SAY, UncertainBand(0.4, 0.6, 0.02, 0.02, 0.02, "38 pictures")),
    ],
)
def test_the_verdict_stands_in_words_with_icon_and_probability(probability, verdict, band):
    html = block(found(probability, verdict), band=band)
    heading = re.search(r"<h2>(.*?)</h2>", html, re.DOTALL).group(1)
    assert "<svg" in heading
    assert str(verdict) in heading
    assert f"Calibrated probability of a tumor {100 * probability:.1f} %" in text_of(html)


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
    rows = dict(point_rows("en", point))
    assert rows["Operating point"] == "Screening, set for a specificity of 97.0 %"
    assert rows["What that promises"] == "It is what was measured."


def test_icons_differ_without_colour():
    icons = {
        re.search(r"<h2>(<svg.*?</svg>)", html, re.DOTALL).group(1)
        for html in (*(block(found(p, Verdict.TUMOR), band=BAND) for p in (0.01, 0.5, 0.99)), block(REFUSED))
    }
    assert len(icons) == 4


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("finding", [found(0.01, Verdict.NO_TUMOR), found(0.99, Verdict.TUMOR), REFUSED])
def test_never_says_normal(finding, language):
    assert "normal" not in text_of(block(finding, band=BAND, language=language)).lower()


def test_both_languages_say_everything_and_neither_says_normal():
    assert EN.keys() == DE.keys()
    braces = {key: [set(re.findall(r"{(\w+)}", table[key])) for table in (EN, DE)] for key in EN}
    assert [key for key, (one, other) in braces.items() if one != other] == []
    assert not [key for table in (EN, DE) for key, text in table.items() if "normal" in text.lower()]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("DE", "de"),
        ("en-US,de;q=0.5", "en"),
        ("fr,de", "en"),
        ("", "en"),
        (None, "en"),
        ("den", "en"),
        (",;,=", "en"),
    ],
)
def test_speaks_the_browsers_language(accepted, language):
    assert texts.language_of(accepted) == language


def test_a_german_answer_leaves_nothing_in_english():
    finding = found(0.4, Verdict.TUMOR, notes=("palette expanded",), milliseconds={"infer": 12.3})
    point = replace(POINT, statement="It is what was measured.", level=0.95)
    html = block(finding, language="de", points=(point,), band=BAND)
    assert 'lang="en"' not in html.replace(f'<span lang="en">{POINT.fitted_on}</span>', "")
    text = text_of(html)
    for part in (
        "KEINE AUSSAGE",
        "Wahrscheinlichkeit eines Tumors 40,0 %",
        "Palette aufgelöst",
        "96,8 %",
    ):
        assert part in text
    unknown = refusal_html(UnreadableScan("a.png", "something that nobody translated"), "de")
    assert '<span lang="en">something that nobody translated</span>' in unknown


def test_every_operating_point_is_there_and_the_first_is_shown():
    html = block(found(0.5, Verdict.TUMOR), points=(POINT, SPECIFIC))
    sections = re.findall(r'<section class="ts-verdict.*?</section>', html, re.DOTALL)
    assert [text_of(one).split(" Calibrated")[0] for one in sections] == ["TUMOR DETECTED", "NO TUMOR"]
    assert [" hidden" in re.sub(r"\s+", " ", one.partition(">")[0]) for one in sections] == [False, True]


def test_evidence_is_off_and_lies_where_it_was_found():
    scan = Scan(np.zeros((100, 200, 3), np.uint8), "a", "PNG", "L", 1, True)
    frame = Frame(0, 0, 200, 100, 0, 50, 200, 200, 64)
    cells = np.zeros((4, 4), np.float32)
    cells[1, 3] = 1.0  # right, and above the middle
    evidence = evidence_of(scan, Explanation(cells, (175, 25), None, full=1.0), frame)
    places = np.array(re.findall(r"([\d.-]+) ([\d.-]+)", evidence.outline), float)
    assert places[:, 0].min() > 140
    assert places[:, 1].max() < 60
    finding = found(0.9, Verdict.TUMOR)
    prepared = Prepared(np.zeros((32, 32, 3), np.uint8), frame)
    html = answer_html(Answer(scan, prepared, finding, evidence, (POINT,)))
    assert len(re.findall(r'data-layer="\w+" hidden', html)) == 2
    assert re.search(r'value="off" checked', html)
    for none, said in ((MISSING, "cannot show"), (NOTHING, "Nothing in the picture")):
        assert said in answer_html(Answer(scan, prepared, finding, none, (POINT,)))


def test_a_refused_picture_shows_its_reasons_and_no_probability():
    text = text_of(block(REFUSED))
    assert "Gate: refused" in text
    assert "blank: all of it has one shade" in text
    assert "%" not in text.partition("What was done")[0].replace("--cut:50%", "")
    assert "leer: alles hat denselben Grauwert" in text_of(block(REFUSED, language="de"))


def test_says_what_the_threshold_was_measured_to_do():
    text = text_of(
        block(found(0.4, Verdict.TUMOR, notes=("palette expanded",), milliseconds={"infer": 12.3}))
    )
    for part in (
        "Screening, set for a sensitivity of 97.0 %",
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
    said = {p: meaning(found(p, v), v, POINT, None) for p, v in ((0.4, Verdict.TUMOR), (0.6, Verdict.TUMOR))}
    assert "less likely than not" in said[0.4]
    assert "less likely than not" not in said[0.6]
    none = Verdict.NO_TUMOR
    assert "does not mean a healthy brain" in meaning(found(0.1, none), none, POINT, None)


def test_an_undefined_rate_is_not_a_number():
    assert rate("en", Interval(math.nan, math.nan, math.nan, "exact binomial")) == "not measured"


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_shows_as_many_steps_as_there_are(steps):
    html = block(found(0.4, Verdict.TUMOR), steps=steps)
    assert html.count("The picture after step") == steps
    assert html.count("<img ") == steps + 3  # the picture, before and after
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


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("is empty (0 bytes): copy it again from its source", "ist leer (0 Byte)"),
        ("got no answer: 128 pictures are waiting: try again in 3 s", "es warten schon 128 Bilder"),
        ("no head: 3 of 4 slices are refused (blank 3)", "kein Kopf: 3 von 4"),
        ("3 of 24 slices refused and left out", "3 von 24 Schichten abgelehnt"),
        ("16 bit windowed from 7..900 to 0..255", "Fenster von 7..900"),
    ],
)
def test_what_comes_from_below_is_said_in_german(english, german):
    assert german in texts.below("de", english)
    assert texts.below("en", english) == english


@pytest.mark.parametrize(
    ("p", "shown", "count"),
    [(1.0, "over 99.9 %", "nearly all"), (0.0, "under 0.1 %", "nearly none"), (0.42, "42.0 %", "about 42")],
)
def test_no_probability_is_said_to_be_certain(p, shown, count):
    text = text_of(block(found(p, Verdict.TUMOR)))
    assert f"Calibrated probability of a tumor {shown}" in text
    assert f"{count} show a tumor" in text


def test_the_kind_is_a_hint_with_the_verdict_tumor_alone():
    finding = found(
        0.95, Verdict.TUMOR, tumor_type={"glioma": 0.8, "other <b>": 0.2}, tumor_type_told="glioma"
    )
    html = block(finding, points=(POINT, replace(SPECIFIC, threshold=0.99)))
    tumor, none = re.findall(r'<section class="ts-verdict.*?</section>', html, re.DOTALL)
    assert "Hint at the kind: glioma (glioma 80 %, other &lt;b&gt; 20 %)" in text_of(tumor)
    assert "Hint" not in none
    unsure = block(replace(finding, tumor_type_told="not sure"), language="de")
    assert "Hinweis auf die Art: nicht sicher (Gliom 80 %" in text_of(unsure)
