"""What external testing leaves on disk: report.html, metrics.json, predictions.csv and every figure."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tumorscan.data.table import write_table
from tumorscan.evaluate import figures, pictures
from tumorscan.evaluate.abstention import abstention_section, is_correct
from tumorscan.evaluate.blocks import NAMES, Section, Table, Text, galleries
from tumorscan.evaluate.pictures import Shown
from tumorscan.evaluate.report import point_facts, write_metrics, write_report
from tumorscan.evaluate.strata import Stratum
from tumorscan.evaluate.strata_blocks import (
    patients_section,
    strata_section,
    stratum_section,
)
from tumorscan.study.controls import section_of
from tumorscan.study.external_result import ExternalEvaluation
from tumorscan.types import Interval

COLUMNS = ("file", "label", "source", "plane", "patient", "group", "probability", "verdict", "correct")
_GALLERY_SHOWN, _SKIPPED_SHOWN = 12, 100


class _Facts:
    """What was measured on what."""

    def __init__(self, result: ExternalEvaluation) -> None:
        self._result = result

    def facts(self) -> list[tuple[str, str]]:
        """Name and text, in the order of the report."""
        result, whole = self._result, self._result.whole
        facts = [
            (
                f"External set {look.external.name}",
                (
                    f"{len(look.external.records)} pictures, {len(look.external.copies)} copies left out, "
                    f"{len(look.external.skipped)} files left out; sha256 {look.external.sha256[:16]}"
                ),
            )
            for look in result.looks
        ]
        looks = "; ".join(f"{look.external.name} {look.count}" for look in result.looks)
        return [
            *facts,
            ("Looks at it so far, this one included", looks),
            ("Sources", ", ".join(one.name for one in result.sources)),
            ("Measured", f"{whole.n} pictures, {whole.tumors} with a tumor, {whole.units} {whole.unit}"),
            ("Model", result.model),
            *point_facts(result.operating_point),
        ]


def write_external(result: ExternalEvaluation) -> None:
    """Write everything to the result's folder.

    Raises:
        EnvironmentProblem: something cannot be written.
    """
    folder = result.folder
    write_metrics(folder / "metrics.json", result.to_table())
    _write_predictions(result, folder / "predictions.csv")
    shown = worst_errors(result)
    for name, rows in shown.items():
        if rows:
            figures.save(pictures.gallery_figure(rows[:_GALLERY_SHOWN]), folder / f"{name}.png")
    write_report(
        folder / "report.html",
        title=f"{result.model}: external test on {result.name}",
        measured=_Facts(result),
        sections=_sections(result, shown),
        warnings=result.warnings,
        headline=_headline(result),
    )


def worst_errors(result: ExternalEvaluation) -> dict[str, list[Shown]]:
    """Tumors missed and false alarms, the farthest from the threshold first."""
    errors: dict[str, list[Shown]] = {"missed": [], "false_alarms": []}
    far = -np.abs(result.probabilities - result.operating_point.threshold)
    verdicts = result.verdicts
    for i in np.argsort(far, kind="stable"):
        record, said, p = result.part.records[i], verdicts[i], float(result.probabilities[i])
        tumor = record.label == "tumor"
        if is_correct(said, record.label) is not False:
            continue
        truth = f"{'tumor' if tumor else 'no tumor'}, {record.source}"
        row = Shown(result.part.pictures[i], record.file.name, truth, str(said), p, correct=False)
        errors["missed" if tumor else "false_alarms"].append(row)
    return errors


def _detailed(result: ExternalEvaluation) -> list[Stratum]:
    """The whole, and its sources where there are several."""
    return [result.whole, *(result.sources if len(result.sources) > 1 else ())]


def _sections(result: ExternalEvaluation, shown: dict[str, list[Shown]]) -> list[Section]:
    sections = [strata_section("By source", result.sources)]
    if result.planes:
        sections.append(strata_section("By plane", result.planes))
    sections += [
        stratum_section(one, "" if one is result.whole else f"{_stem(one.name)}_")
        for one in _detailed(result)
    ]
    if result.unsaid:
        sections.append(abstention_section(result.unsaid))
    model = (f"{result.model} on these pictures", result.whole.figures["roc_auc"])
    sections.append(section_of(result.controls, model))
    if result.patients:
        sections.append(patients_section(result.patients))
    sections.append(_errors(shown))
    if result.skipped:
        sections.append(_skipped(result))
    return sections


def _errors(shown: dict[str, list[Shown]]) -> Section:
    titles = {"missed": "Tumors missed", "false_alarms": "False alarms"}
    found = galleries({titles[name]: rows for name, rows in shown.items()}, _GALLERY_SHOWN)
    return Section("Worst errors", found or (Text("There are none at this operating point."),))


def _skipped(result: ExternalEvaluation) -> Section:
    rows = tuple((str(one.file), one.cause) for one in result.skipped[:_SKIPPED_SHOWN])
    more = len(result.skipped) - len(rows)
    caption = f"{len(result.skipped)} files could not be used" + (f", {more} not shown." if more else ".")
    return Section("Files left out", (Table(("file", "cause"), rows, caption),))


def _headline(result: ExternalEvaluation) -> list[tuple[str, Interval]]:
    whole = result.whole
    cards = []
    for name in ("sensitivity", "specificity", "roc_auc"):
        figure = whole.figures[name]
        if name in whole.exact and np.isnan(figure.low):
            figure = whole.exact[name]
        if name == "roc_auc" or not np.isnan(figure.value):
            cards.append((NAMES[name], figure))
    return cards


def _write_predictions(result: ExternalEvaluation, path: Path) -> None:
    verdicts = result.verdicts
    rows = [
        {
            **{name: getattr(record, name) for name in COLUMNS[:6]},
            "probability": repr(float(p)),
            "verdict": str(said),
            "correct": {True: "true", False: "false", None: ""}[is_correct(said, record.label)],
        }
        for record, p, said in zip(result.part.records, result.probabilities, verdicts, strict=True)
    ]
    write_table(path, COLUMNS, rows)


def _stem(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "source"
