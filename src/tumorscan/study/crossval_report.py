"""Figures, metrics.json and report.html of a cross-validation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tumorscan.config import Settings
from tumorscan.evaluate import figures, weighted
from tumorscan.evaluate.blocks import NAMES, Image, Images, Section, Table, in_words
from tumorscan.evaluate.controls import Controls
from tumorscan.evaluate.metrics import evaluate
from tumorscan.evaluate.repeated import repeated_figures
from tumorscan.evaluate.report import Measured, write_metrics, write_report
from tumorscan.jsonable import plain_interval
from tumorscan.study.controls import NoControls, control_lines, section_of, try_controls
from tumorscan.study.crossval import OutOfFold
from tumorscan.types import Interval, OperatingPoint


@dataclass(frozen=True)
class CrossValidated:
    """What a cross-validation found.

    Attributes:
        figures: means over the repeats, with intervals over groups.
        auc_by_repeat: to see how much the deal of the folds matters.
        controls: what can be told of the same pictures without the brain.
        pictures, groups, repeats, folds: how much was done.
        report: where the page is.
    """

    figures: dict[str, Interval]
    auc_by_repeat: tuple[float, ...]
    controls: Controls | NoControls
    pictures: int
    groups: int
    repeats: int
    folds: int
    report: Path

    def to_table(self) -> dict[str, Any]:
        """metrics.json."""
        return {
            "pictures": self.pictures,
            "groups": self.groups,
            "repeats": self.repeats,
            "folds": self.folds,
            "figures": {name: plain_interval(figure) for name, figure in self.figures.items()},
            "auc_by_repeat": list(self.auc_by_repeat),
            "controls": self.controls.to_table(),
            "report": str(self.report),
        }

    def to_text(self) -> str:
        """The figures, a line each."""
        head = (
            f"{self.repeats} x {self.folds} folds over {self.pictures} pictures in {self.groups} groups, "
            "mean over repeats, bootstrap over groups"
        )
        lines = [f"  {name:20} {in_words(figure)}" for name, figure in self.figures.items()]
        spread = ", ".join(f"{auc:.3f}" for auc in self.auc_by_repeat)
        lines += [f"  {'AUC by repeat':20} {spread}", *control_lines(self.controls)]
        return "\n".join([head, *lines, f"report: {self.report}"])


def report_crossval(result: OutOfFold, settings: Settings, folder: Path) -> CrossValidated:
    """Measure the out-of-fold predictions and write FOLDER/metrics.json and FOLDER/report.html."""
    found = repeated_figures(result.labels, result.probabilities, result.reported, result.groups)
    repeats, folds = result.validation_auc.shape
    one = np.ones((1, len(result.labels)))
    summary = CrossValidated(
        figures=found,
        controls=try_controls(result.records),
        auc_by_repeat=tuple(_auc(result, repeat, one) for repeat in range(repeats)),
        pictures=len(result.records),
        groups=len(set(result.groups)),
        repeats=repeats,
        folds=folds,
        report=folder / "report.html",
    )
    write_metrics(folder / "metrics.json", summary.to_table())
    write_report(
        summary.report,
        title=f"{settings.preset}: cross-validation",
        measured=_measured(result, settings, summary),
        sections=[
            _figure_section(summary),
            section_of(summary.controls, (f"{settings.preset}, out of fold", found["roc_auc"])),
            _curve_section(result),
        ],
        headline=[(name, found[name]) for name in ("sensitivity", "specificity", "roc_auc")],
    )
    return summary


def _auc(result: OutOfFold, repeat: int, one: Any) -> float:
    return float(weighted.auc(result.labels, result.probabilities[repeat])(one)[0])


def _measured(result: OutOfFold, settings: Settings, summary: CrossValidated) -> Measured:
    labels = Counter(record.label for record in result.records)
    point = OperatingPoint(
        name="each fold its own",
        threshold=float("nan"),
        wanted_sensitivity=settings.decide.sensitivity,
        sensitivity=summary.figures["sensitivity"],
        specificity=summary.figures["specificity"],
        fitted_on="the calibration part inside each fold; the figures that follow are out of fold",
    )
    return Measured(
        data=", ".join(sorted({record.source for record in result.records})),
        split="out of fold",
        sizes={"out of fold": summary.pictures},
        groups=summary.groups,
        seed=settings.split.seed,
        bundle=f"{settings.preset}, fitted {summary.repeats * summary.folds} times",
        operating_point=point,
        more=(("Labels", f"{labels['tumor']} tumor, {labels['no_tumor']} no tumor"),),
    )


def _figure_section(summary: CrossValidated) -> Section:
    names = {**NAMES, "specificity_at_0.97": "Specificity at sensitivity 0.97"}
    rows = tuple((names[name], in_words(figure), figure.method) for name, figure in summary.figures.items())
    spread = ", ".join(f"{auc:.3f}" for auc in summary.auc_by_repeat)
    caption = (
        f"Means over {summary.repeats} repeats. Sensitivity and its kin are at the threshold fitted inside "
        f"each fold. AUC of each repeat: {spread}."
    )
    return Section("Figures", (Table(("", "value (95 % interval)", "method"), rows, caption),))


def _curve_section(result: OutOfFold) -> Section:
    """Curves of the first repeat: a mean over repeats would be an ensemble, which nobody would run."""
    first = evaluate(result.labels, result.probabilities[0], threshold=0.5, groups=result.groups, bins=15)
    drawn = (
        (figures.roc_figure(first), "ROC curve of the first repeat"),
        (figures.precision_recall_figure(first), "Precision over recall in the first repeat"),
        (figures.reliability_figure(first), "Reliability diagram of the first repeat"),
        (figures.risk_coverage_figure(first), "Risk over coverage in the first repeat"),
    )
    caption = "First repeat, out of fold; the point is at a probability of one half."
    return Section("Curves", (Images(tuple(Image.of(figure, alt, caption) for figure, alt in drawn)),))
