"""What a robustness experiment leaves on disk: report.html, metrics.json, curves.png, examples.png."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tumorscan.data.corrupt import CORRUPTIONS, STRENGTHS
from tumorscan.evaluate import figures
from tumorscan.evaluate.blocks import NAMES, Image
from tumorscan.evaluate.pictures import steps_figure
from tumorscan.evaluate.report import write_metrics, write_report
from tumorscan.evaluate.robustness_blocks import robustness_sections
from tumorscan.read import read_scan
from tumorscan.study.opened import Listed
from tumorscan.study.robustness_result import Robustness, spoilt
from tumorscan.types import Interval, Step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEADLINE_STRENGTH = 3


def write_robustness(result: Robustness, seed: int) -> None:
    """Write everything to the result's folder.

    Raises:
        EnvironmentProblem: something cannot be written.
    """
    folder = result.folder
    write_metrics(folder / "metrics.json", result.to_table())
    example = _example(result, seed)
    names = [curve.name for curve in result.curves if curve.name in CORRUPTIONS]
    levels = [(name, CORRUPTIONS[name].unit, CORRUPTIONS[name].levels) for name in names]
    image = Image(
        figures.to_png(example, dpi=90),
        "One picture under every corruption, a row each, from strength 0 on the left to 5 on the right",
        "What the detector was given, before its preparation.",
        wide=True,
        width=900,
        name="examples",
    )
    withheld = (f"NO AUC: {result.refusal}.",) if result.refusal else ()
    write_report(
        folder / "report.html",
        title=f"Robustness on {result.opened.name}",
        measured=Listed(result.facts),
        sections=robustness_sections(result.curves, levels, image),
        warnings=(*result.opened.warnings, *withheld),
        headline=_headline(result),
    )


def _headline(result: Robustness) -> list[tuple[str, Interval]]:
    points = result.curves[-1].points
    cards = []
    for name in ("sensitivity", "specificity", "roc_auc"):
        for strength, words in ((0, "as they are"), (_HEADLINE_STRENGTH, "mean at strength 3")):
            figure = points[strength].figures[name]
            if not np.isnan(figure.value):
                cards.append((f"{NAMES[name]}, {words}", figure))
    return cards


def _example(result: Robustness, seed: int) -> Figure:
    record = next((one for one in result.records if one.label == "tumor"), result.records[0])
    pixels = read_scan(record.file).pixels
    rows = [
        (
            curve.name,
            [Step(str(s), spoilt(pixels, record, curve.name, s, seed)) for s in range(STRENGTHS + 1)],
        )
        for curve in result.curves
        if curve.name in CORRUPTIONS
    ]
    return steps_figure(rows)
