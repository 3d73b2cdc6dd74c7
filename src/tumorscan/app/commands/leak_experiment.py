"""`tumorscan experiment leak`: what copies on both sides of a split are worth."""

from __future__ import annotations

import argparse

from tumorscan.app.commands.shared import add_repeated_folds, emit, repeats_of, say, shows_progress

HELP = "what copies on both sides of a split add to the AUC"
DESCRIPTION = """\
One recipe, cross-validated twice over the same files: folds dealt at random by picture, and by group.
The difference of the mean AUCs, with its interval, is what copies on both sides of a split add."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_repeated_folds(parser, "folder of the experiment")


def run(options: argparse.Namespace) -> int:
    """Run the experiment."""
    from tumorscan.study.leak_experiment import leak_experiment

    result = leak_experiment(repeats_of(options), progress=shows_progress(options), say=say)
    emit(options, result.to_table(), result.to_text())
    return 0
