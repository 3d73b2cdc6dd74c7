"""What an evaluation leaves on disk: report.html, metrics.json, predictions.csv; each whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import tumorscan
from tumorscan.atomic import atomic_write_bytes
from tumorscan.errors import require
from tumorscan.evaluate.blocks import Images, Section, in_words
from tumorscan.types import Interval, OperatingPoint

RESEARCH_USE = (
    "Research and teaching software: not a medical device, and nothing here is a diagnosis. "
    "The figures hold for the pictures named below and for no others."
)


class Facts(Protocol):
    """What was measured on what; a report cannot be written without it."""

    def facts(self) -> list[tuple[str, str]]:
        """Name and text, in the order of the report."""


@dataclass(frozen=True)
class Measured:
    """What was measured on which part of a split.

    Attributes:
        data: the data set, in words.
        split: which part was measured ("test").
        sizes: pictures in each part of the split.
        groups: groups of the measured part.
        seed: of the split and the training.
        bundle: name and version of the model.
        operating_point: the threshold and what it was fitted on.
        more: further facts, name and text.
    """

    data: str
    split: str
    sizes: Mapping[str, int]
    groups: int
    seed: int
    bundle: str
    operating_point: OperatingPoint
    more: tuple[tuple[str, str], ...] = ()

    def facts(self) -> list[tuple[str, str]]:
        """Name and text, in the order of the report."""
        return [
            ("Data", self.data),
            (
                "Measured part",
                f"{self.split}: {self.sizes.get(self.split, 0)} pictures, {self.groups} groups",
            ),
            ("Split", ", ".join(f"{name} {size}" for name, size in self.sizes.items())),
            ("Seed", str(self.seed)),
            ("Model", self.bundle),
            *point_facts(self.operating_point),
            *self.more,
        ]


def point_facts(point: OperatingPoint) -> list[tuple[str, str]]:
    """What a report says of the operating point."""
    said = f"{point.name}: a tumor is said at {point.threshold:.4g} or more, fitted for {point.aim}"
    reached = f"sensitivity {in_words(point.sensitivity)}, specificity {in_words(point.specificity)}"
    return [
        ("Operating point", said),
        ("Fitted on", f"{point.fitted_on}; there {reached}"),
        *([("What that promises", point.statement)] if point.statement else []),
    ]


@dataclass(frozen=True)
class Prediction:
    """A row of predictions.csv.

    Attributes:
        file: the picture.
        label: the truth.
        group: what it belongs to.
        probability: of a tumor, calibrated, 0..1.
        verdict: what the system says.
        correct: whether that is the truth; None where nothing was said.
    """

    file: str
    label: str
    group: str
    probability: float
    verdict: str
    correct: bool | None


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    measured: Facts,
    sections: Sequence[Section],
    warnings: Sequence[str] = (),
    headline: Sequence[tuple[str, Interval]] = (),
) -> None:
    """Write one page that holds all it shows and opens without a network; images with a name get a file too.

    Args:
        path: of the HTML file.
        title: of the page.
        measured: what was measured on what.
        sections: in order; `blocks` makes those of an evaluation and a training.
        warnings: the page's first lines, above the title: a leak, for example.
        headline: name and figure of the cards at the top; figures within 0..1 get a bar.

    Raises:
        MissingExtra: jinja2 is not installed.
        EnvironmentProblem: a file cannot be written.
    """
    for block in (block for section in sections for block in section.blocks):
        for image in block.images if isinstance(block, Images) else ():
            if image.name:
                atomic_write_bytes(Path(path).with_name(f"{image.name}.png"), image.png)
    jinja2 = require("jinja2", "train")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    source = resources.files(tumorscan.evaluate).joinpath("report.html.j2").read_text(encoding="utf-8")
    page: str = environment.from_string(source).render(
        title=title,
        research_use=RESEARCH_USE,
        version=tumorscan.__version__,
        facts=measured.facts(),
        sections=sections,
        warnings=warnings,
        cards=[_card(name, figure) for name, figure in headline],
    )
    # A file name from the disk may hold bytes that are no UTF-8; they show as question marks.
    atomic_write_bytes(Path(path), page.encode("utf-8", errors="replace"))


def write_metrics(path: str | os.PathLike[str], table: Mapping[str, Any]) -> None:
    """Write metrics.json, from `Evaluation.to_table` and whatever stands beside it.

    Raises:
        EnvironmentProblem: the file cannot be written.
    """
    text = json.dumps(table, indent=2, allow_nan=False, ensure_ascii=True)
    atomic_write_bytes(Path(path), text.encode("ascii") + b"\n")


def write_predictions(path: str | os.PathLike[str], rows: Iterable[Prediction]) -> None:
    """Write predictions.csv: file, label, group, probability, verdict, correct; UTF-8, lines end in LF.

    Raises:
        EnvironmentProblem: the file cannot be written.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["file", "label", "group", "probability", "verdict", "correct"])
    for row in rows:
        probability = repr(float(row.probability))
        correct = "" if row.correct is None else "true" if row.correct else "false"
        writer.writerow([row.file, row.label, row.group, probability, str(row.verdict), correct])
    atomic_write_bytes(Path(path), stream.getvalue().encode("utf-8", errors="backslashreplace"))


def _card(name: str, figure: Interval) -> dict[str, Any]:
    value = "undefined" if np.isnan(figure.value) else f"{figure.value:.3f}"
    shown = in_words(figure, reach_only=True)
    reach = f"{figure.level:.0%} interval {shown}" if np.isfinite(figure.low) else figure.method
    bar = None
    if np.isfinite([figure.value, figure.low, figure.high]).all() and 0 <= figure.low <= figure.high <= 1:
        percent = [round(100 * bound, 2) for bound in (figure.low, figure.value, figure.high)]
        bar = {"low": percent[0], "value": percent[1], "width": round(percent[2] - percent[0], 2)}
    return {"name": name, "value": value, "reach": reach, "bar": bar}
