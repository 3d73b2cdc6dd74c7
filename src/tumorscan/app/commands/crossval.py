"""`tumorscan crossval`: what a recipe is worth, by repeated grouped cross-validation."""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import (
    add_json,
    add_settings,
    emit,
    say,
    settings_of,
    shows_progress,
    with_weights,
)

HELP = "measure a recipe by repeated, grouped, stratified cross-validation"
DESCRIPTION = """\
Every fold is held out once a repeat. Early stopping, temperature and threshold are fitted inside the
fold, on groups that the fold's test part does not share. Out-of-fold predictions are kept in OUT, with
metrics.json and report.html. A killed run goes on at the next fit when the same command is given
again; a higher --repeats adds to what is there."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("sources", nargs="+", type=Path, metavar="FOLDER|CSV")
    parser.add_argument("--out", type=Path, required=True, help="folder of the cross-validation")
    parser.add_argument("--repeats", type=int, default=5, help="default: 5")
    parser.add_argument("--folds", type=int, default=5, help="default: 5")
    parser.add_argument(
        "--weights", metavar="SOURCE", help="imagenet (download), none, or a .npz, .weights.h5 or .keras file"
    )
    add_settings(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Cross-validate and report."""
    from tumorscan.study.crossval import cross_validate
    from tumorscan.study.crossval_report import report_crossval

    settings = with_weights(settings_of(options), options.weights)
    result = cross_validate(
        options.sources,
        settings,
        options.out,
        repeats=options.repeats,
        folds=options.folds,
        progress=shows_progress(options),
        say=say,
    )
    summary = report_crossval(result, settings, options.out)
    emit(options, summary.to_table(), summary.to_text())
    return 0
