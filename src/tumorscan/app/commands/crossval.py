"""`tumorscan crossval`: what a recipe is worth, by repeated grouped cross-validation."""

from __future__ import annotations

import argparse

from tumorscan.app.commands.shared import add_repeated_folds, emit, repeats_of, say, shows_progress

HELP = "measure a recipe by repeated, grouped, stratified cross-validation"
DESCRIPTION = """\
Every fold is held out once a repeat. Early stopping, temperature and threshold are fitted inside the
fold, on groups that the fold's test part does not share. Out-of-fold predictions are kept in OUT, with
metrics.json and report.html. A killed run goes on at the next fit when the same command is given
again; a higher --repeats adds to what is there."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_repeated_folds(parser, "folder of the cross-validation")


def run(options: argparse.Namespace) -> int:
    """Cross-validate and report."""
    from tumorscan.study.crossval import cross_validate
    from tumorscan.study.crossval_report import report_crossval

    study = repeats_of(options)
    result = cross_validate(study, progress=shows_progress(options), say=say)
    summary = report_crossval(result, study.settings, study.folder)
    emit(options, summary.to_table(), summary.to_text())
    return 0
