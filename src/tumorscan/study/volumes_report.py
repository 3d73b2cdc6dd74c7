"""What an experiment on volumes leaves on disk: report.html, metrics.json, volumes.csv, slices.csv."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tumorscan.data.table import write_table
from tumorscan.evaluate import figures
from tumorscan.evaluate.blocks import Image, Images, Section, Table, Text, interval_table
from tumorscan.evaluate.report import write_metrics, write_report
from tumorscan.evaluate.volumes import WORDS, Measured, in_run
from tumorscan.study.opened import Listed
from tumorscan.study.volumes_result import VolumesResult, rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MEANING: Final = (
    "A volume's probability is the highest mean over a run of slices, each first averaged with its "
    "neighbours; the operating point is the slices' own. Key slice: the highest of that run. Suspicious run: "
    "the slices around it above half of its curve. Intervals come from drawing whole patients. A slice that "
    "the gate refused counts as one without tumor. Every slice of a volume is correlated with the next, so "
    "figures of slices say less than their number suggests."
)
_DRAWN: Final = 12  # curves that a page carries


def write_volumes(result: VolumesResult) -> None:
    """Write everything to the result's folder.

    Raises:
        EnvironmentProblem: something cannot be written.
    """
    folder = result.folder
    write_metrics(folder / "metrics.json", result.to_table())
    table = rows(result)
    write_table(folder / "volumes.csv", tuple(table[0]), table)
    _write_slices(result)
    shown = ("volume", "verdict", "probability", "key_slice", "key_in", "dice")
    sections = [
        Section(
            "Figures",
            (
                Text(_MEANING),
                interval_table(
                    f"{len(result.measured)} volumes of {result.patients} patients.",
                    ("", "with 95 % interval over patients"),
                    {WORDS[name]: [one] for name, one in result.figures.items()},
                ),
            ),
        ),
        Section("Volumes", (Table(shown, tuple(tuple(row[name] for name in shown) for row in table)),)),
        Section("Curves", (Images(tuple(map(_curve, result.measured[:_DRAWN]))),)),
    ]
    write_report(
        folder / "report.html",
        title=f"Volumes of {result.name}",
        measured=Listed(result.facts),
        sections=sections,
        warnings=result.warnings,
        headline=[
            (WORDS[name], result.figures[name])
            for name in ("found", "false_alarm", "key_in", "auc_curve")
            if name in result.figures
        ],
    )


def _curve(one: Measured) -> Image:
    figure = _drawn(one)
    key = one.found.key_slice
    where = "no key slice" if key is None else f"key slice {key}"
    return Image.of(figure, f"{one.name}: probability along the slices; {one.found.finding.verdict}, {where}")


def _drawn(one: Measured) -> Figure:
    figure = figures.canvas(5.0, 2.4)
    axes = figure.add_subplot()
    count = len(one.found.slices)
    if one.truth is not None:
        axes.fill_between(range(count), 0, one.truth.astype(float), step="mid", alpha=0.2, label="tumor")
    axes.plot(range(count), one.alone, ".", label="slice alone")
    axes.plot(range(count), one.found.curve, "-", label="with its neighbours")
    if one.found.key_slice is not None:
        axes.axvline(one.found.key_slice, linestyle=":", label="key slice")
    axes.set(xlabel="slice", ylabel="p(tumor)", ylim=(0, 1.02), title=figures.plain(one.name, 60))
    axes.legend(fontsize="small")
    return figure


def _write_slices(result: VolumesResult) -> None:
    head = ("volume", "patient", "slice", "tumor", "verdict", "probability", "curve", "in_run")
    found = []
    for one in result.measured:
        inside = in_run(one.found)
        for each, curve, within in zip(one.found.slices, one.found.curve, inside, strict=True):
            p = each.finding.probability
            found.append(
                {
                    "volume": one.name,
                    "patient": one.patient,
                    "slice": each.index,
                    "tumor": "" if one.truth is None else str(bool(one.truth[each.index])).lower(),
                    "verdict": str(each.finding.verdict),
                    "probability": "" if p is None else repr(p),
                    "curve": "" if np.isnan(curve) else repr(float(curve)),
                    "in_run": str(bool(within)).lower(),
                }
            )
    write_table(result.folder / "slices.csv", head, found)
