"""Figures over the strength of a corruption."""

from __future__ import annotations

import numpy as np
import pytest

from tumorscan.errors import DataError
from tumorscan.evaluate.blocks import Section
from tumorscan.evaluate.robustness import MEAN, Curve, curves
from tumorscan.evaluate.robustness_blocks import curves_figure, robustness_sections

LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0])
UNITS = list("aabbccdd")
CLEAN = [0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.6]
SPOILT = [0.9, 0.4, 0.7, 0.4, 0.4, 0.3, 0.2, 0.1]


def found(**more: object) -> dict[str, Curve]:
    tables = {"blur": [CLEAN, SPOILT], "shift": [CLEAN, CLEAN]}
    told = curves(LABELS, tables, UNITS, threshold=0.5, resamples=200, **more)  # type: ignore[arg-type]  # passed on
    return {one.name: one for one in told}


def test_figures_are_those_of_each_strength() -> None:
    blur = found()["blur"]
    assert [point.figures["sensitivity"].value for point in blur.points] == [1.0, 0.5]
    assert [point.figures["specificity"].value for point in blur.points] == [0.75, 1.0]
    assert blur.points[0].figures["roc_auc"].value == pytest.approx(15.5 / 16)
    exact = blur.points[1].exact["sensitivity"]
    assert (exact.value, exact.method) == (0.5, "exact binomial")
    assert exact.low < 0.1
    assert exact.high > 0.9


def test_changes_are_paired() -> None:
    told = found()
    assert told["blur"].points[1].changes["sensitivity"].value == -0.5
    assert told["shift"].points[1].changes["sensitivity"].value == 0
    # Untouched pictures differ by nothing on every draw, so there is no spread to give.
    assert "all resamples agree" in told["shift"].points[1].changes["sensitivity"].method


def test_the_mean_is_over_the_corruptions() -> None:
    mean = found()[MEAN].points[1]
    assert mean.figures["sensitivity"].value == 0.75
    assert mean.changes["sensitivity"].value == -0.25
    assert mean.exact == {}


def test_a_withheld_auc_says_why() -> None:
    point = found(refusal="source a holds no tumor")["blur"].points[0]
    assert np.isnan(point.figures["roc_auc"].value)
    assert point.figures["roc_auc"].method == "withheld: source a holds no tumor"
    assert not np.isnan(point.figures["sensitivity"].value)


def test_tables_hold_every_strength() -> None:
    row = found()["blur"].to_table()
    assert [one["strength"] for one in row] == [0, 1]
    assert set(row[0]) == {"strength", "figures", "exact", "changes"}


def test_the_report_has_a_panel_and_a_row_for_each() -> None:
    told = list(found().values())
    panels = [axes.get_title(loc="left") for axes in curves_figure(told).axes if axes.axison]
    assert panels == ["blur", "shift", MEAN]
    sections = robustness_sections(told, [("blur", "sigma", (1.0,)), ("shift", "share", (0.1,))], None)
    assert [one.title for one in sections] == ["Curves", "Figures", "Corruptions"]
    assert all(isinstance(one, Section) and one.blocks for one in sections)


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({}, "no corruptions"),
        ({"blur": [CLEAN], "shift": [CLEAN, CLEAN]}, "different strengths"),
        ({"blur": CLEAN}, "strengths x pictures"),
        ({"blur": [CLEAN[:3]]}, "shape"),
        ({"blur": [[2.0, *CLEAN[1:]]]}, r"must lie in 0\.\.1"),
    ],
)
def test_refusals(tables: dict[str, object], says: str) -> None:
    with pytest.raises(DataError, match=says):
        curves(LABELS, tables, UNITS, threshold=0.5)  # type: ignore[arg-type]  # wrong on purpose
