"""`tumorscan controls`: what a data set gives away without a look at the brain."""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import add_json, emit, say, shows_progress

HELP = "measure how well a data set's classes can be told apart without looking at the brain"
DESCRIPTION = """\
Simple models in grouped cross-validation, from file metadata alone, from ten pixel statistics alone,
from both, from the picture with its centre blanked out, and with shuffled labels (which must come out
at 0.5). A high AUC here means that a model's AUC on these data says little."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("sources", nargs="+", type=Path, metavar="FOLDER|CSV")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write report.html and controls.json there"
    )
    parser.add_argument("--seed", type=int, default=1, help="of folds and permutations (default: 1)")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Measure and report; files that cannot be used are named and skipped."""
    from tumorscan.study.controls import control_sources

    progress = shows_progress(options)
    result = control_sources(options.sources, out=options.out, seed=options.seed, progress=progress)
    for skipped in result.skipped:
        say(f"skipped {skipped.file}: {skipped.cause}")
    if options.out:
        say(f"report: {options.out / 'report.html'}")
    emit(options, result.to_table(), result.to_text())
    return 0
