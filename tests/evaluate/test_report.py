"""The report holds everything, loads nothing and cannot be broken by a name."""

from __future__ import annotations

import base64
import csv
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

import tumorscan
from tumorscan.errors import DataError, EnvironmentProblem
from tumorscan.evaluate import blocks, report
from tumorscan.evaluate.metrics import evaluate
from tumorscan.evaluate.pictures import Shown
from tumorscan.types import Interval, OperatingPoint, Verdict

BAD_NAME = '<script>alert(1)</script> & "it\'s".png'
LABELS = np.repeat([0, 1], [19, 31])
SPREAD = np.clip(0.25 + 0.45 * LABELS + np.random.default_rng(2).normal(0, 0.18, 50), 0, 1)
POINT = OperatingPoint(
    name="screening",
    threshold=0.4,
    wanted_sensitivity=0.97,
    sensitivity=Interval(1.0, 0.85, 1.0, "exact binomial"),
    specificity=Interval(0.7, 0.45, 0.9, "exact binomial"),
    fitted_on="calibration part of kaggle253, 38 pictures",
)
MEASURED = report.Measured(
    data="kaggle253",
    split="test",
    sizes={"train": 114, "validation": 34, "calibration": 35, "test": 50},
    groups=44,
    seed=17,
    bundle="original 0.1.0",
    operating_point=POINT,
    more=(("Preparation", "NLM and CLAHE"),),
)
HISTORY = [
    {"phase": phase, "epoch": 0, "loss": 0.4, "accuracy": 0.8, "auc": 0.9, "val_loss": 0.5, "val_auc": 0.7}
    for phase in ("frozen", "tuned")
]


