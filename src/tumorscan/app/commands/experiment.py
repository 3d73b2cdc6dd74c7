"""`tumorscan experiment`: studies that compare recipes or splits."""

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

HELP = "what a leak is worth, and other comparisons"
DESCRIPTION = """\
leak: one recipe, cross-validated twice over the same files: folds dealt at random by picture, and by
group. The difference of the mean AUCs, with its interval, is what copies on both sides of a split add."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("experiment", choices=["leak"])
    parser.add_argument("sources", nargs="+", type=Path, metavar="FOLDER|CSV")
    parser.add_argument("--out", type=Path, required=True, help="folder of the experiment")
    parser.add_argument("--repeats", type=int, default=5, help="default: 5")
    parser.add_argument("--folds", type=int, default=5, help="default: 5")
    parser.add_argument(
        "--weights", metavar="SOURCE", help="imagenet (download), none, or a .npz, .weights.h5 or .keras file"
    )
    add_settings(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the experiment."""
    from tumorscan.study.leak_experiment import leak_experiment

    settings = with_weights(settings_of(options), options.weights)
    result = leak_experiment(
        options.sources,
        settings,
        options.out,
        repeats=options.repeats,
        folds=options.folds,
        progress=shows_progress(options),
        say=say,
    )
    emit(options, result.to_table(), result.to_text())
    return 0
