"""What a run is worth: its test split is opened once, measured, and everything is written to one folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import Settings
from tumorscan.data.batches import augmented_view
from tumorscan.data.records import Record
from tumorscan.data.split import PARTS, Split
from tumorscan.detect.detector import Detector, load_detector
from tumorscan.errors import BundleError
from tumorscan.evaluate import figures, pictures
from tumorscan.evaluate.abstention import Answered, abstention_section, answered, is_correct
from tumorscan.evaluate.blocks import (
    Gallery,
    Image,
    Images,
    Section,
    evaluation_sections,
    in_words,
    training_section,
)
from tumorscan.evaluate.card import write_card
from tumorscan.evaluate.controls import Controls
from tumorscan.evaluate.metrics import Evaluation, evaluate
from tumorscan.evaluate.pictures import Shown
from tumorscan.evaluate.report import Measured, Prediction, write_metrics, write_predictions, write_report
from tumorscan.prepare.pipeline import prepare
from tumorscan.read import read_scan
from tumorscan.study.controls import NoControls, control_lines, section_of, try_controls
from tumorscan.study.leaks import Leaks, find_leaks, refuse_leaks
from tumorscan.study.run import HISTORY, SPLIT, Part, load_part, read_run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPORT = "report"
_STEPS_SHOWN, _AUGMENTED_SHOWN, _GALLERY_SHOWN = 4, 16, 24


@dataclass(frozen=True)
class RunEvaluation:
    """An evaluation and where its report lies; `unsaid` is None where the bundle has no band."""

    evaluation: Evaluation
    folder: Path
    model: str
    looks: int
    controls: Controls | NoControls
    unsaid: Answered | None = None

    def to_table(self) -> dict[str, Any]:
        """metrics.json, and where the rest is."""
        return {
            "model": self.model,
            "report": str(self.folder / "report.html"),
            "looks": self.looks,
            **self.evaluation.to_table(),
            "controls": self.controls.to_table(),
            **({"unsaid": self.unsaid.to_table()} if self.unsaid else {}),
        }

    def to_text(self) -> str:
        """The figures, a line each."""
        counts = self.evaluation.counts
        lines = [f"{self.model} on its test split, look number {self.looks}"]
        lines += [f"  {name:18} {in_words(figure)}" for name, figure in self.evaluation.figures.items()]
        lines.append(
            f"  {'confusion':18} TP {counts.true_positive} FN {counts.false_negative} "
            f"TN {counts.true_negative} FP {counts.false_positive} "
            f"at a threshold of {self.evaluation.threshold:.3f}"
        )
        lines += [f"  {line}" for line in self.unsaid.lines()] if self.unsaid else []
        lines += control_lines(self.controls)
        lines.append(f"report: {self.folder / 'report.html'}")
        return "\n".join(lines)


def evaluate_run(
    run: Path,
    *,
    allow_leaks: bool = False,
    operating_point: str = "",
    progress: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> RunEvaluation:
    """Measure a finished run on its test split; writes RUN/report.

    Args:
        run: the run's folder.
        allow_leaks: measure although training has seen some of the test pictures; the report's first
            line says so.
        operating_point: the name of one that the bundle has; its default if empty.
        progress: bars on stderr.
        say: gets a line at each stage.

    The controls are those of the whole data set, copies left out: all four splits.

    Raises:
        DataError: training has seen some of the test pictures; or as its message says.
        BundleError, EnvironmentProblem: as their messages say.
    """
    bundle, split = read_run(run, allow_leaks=allow_leaks)
    leaks = _leaks(split, progress, say)
    if not allow_leaks:
        refuse_leaks(leaks, run / SPLIT)
    detector = load_detector(run, operating_point=operating_point)
    settings = bundle.manifest.settings
    bundle = bundle.count_look("test")
    part = load_part(split.parts["test"], settings, progress=progress)
    say(f"measuring {bundle.manifest.title} on {len(part.records)} pictures")
    probabilities = detector.probabilities(part.pictures)
    evaluation = evaluate(
        part.labels,
        probabilities,
        threshold=detector.operating_point.threshold,
        groups=[record.group for record in part.records],
    )
    folder = run / REPORT
    say("measuring the controls of the whole data set")
    controls = try_controls([r for name in PARTS for r in split.parts[name]], progress=progress)
    unsaid = _unsaid(part, probabilities, detector)
    result = RunEvaluation(
        evaluation, folder, bundle.manifest.title, bundle.manifest.looks["test"], controls, unsaid
    )
    write_metrics(folder / "metrics.json", result.to_table())
    write_predictions(folder / "predictions.csv", _predictions(part, probabilities, detector))
    history = _history(run)
    shown = _shown(part, probabilities, detector)
    drawn = {
        "confusion": figures.confusion_figure(evaluation.counts),
        "roc": figures.roc_figure(evaluation),
        "precision_recall": figures.precision_recall_figure(evaluation),
        "reliability": figures.reliability_figure(evaluation),
        "training": figures.training_figure(history),
        "preparation": _steps(part.records[:_STEPS_SHOWN], settings),
        "augmented": _augmented(split.parts["train"], settings),
    }
    for name, rows in shown.items():
        if rows:
            drawn[name] = pictures.gallery_figure(rows[:_GALLERY_SHOWN])
    for name, figure in drawn.items():
        figures.save(figure, folder / f"{name}.png")
    write_report(
        folder / "report.html",
        title=f"{bundle.manifest.title}: test split",
        measured=Measured(
            data=", ".join(bundle.manifest.lineage["data"]["sources"]),
            split="test",
            sizes={name: len(records) for name, records in split.parts.items()},
            groups=evaluation.n_groups,
            seed=split.seed,
            bundle=bundle.manifest.title,
            operating_point=detector.operating_point,
            more=(("Looks at this test split", str(result.looks)),),
        ),
        sections=[
            *evaluation_sections(evaluation),
            *([abstention_section({"Test split": unsaid})] if unsaid else []),
            training_section(history),
            _pictures_section(drawn),
            _gallery_section(shown),
            section_of(controls, (f"{bundle.manifest.title}, test split", evaluation.figures["roc_auc"])),
        ],
        warnings=[leaks.warning()] if leaks else [],
        headline=[(name, evaluation.figures[name]) for name in ("sensitivity", "specificity", "roc_auc")],
    )
    bundle = bundle.record_metrics("test", evaluation.to_table()["figures"])
    if isinstance(controls, Controls):
        bundle = bundle.record_metrics("controls", controls.to_table())
    write_card(bundle)
    return result


def _leaks(split: Split, progress: bool, say: Callable[[str], None]) -> Leaks:
    """What the fit has seen of the test split: training, early stopping, temperature, threshold."""
    seen = [record for part in PARTS if part != "test" for record in split.parts[part]]
    leaks = find_leaks(seen, split.parts["test"], progress=progress)
    for skipped in leaks.unread:
        say(f"not compared with the test split: {skipped.file}: {skipped.cause}")
    return leaks


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


def _unsaid(part: Part, probabilities: NDArray[np.float64], detector: Detector) -> Answered | None:
    """What is left unsaid, where the bundle has a band."""
    if detector.band is None:
        return None
    verdicts = [detector.verdict(float(p)) for p in probabilities]
    return answered(part.labels, verdicts, [record.group for record in part.records])


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


def _pictures_section(drawn: dict[str, Figure]) -> Section:
    steps = Image.of(
        drawn["preparation"],
        "Test pictures before and after each step of the preparation",
        "Before and after each step of the preparation.",
        wide=True,
    )
    grid = Image.of(
        drawn["augmented"],
        "Training pictures under random flips, turns, zooms, brightness and contrast",
        "Augmented copies of two training pictures. Only training pictures are augmented.",
        wide=True,
    )
    return Section("What the network sees", (Images((steps, grid)),))


def _gallery_section(shown: dict[str, list[Shown]]) -> Section:
    galleries = tuple(
        Gallery(
            tuple(rows[:_GALLERY_SHOWN]),
            f"{name.capitalize()}: {len(rows)} pictures, the farthest from the threshold first.",
        )
        for name, rows in shown.items()
        if rows
    )
    return Section("Right and wrong", galleries)
