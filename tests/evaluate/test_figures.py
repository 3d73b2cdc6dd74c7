"""Figures are drawn, hold ink, and leave no trace in matplotlib; odd names do no harm."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from tumorscan.errors import DataError, EnvironmentProblem
from tumorscan.evaluate import figures, pictures
from tumorscan.evaluate.metrics import evaluate
from tumorscan.types import Interval, Step

LABELS = np.repeat([0, 1], [19, 31])
SPREAD = np.clip(0.25 + 0.45 * LABELS + np.random.default_rng(2).normal(0, 0.18, 50), 0, 1)
MADE = evaluate(LABELS, SPREAD, threshold=0.4, resamples=200)
ODD = ["plain.png", "$x_{.jpg", "脳.png", "a" * 300, "new\nline", "\udcff.png"]


def history(epochs: int = 8) -> list[dict[str, object]]:
    return [
        {
            "phase": "frozen" if epoch < 5 else "tuned",
            "epoch": epoch,
            **{f"{side}{name}": 0.5 for side in ("", "val_") for name in ("loss", "accuracy", "auc")},
            "val_auc": None if epoch == 0 else 0.8,
            "rate": 1e-3,
        }
        for epoch in range(epochs)
    ]


def picture(value: int = 90) -> np.ndarray:
    pixels = np.full((40, 40, 3), value, np.uint8)
    pixels[10:20, 10:20] = 220
    return pixels


def shown(name: str = "a.png", *, correct: bool = True) -> pictures.Shown:
    return pictures.Shown(picture(), name, "tumor", "TUMOR DETECTED", 0.91, correct)


def steps(*names: str) -> list[Step]:
    return [Step(name, picture(60 + 40 * place)) for place, name in enumerate(names)]


FIGURES = {
    "confusion": lambda: figures.confusion_figure(MADE.counts),
    "roc": lambda: figures.roc_figure(MADE),
    "precision_recall": lambda: figures.precision_recall_figure(MADE),
    "reliability": lambda: figures.reliability_figure(MADE),
    "risk_coverage": lambda: figures.risk_coverage_figure(MADE),
    "training": lambda: figures.training_figure(history()),
    "intervals": lambda: figures.intervals_figure([("a", MADE.figures["roc_auc"])], "ROC AUC", 0.5),
    "steps": lambda: pictures.steps_figure([(name, steps("framed", "denoised")) for name in ODD]),
    "grid": lambda: pictures.grid_figure(np.stack([picture()] * 11)),
    "gallery": lambda: pictures.gallery_figure([shown(name, correct=len(name) > 9) for name in ODD]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_a_png_with_ink_in_it(name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.save(FIGURES[name](), tmp_path / "deep" / "a.png", dpi=72)
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["a.png"]
    with Image.open(tmp_path / "deep" / "a.png") as opened:
        assert opened.format == "PNG"
        assert min(opened.size) > 90
        assert max(opened.size) < 2000
        grey = np.asarray(opened.convert("L"))
    assert 0.005 < (grey < 200).mean() < 0.98
    # The paper's edge is white: nothing is cut off.
    assert (grey[:2] > 240).all()
    assert (grey[:, -2:] > 240).all()


@pytest.mark.parametrize("labels", [np.ones(12, int), np.zeros(12, int)], ids=["tumors", "others"])
def test_one_class_is_drawn_in_silence(labels):
    found = evaluate(labels, np.linspace(0.1, 0.9, 12), threshold=0.5, resamples=100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for draw in (figures.roc_figure, figures.precision_recall_figure, figures.reliability_figure):
            assert figures.to_png(draw(found), dpi=40).startswith(b"\x89PNG")
        figures.to_png(figures.confusion_figure(found.counts), dpi=40)
    words = [text.get_text() for text in figures.roc_figure(found).axes[0].texts]
    assert words == ["undefined: one class only"]


def test_the_confusion_matrix_shows_counts_and_row_shares():
    words = " ".join(text.get_text() for text in figures.confusion_figure(MADE.counts).axes[0].texts)
    counts = MADE.counts
    assert f"{counts.true_positive} {counts.true_positive / 31:.1%} of 31" in words
    assert f"{counts.false_positive} {counts.false_positive / 19:.1%} of 19" in words


def test_the_operating_point_stands_on_the_roc_curve():
    lines = {line.get_label(): line for line in figures.roc_figure(MADE).axes[0].lines}
    point = lines["operating point, p ≥ 0.4"]
    spot = (point.get_xdata()[0], point.get_ydata()[0])
    assert spot == (1 - MADE.figures["specificity"].value, MADE.figures["sensitivity"].value)
    curve = set(zip(MADE.curves.roc.false_alarms, MADE.curves.roc.sensitivity, strict=True))
    assert any(spot == pytest.approx(other) for other in curve)


def test_the_phases_are_divided_where_they_change():
    panels = figures.training_figure(history()).axes
    assert len(panels) == 3
    for panel in panels:
        assert [line.get_xdata()[0] for line in panel.lines if len(line.get_xdata()) == 2] == [5.5]
        assert [text.get_text() for text in panel.texts] == ["frozen", "tuned"]


def test_an_undefined_row_is_named_but_not_drawn():
    rows = [("all", Interval(0.9, 0.8, 0.95, "m")), ("none", Interval(np.nan, np.nan, np.nan, "m"))]
    axes = figures.intervals_figure(rows, "AUC").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()][1] == "none\nundefined"


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abc", 0, "abc"),
        ("a$b", 0, r"a\$b"),
        ("脳\n", 0, "??"),
        ("abcdefghij", 5, "ab…ij"),
        ("abcdefghij", 10, "abcdefghij"),
    ],
)
def test_names_are_made_drawable(text, width, expected):
    assert figures.plain(text, width) == expected


def test_figures_stay_out_of_pyplot():
    code = (
        "import sys; from tumorscan.evaluate import figures; from tumorscan.evaluate.metrics import Counts;"
        "figures.to_png(figures.confusion_figure(Counts(3, 1, 2, 0)));"
        "sys.exit('matplotlib.pyplot' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    target = tmp_path / "a.png"
    target.mkdir()
    with pytest.raises(EnvironmentProblem, match=r"a\.png: cannot be written \(.*\): free some space"):
        figures.save(FIGURES["grid"](), target)
    assert list(tmp_path.iterdir()) == [target]


def test_png_bytes_are_those_of_the_file(tmp_path):
    figure = FIGURES["grid"]()
    figures.save(figure, tmp_path / "a.png")
    with Image.open(io.BytesIO(figures.to_png(figure))) as one, Image.open(tmp_path / "a.png") as two:
        assert np.array_equal(np.asarray(one), np.asarray(two))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: figures.training_figure([]), "the training history is empty: train for at least one epoch"),
        (lambda: figures.intervals_figure([], "AUC"), "there is no figure to draw"),
        (lambda: pictures.steps_figure([]), "there are no steps to show: prepare with keep_steps=True"),
        (lambda: pictures.steps_figure([("a", [])]), "there are no steps to show"),
        (
            lambda: pictures.steps_figure([("a", steps("x")), ("b", steps("y"))]),
            r"the steps differ: \('x',\) and \('y',\)",
        ),
        (lambda: pictures.grid_figure(np.zeros((0, 8, 8, 3), np.uint8)), r"shape \(0, 8, 8, 3\)"),
        (lambda: pictures.grid_figure(picture()), r"shape \(40, 40, 3\): N x H x W x 3 is needed"),
        (lambda: pictures.gallery_figure([]), "the gallery is empty"),
    ],
)
def test_nothing_to_draw_is_refused(act, message):
    with pytest.raises(DataError, match=message):
        act()
