"""What a run's evaluation leaves on disk: report.html, metrics.json, predictions.csv, every figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import Settings
from tumorscan.data.batches import augmented_view
from tumorscan.data.records import Record
from tumorscan.data.split import Split
from tumorscan.detect.detector import Detector
from tumorscan.errors import BundleError
from tumorscan.evaluate import figures, pictures
from tumorscan.evaluate.abstention import abstention_section, is_correct
from tumorscan.evaluate.blocks import (
    Image,
    Images,
    Section,
    evaluation_sections,
    galleries,
    training_section,
)
from tumorscan.evaluate.pictures import Shown
from tumorscan.evaluate.report import Measured, Prediction, write_metrics, write_predictions, write_report
from tumorscan.prepare.pipeline import prepare
from tumorscan.read import read_scan
from tumorscan.study.controls import section_of
from tumorscan.study.evaluation_result import RunEvaluation
from tumorscan.study.leaks import Leaks
from tumorscan.study.part import Part, load_part
from tumorscan.study.run import HISTORY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STEPS_SHOWN, _AUGMENTED_SHOWN, _GALLERY_SHOWN = 4, 16, 24


@dataclass(frozen=True, eq=False)
class OpenedSplit:
    """A run's test split, opened.

    Attributes:
        run: its folder.
        split: of the run.
        part: the test pictures, prepared.
        probabilities: of a tumor, calibrated, in the order of the part.
        detector: that gave them.
        leaks: what the fit has seen of the pictures.
    """

    run: Path
    split: Split
    part: Part
    probabilities: NDArray[np.float64]
    detector: Detector
    leaks: Leaks

    @property
    def settings(self) -> Settings:
        """Of the run."""
        return self.detector.bundle.manifest.settings


def write_run_report(result: RunEvaluation, test: OpenedSplit) -> None:
    """Write everything to the result's folder.

    Raises:
        BundleError: the run's training history is absent or damaged.
        EnvironmentProblem: something cannot be written.
    """
    write_metrics(result.folder / "metrics.json", result.to_table())
    write_predictions(
        result.folder / "predictions.csv", _predictions(test.part, test.probabilities, test.detector)
    )
    history = _history(test.run)
    shown = _shown(test.part, test.probabilities, test.detector)
    for name, rows in shown.items():
        if rows:
            figures.save(pictures.gallery_figure(rows[:_GALLERY_SHOWN]), result.folder / f"{name}.png")
    evaluation = result.evaluation
    write_report(
        result.folder / "report.html",
        title=f"{result.model}: test split",
        measured=_measured(result, test),
        sections=_sections(result, test, history, shown),
        warnings=[test.leaks.warning()] if test.leaks else [],
        headline=[(name, evaluation.figures[name]) for name in ("sensitivity", "specificity", "roc_auc")],
    )


def _measured(result: RunEvaluation, test: OpenedSplit) -> Measured:
    return Measured(
        data=", ".join(test.detector.bundle.manifest.lineage["data"]["sources"]),
        split="test",
        sizes={name: len(records) for name, records in test.split.parts.items()},
        groups=result.evaluation.n_groups,
        seed=test.split.seed,
        bundle=result.model,
        operating_point=test.detector.operating_point,
        more=(("Looks at this test split", str(result.looks)),),
    )


def _sections(
    result: RunEvaluation,
    test: OpenedSplit,
    history: Sequence[dict[str, Any]],
    shown: dict[str, list[Shown]],
) -> list[Section]:
    evaluation = result.evaluation
    return [
        *evaluation_sections(evaluation),
        *([abstention_section({"Test split": result.unsaid})] if result.unsaid else []),
        training_section(history),
        _pictures_section(test),
        _gallery_section(shown),
        section_of(result.controls, (f"{result.model}, test split", evaluation.figures["roc_auc"])),
    ]


def _history(run: Path) -> list[dict[str, Any]]:
    try:
        history: list[dict[str, Any]] = json.loads((run / HISTORY).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{run / HISTORY}: the training history is absent or damaged ({error})") from error
    return history


def _predictions(part: Part, probabilities: NDArray[np.float64], detector: Detector) -> list[Prediction]:
    rows = []
    for record, p in zip(part.records, probabilities, strict=True):
        said = detector.verdict(float(p))
        correct = is_correct(said, record.label)
        rows.append(Prediction(str(record.file), record.label, record.group, float(p), said, correct))
    return rows


def _steps(records: Sequence[Record], settings: Settings) -> Figure:
    rows = []
    for record in records:
        prepared = prepare(read_scan(record.file), settings.prepare, keep_steps=True)
        rows.append((record.file.name, prepared.steps))
    return pictures.steps_figure(rows)


def _augmented(records: Sequence[Record], settings: Settings) -> Figure:
    some = load_part(records[:2], settings).pictures
    views = range(_AUGMENTED_SHOWN // len(some))
    seed = settings.train.seed
    return pictures.grid_figure(
        np.concatenate([augmented_view(some, settings.augment, seed=seed, view=view) for view in views])
    )


def _shown(part: Part, probabilities: NDArray[np.float64], detector: Detector) -> dict[str, list[Shown]]:
    """Pictures by what became of them, with what was said, the farthest from the threshold first."""
    threshold = detector.operating_point.threshold
    shown: dict[str, list[Shown]] = {"wrong": [], "right": [], "unsaid": []}
    for i in np.argsort(-np.abs(probabilities - threshold), kind="stable"):
        record, p = part.records[i], float(probabilities[i])
        said = detector.verdict(p)
        correct = is_correct(said, record.label)
        truth = "tumor" if record.label == "tumor" else "no tumor"
        row = Shown(part.pictures[i], record.file.name, truth, str(said), p, bool(correct))
        shown["unsaid" if correct is None else "right" if correct else "wrong"].append(row)
    return shown


def _pictures_section(test: OpenedSplit) -> Section:
    steps = Image.of(
        _steps(test.part.records[:_STEPS_SHOWN], test.settings),
        "Test pictures before and after each step of the preparation",
        "Before and after each step of the preparation.",
        wide=True,
        name="preparation",
    )
    grid = Image.of(
        _augmented(test.split.parts["train"], test.settings),
        "Training pictures under random flips, turns, zooms, brightness and contrast",
        "Augmented copies of two training pictures. Only training pictures are augmented.",
        wide=True,
        name="augmented",
    )
    return Section("What the network sees", (Images((steps, grid)),))


def _gallery_section(shown: dict[str, list[Shown]]) -> Section:
    by_title = {name.capitalize(): rows for name, rows in shown.items()}
    return Section("Right and wrong", galleries(by_title, _GALLERY_SHOWN))
