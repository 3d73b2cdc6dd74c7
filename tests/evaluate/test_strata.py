from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.evaluate import strata_blocks
from tumorscan.evaluate.intervals import exact_binomial
from tumorscan.evaluate.strata import MIXING, SIDES, Stratum, measure, patient_rows, pooling_refusal

RNG = np.random.default_rng(5)
TRUTH = np.array([1, 0] * 20)
SCORES = np.clip(0.3 * TRUTH + RNG.uniform(0, 0.7, 40), 0, 1)
UNITS = [f"p{i // 4}" for i in range(40)]


def _measure(sources: list[str], truth: np.ndarray = TRUTH, **more: object) -> Stratum:
    return measure(
        "all", truth, SCORES, sources, UNITS, threshold=0.5, unit="patients", resamples=200, **more
    )


@pytest.mark.parametrize(
    ("labels", "sources", "refusal"),
    [
        ([1, 0, 1, 0], "aabb", ""),
        ([1, 1, 1], "aab", "only tumors here"),
        ([0, 0], "ab", "no tumor here"),
        (
            [1, 1, 0, 0],
            "aabb",
            "source a holds tumors only; source b holds no tumor: a figure over both classes",
        ),
        ([1, 0, 0], "aab", "source b holds no tumor: a figure"),
    ],
)
def test_when_classes_may_not_be_mixed(labels: list[int], sources: str, refusal: str) -> None:
    found = pooling_refusal(labels, list(sources))
    assert found.startswith(refusal)
    assert bool(found) == bool(refusal)


def test_positives_of_one_source_and_negatives_of_another_get_no_auc() -> None:
    sources = ["hospital" if label else "volunteers" for label in TRUTH]
    refused = _measure(sources)
    assert refused.evaluation is None, "its curves would be pooled as well"
    assert all(np.isnan(refused.figures[name].value) for name in MIXING)
    assert "source hospital holds tumors only" in refused.figures["roc_auc"].method
    assert not any(np.isnan(refused.figures[name].value) for name in SIDES)
    text = strata_blocks.stratum_section(refused).blocks
    assert len(text) == 1
    assert "would tell the sources apart" in text[0].text
    forced = _measure(sources, force=True)
    assert forced.evaluation is not None
    assert np.isfinite(forced.figures["roc_auc"].value)


@pytest.mark.parametrize(
    ("label", "side", "reason"), [(1, "sensitivity", "only tumors"), (0, "specificity", "no tumor")]
)
@pytest.mark.parametrize("force", [False, True])
def test_one_class_has_one_side(label: int, side: str, reason: str, force: bool) -> None:
    found = _measure(["a"] * 40, np.full(40, label), force=force)
    assert np.isfinite(found.figures[side].value)
    assert found.refusal.startswith(reason)
    assert found.figures["roc_auc"].method.startswith(f"withheld: {reason}")
    images = strata_blocks.stratum_section(found, "a_").blocks[-1].images
    assert [image.name for image in images] == ["a_confusion", "a_risk_coverage"]
    assert np.isnan(found.evaluation.figures["brier"].value)


def test_bootstrap_over_patients_with_the_exact_interval_beside_it() -> None:
    found = _measure(["a"] * 40)
    assert (found.n, found.tumors, found.units, found.unit) == (40, 20, 10, "patients")
    hits = int(((SCORES >= 0.5) & (TRUTH == 1)).sum())
    assert found.exact["sensitivity"] == exact_binomial(hits, 20)
    assert found.figures["sensitivity"].value == hits / 20
    assert found.figures["sensitivity"].method == "bootstrap over patients"
    assert found.figures["roc_auc"] == found.evaluation.figures["roc_auc"]
    table = json.loads(json.dumps(found.to_table(), allow_nan=False))
    assert table["patients"] == 10
    assert table["withheld"] == ""


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=25)
)
def test_figures_over_both_classes_stand_only_where_every_source_has_both(
    rows: list[tuple[str, int, float]],
) -> None:
    sources, truth, scores = (list(column) for column in zip(*rows, strict=True))
    found = measure(
        "s", truth, scores, sources, list(range(len(rows))), threshold=0.5, unit="groups", resamples=100
    )
    both = all(
        {t for s, t in zip(sources, truth, strict=True) if s == name} == {0, 1} for name in set(sources)
    )
    assert (found.refusal == "") == both
    assert np.isfinite(found.figures["roc_auc"].value) == both
    assert np.isfinite(found.figures["brier"].value) == both
    assert np.isfinite(found.figures["sensitivity"].value) == (1 in truth)
    shown = strata_blocks.strata_section("By part", [found]).blocks
    assert any("withheld" in getattr(block, "text", "") for block in shown) != both


def test_patients() -> None:
    rows = patient_rows([1, 0, 1, 1], [0.9, 0.1, 0.2, 0.8], ["b", "b", "a", ""], threshold=0.5)
    assert [(row.name, row.n, row.tumors) for row in rows] == [("a", 1, 1), ("b", 2, 1)]
    assert (rows[0].sensitivity.value, rows[1].sensitivity.value, rows[1].specificity.value) == (0, 1, 1)
    assert rows[1].roc_auc == 1
    assert rows[0].to_table()["roc_auc"] is None
    cells = strata_blocks.patients_section(rows).blocks[0].rows[0]
    assert cells[-1] == "undefined: one class"
