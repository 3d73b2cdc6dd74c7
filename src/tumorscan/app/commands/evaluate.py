"""`tumorscan evaluate`: what a run is worth on its test split, or a bundle on external sets."""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import (
    add_allow_leaks,
    add_json,
    add_operating_point,
    add_where,
    emit,
    say,
    shows_progress,
    trial_of,
)
from tumorscan.errors import SettingsError, UnreadableScan

HELP = "measure a finished run on its test split, or a bundle on external sets, and write the report"
DESCRIPTION = """\
tumorscan evaluate RUN
  opens the test split (each look is counted in the bundle), and writes to RUN/report: report.html,
  metrics.json, predictions.csv and every figure as PNG.

tumorscan evaluate --model BUNDLE --external CSV|FOLDER... [--where COLUMN=VALUE]... [--out FOLDER]
  measures the bundle on other pictures, by source, plane and patient, at the bundle's operating point.
  Each look at a set is counted in the bundle; the same pictures under another path are the same set.
  Sources are the csv's column `source` (else the csv itself), or a folder's subfolders. Figures over
  both classes (AUC, calibration ...) are withheld where a source holds one class only.

Either is refused (exit code 4) where a picture to be measured has an exact or near copy, its patient or its
group among those that the model was trained on, which a look of its own makes sure of."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run_folder", type=Path, nargs="?", metavar="RUN")
    add_allow_leaks(
        parser, "measure although training has seen pictures; the report says so on its first line"
    )
    add_operating_point(parser)
    outside = parser.add_argument_group("external testing")
    outside.add_argument(
        "--model", type=Path, metavar="BUNDLE", help="folder of a bundle, or of a finished run"
    )
    outside.add_argument(
        "--external", type=Path, nargs="+", default=[], metavar="CSV|FOLDER", help="the sets"
    )
    add_where(outside)
    outside.add_argument(
        "--out", type=Path, metavar="FOLDER", help="default: external/NAME beside the bundle"
    )
    outside.add_argument(
        "--force-pooled",
        action="store_true",
        help="give figures over both classes even where a source holds one class only; the report says so",
    )
    outside.add_argument("--engine", default="auto", help="what runs the network (default: auto)")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Evaluate and report; exit code 3 where files of an external set could not be used."""
    if options.external or options.model:
        return _external(options)
    for name in ("where", "out", "force_pooled"):
        if getattr(options, name):
            raise SettingsError(f"--{name.replace('_', '-')} goes with --model and --external")
    if options.run_folder is None:
        raise SettingsError("name a finished RUN, or --model BUNDLE and --external CSV|FOLDER")
    from tumorscan.study.evaluation import evaluate_run

    result = evaluate_run(
        options.run_folder,
        allow_leaks=options.allow_leaks,
        operating_point=options.operating_point,
        progress=shows_progress(options),
        say=say,
    )
    emit(options, result.to_table(), result.to_text())
    return 0


def _external(options: argparse.Namespace) -> int:
    if options.run_folder is not None:
        raise SettingsError(f"{options.run_folder}: name either a RUN or --model and --external, not both")
    if not options.external or not options.model:
        raise SettingsError("--model BUNDLE and --external CSV|FOLDER go together")
    from tumorscan.study.external import evaluate_external

    result = evaluate_external(
        trial_of(options, options.external),
        force_pooled=options.force_pooled,
        operating_point=options.operating_point,
    )
    for skipped in result.skipped:
        say(f"skipped {skipped.file}: {skipped.cause}")
    emit(options, result.to_table(), result.to_text())
    return UnreadableScan.exit_code if result.skipped else 0
