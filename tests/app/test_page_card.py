"""The card on the page: the bundle's figures, and plainly what it has none of."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from tumorscan.app.page import texts
from tumorscan.app.page.card import card_html, forest
from tumorscan.config import SHIPPED, preset
from tumorscan.jsonable import plain_interval
from tumorscan.model.bundle import Manifest, read_bundle
from tumorscan.types import Interval


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


@pytest.fixture(scope="module")
def shipped() -> Manifest:
    return read_bundle(SHIPPED).manifest


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_figure_of_the_shipped_bundle_is_shown(shipped, language):
    text = text_of(card_html(shipped, language))
    for point in shipped.operating_points:
        assert texts.percent(language, point.sensitivity.value) in text
        assert texts.percent(language, point.specificity.low).removesuffix(" %") in text
    for key, sets in shipped.metrics.items():
        for source in sets["sources"].values():
            # Of a source with one class only a share is known.
            values = {
                name: source["figures"][name]["value"]
                for name in ("sensitivity", "specificity", "roc_auc", "ece")
            }
            assert any(value is not None for value in values.values())
            for name, value in values.items():
                share = name in {"sensitivity", "specificity"}
                if value is not None:
                    shown = texts.percent(language, value) if share else texts.number(language, value, 3)
                    assert shown in text
            assert key.partition("sha256:")[2] in text
    assert "normal" not in text.lower()


def test_a_german_card_has_no_english_left(shipped):
    assert 'lang="en"' not in card_html(shipped, "de")


def test_a_bare_bundle_says_what_is_missing():
    bare = Manifest("bare", "1", "2026-01-01", "0", preset("quick"))
    text = text_of(card_html(bare))
    for part in (
        "holds no external test",
        "holds no figure of its own test split",
        "Cross-validation",
        "Reliability curve",
        "Risk and coverage",
        "Worst errors",
        "Leak experiment",
        "Controls",
    ):
        assert part in text


def test_its_own_test_is_shown_with_the_looks(shipped):
    figures = {"roc_auc": plain_interval(Interval(0.91, 0.85, 0.95, "bootstrap over groups"))}
    text = text_of(card_html(replace(shipped, metrics={"test": figures, "controls": {}}, looks={"test": 3})))
    assert "ROC AUC 0.910 (0.850 to 0.950)" in text
    assert "Looked at so often: 3" in text
    assert "metadata and the rim" not in text


def test_figures_that_were_never_measured_are_no_numbers():
    nan = Interval(float("nan"), float("nan"), float("nan"), "none")
    drawn = forest("en", [("<b>a set</b>", nan, Interval(0.5, 0.2, 0.8, "exact binomial"))])
    assert "nan" not in drawn
    assert "<b>" not in drawn
    assert drawn.count("<circle") == 1


def test_curves_are_drawn_where_the_bundle_holds_them(shipped):
    from tumorscan.evaluate.curves import short_table
    from tumorscan.evaluate.metrics import evaluate

    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 400)
    probabilities = np.clip(0.5 + 0.4 * (labels - 0.5) + rng.normal(0, 0.2, 400), 0, 1)
    curves = short_table(evaluate(labels, probabilities, threshold=0.5, resamples=100).curves)
    assert len(curves["risk_coverage"]) <= 50
    assert curves["risk_coverage"][-1][0] == 1.0
    html = card_html(replace(shipped, metrics={"curves": json.loads(json.dumps(curves))}))
    assert html.count("<circle cx") >= len(curves["reliability"])
    assert "Reliability curve" not in html
    assert "nan" not in html
    for row in curves["reliability"]:
        assert f"{100 * row['probability']:.1f} %" in html
    assert "Zuverlässigkeitskurve" not in card_html(replace(shipped, metrics={"curves": curves}), "de")
