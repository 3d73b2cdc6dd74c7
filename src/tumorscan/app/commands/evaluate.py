"""`tumorscan evaluate`: what a run is worth on its test split."""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import add_allow_leaks, add_json, emit, say, shows_progress

HELP = "measure a finished run on its test split and write the report"
DESCRIPTION = """\
Opens the test split (each look is counted in the bundle), and writes to RUN/report: report.html,
metrics.json, predictions.csv and every figure as PNG. Refused (exit code 4) where a test picture has an
exact or near copy, its patient or its group in the other splits, which a look of its own makes sure of."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run_folder", type=Path, metavar="RUN")
    add_allow_leaks(parser, "measure although the test split leaks; the report says so on its first line")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Evaluate and report."""
    from tumorscan.study.evaluation import evaluate_run

    result = evaluate_run(
        options.run_folder, allow_leaks=options.allow_leaks, progress=shows_progress(options), say=say
    )
    emit(options, result.to_table(), result.to_text())
    return 0
