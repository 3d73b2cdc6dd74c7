"""What a run is worth: its test split is opened once, measured, and everything is written to one folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscan.data.split import PARTS, Split
from tumorscan.detect.detector import Detector, load_detector
from tumorscan.evaluate.abstention import Answered, answered
from tumorscan.evaluate.card import write_card
from tumorscan.evaluate.controls import Controls
from tumorscan.evaluate.curves import short_table
from tumorscan.evaluate.metrics import evaluate
from tumorscan.study.claim import SPLIT
from tumorscan.study.controls import try_controls
from tumorscan.study.evaluation_report import OpenedSplit, write_run_report
from tumorscan.study.evaluation_result import RunEvaluation
from tumorscan.study.leaks import Leaks, find_leaks, refuse_leaks
from tumorscan.study.part import Part, load_part
from tumorscan.study.run import read_run

REPORT = "report"


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
    write_card(bundle)  # a run that is killed from here on has been looked at
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
    write_run_report(result, OpenedSplit(run, split, part, probabilities, detector, leaks))
    bundle = bundle.record_metrics("test", evaluation.to_table()["figures"])
    bundle = bundle.record_metrics("curves", short_table(evaluation.curves))
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


def _unsaid(part: Part, probabilities: NDArray[np.float64], detector: Detector) -> Answered | None:
    """What is left unsaid, where the bundle has a band."""
    if detector.band is None:
        return None
    verdicts = [detector.verdict(float(p)) for p in probabilities]
    return answered(part.labels, verdicts, [record.group for record in part.records])