class Page(HTMLParser):
    """Tags with attributes, and the text outside of the style."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "title"):
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    found = evaluate(LABELS, SPREAD, threshold=0.4, resamples=200)
    pixels = np.full((24, 24, 3), 80, np.uint8)
    sections = [
        *blocks.evaluation_sections(found),
        blocks.training_section(HISTORY),
        blocks.Section(
            "By source",
            (blocks.interval_table("Sensitivity", ["source", "it"], {BAD_NAME: [POINT.sensitivity]}),),
        ),
        blocks.Section(
            BAD_NAME, (blocks.Text(BAD_NAME), blocks.Gallery((shown(pixels),), "The worst first."))
        ),
    ]
    path = tmp_path_factory.mktemp("report") / "report.html"
    report.write_report(
        path,
        title=f"Test of {BAD_NAME}",
        measured=MEASURED,
        sections=sections,
        warnings=["LEAK: 3 test pictures stand in training"],
        headline=[("Sensitivity", found.figures["sensitivity"]), ("ROC AUC", found.figures["roc_auc"])],
    )
    return found, path.read_text(encoding="utf-8")


def test_an_image_with_a_name_is_a_file_too(tmp_path):
    images = (blocks.Image(b"drawn", "a curve", name="roc"), blocks.Image(b"other", "another"))
    sections = [blocks.Section("Curves", (blocks.Text("Two."), blocks.Images(images)))]
    report.write_report(tmp_path / "report.html", title="t", measured=MEASURED, sections=sections)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "roc.png"]
    assert (tmp_path / "roc.png").read_bytes() == b"drawn"
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("data:image/png") == 2


def shown(pixels):
    return Shown(pixels, BAD_NAME, "tumor", Verdict.NO_TUMOR, 0.123, correct=False)


def test_the_page_is_well_formed_and_says_what_was_measured(written):
    found, source = written
    page = Page(source)
    assert page.open == []
    assert page.text.startswith("LEAK: 3 test pictures stand in training Test of")
    for words in [
        "not a medical device",
        "kaggle253",
        "test: 50 pictures, 44 groups",
        "train 114, validation 34, calibration 35, test 50",
        "Seed 17",
        "original 0.1.0",
        "screening: a tumor is said at 0.4 or more, fitted for a sensitivity of 97.0 %",
        "calibration part of kaggle253, 38 pictures; there sensitivity 1.000 (0.850 to 1.000)",
        "NLM and CLAHE",
        "p = 0.123, truth: tumor",
        "wrong : NO TUMOR",
        f"Made by tumorscan {tumorscan.__version__}",
    ]:
        assert words in page.text, words
    for name, figure in found.figures.items():
        row = f"{blocks.NAMES[name]} {figure.value:.3f} {figure.low:.3f} to {figure.high:.3f}"
        assert row in page.text, name
    assert f"{found.counts.true_positive} of 31 exact binomial" in page.text


def test_the_page_loads_nothing(written):
    _, source = written
    page = Page(source)
    assert not re.search(
        r"https?:|//[a-z]|@import|url\(", re.sub(r"data:image/png;base64,[\w+/=]+", "", source)
    )
    assert not {tag for tag, _ in page.tags} & {
        "script",
        "link",
        "iframe",
        "object",
        "embed",
        "video",
        "base",
    }
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert {attributes["href"][0] for attributes in page.all("a")} == {"#"}
    places = {attributes.get("id") for _, attributes in page.tags}
    assert all(attributes["href"][1:] in places for attributes in page.all("a"))


def test_every_picture_is_inside_and_has_words(written):
    images = Page(written[1]).all("img")
    assert len(images) == 7
    for image in images:
        assert image["alt"].strip()
        head, _, body = image["src"].partition(",")
        assert head == "data:image/png;base64"
        assert base64.b64decode(body).startswith(b"\x89PNG")
    assert any("Confusion matrix: " in image["alt"] for image in images)


def test_names_are_text_and_never_markup(written):
    _, source = written
    page = Page(source)
    assert "<script" not in source.lower()
    assert page.text.count("<script>alert(1)</script>") >= 4
    assert any(BAD_NAME in (image["alt"] or "") for image in page.all("img"))


def test_the_page_fits_phones_and_both_lights(written):
    _, source = written
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in source
    assert "@media (prefers-color-scheme: dark)" in source
    assert "@media (max-width: 40rem)" in source


def test_undefined_figures_are_said_to_be(tmp_path):
    found = evaluate([1] * 12, np.linspace(0.2, 0.9, 12), threshold=0.5, resamples=100)
    report.write_report(
        tmp_path / "r.html",
        title="one class",
        measured=MEASURED,
        sections=blocks.evaluation_sections(found),
        headline=[(name, figure) for name, figure in found.figures.items()],
    )
    text = Page((tmp_path / "r.html").read_text()).text
    assert not re.search(r"\bnan\b", text)
    assert "Specificity undefined undefined 0 of 0 exact binomial: undefined here" in text
    assert "all resamples agree" in text
    assert 'role="alert"' not in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize(
    ("figure", "reach_only", "expected"),
    [
        (Interval(0.968, 0.833, 0.9992, "m"), False, "0.968 (0.833 to 0.999)"),
        (Interval(0.968, 0.833, 0.9992, "m"), True, "0.833 to 0.999"),
        (Interval(-0.08, -0.28, 0.13, "m"), False, "−0.080 (−0.280 to 0.130)"),
        (Interval(1.0, np.nan, np.nan, "m"), False, "1.000 (no interval)"),
        (Interval(np.nan, np.nan, np.nan, "m"), True, "undefined"),
    ],
)
def test_intervals_in_words(figure, reach_only, expected):
    assert blocks.in_words(figure, reach_only=reach_only) == expected


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: blocks.Image(b"", " "), "an image of the report has no alt text"),
        (lambda: blocks.Table(("a", "b"), (("1",),)), r"table row \('1',\) has 1 cells: the head has 2"),
    ],
)
def test_incomplete_blocks_are_refused(act, message):
    with pytest.raises(DataError, match=message):
        act()


@pytest.mark.parametrize(
    "write",
    [
        lambda path: report.write_report(path, title="t", measured=MEASURED, sections=[]),
        lambda path: report.write_metrics(path, {"a": 1}),
        lambda path: report.write_predictions(path, []),
    ],
    ids=["report", "metrics", "predictions"],
)
def test_an_unwritable_place_is_named(write, tmp_path):
    (tmp_path / "file").write_text("here first")
    with pytest.raises(EnvironmentProblem, match=r"file/out: cannot be written"):
        write(tmp_path / "file" / "out")
    assert (tmp_path / "file").read_text() == "here first"


def test_predictions_come_back_as_they_went(tmp_path):
    rows = [
        report.Prediction('a, "b".png', "tumor", "g1", 0.1 + 0.2, Verdict.TUMOR, correct=True),
        report.Prediction("new\nline.png", "no_tumor", "g2", np.float32(0.5), Verdict.NO_TUMOR, correct=True),
        report.Prediction("bad\udcff.png", "tumor", "", 1e-9, Verdict.NO_TUMOR, correct=False),
    ]
    report.write_predictions(tmp_path / "p.csv", rows)
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert list(found[0]) == ["file", "label", "group", "probability", "verdict", "correct"]
    assert [row["file"] for row in found] == ['a, "b".png', "new\nline.png", r"bad\udcff.png"]
    assert [float(row["probability"]) for row in found] == [0.1 + 0.2, 0.5, 1e-9]
    assert [row["correct"] for row in found] == ["true", "true", "false"]
    assert found[0]["verdict"] == "TUMOR DETECTED"


def test_metrics_come_back_as_they_went(tmp_path):
    table = evaluate(LABELS, SPREAD, threshold=0.4, resamples=100).to_table() | {"data": "脳"}
    report.write_metrics(tmp_path / "metrics.json", table)
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="ascii")) == table
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(("width", "light"), [(390, "light"), (1200, "dark")])
def test_a_browser_shows_the_page_without_a_network(written, tmp_path, width, light):
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on the path")
    (tmp_path / "report.html").write_text(written[1], encoding="utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=light)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.partition(":")[0]))
        page.goto((tmp_path / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        assert set(asked) <= {"file", "data"}
        browser.close()
