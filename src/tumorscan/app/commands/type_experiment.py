"""`tumorscan experiment tumor-type`: how well types of found tumors are told apart."""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import add_json, add_model, emit, say, shows_progress

HELP = "how well tumor types are told apart, by slice and by patient"
DESCRIPTION = """\
A csv names slices with a tumor: columns file, tumor_type, patient, fold (and plane). Each fold is tested by a
fit on the others, calibrated inside them. A patient whom the csv's folds divide is kept whole, in the fold of
most of its slices; the figures of the folds as they stand are given beside, and are too good where patients
are divided. Writes metrics.json and slices.csv; features are kept in the folder for the next time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the experiment's arguments."""
    parser.add_argument("table", type=Path, metavar="CSV")
    parser.add_argument("--out", type=Path, required=True, help="folder of the experiment")
    add_model(parser)
    parser.add_argument(
        "--trunk",
        type=Path,
        metavar="WEIGHTS",
        help="also with the features of this trunk, untouched ImageNet weights say",
    )
    parser.add_argument(
        "--clean",
        default="",
        metavar="FOLD",
        help="also test every patient with a slice in it: one whose patients the bundle's training never saw",
    )
    add_error(parser)
    add_json(parser)


def add_error(parser: argparse.ArgumentParser) -> None:
    """How often a type may be left out wrongly."""
    parser.add_argument(
        "--error",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="how often at most the true type is held impossible (default: 0.05); less means more not sure",
    )


def run(options: argparse.Namespace) -> int:
    """Run the experiment."""
    from tumorscan.study.tumor_type import TypeTrial, type_experiment

    trial = TypeTrial(
        options.table,
        options.out,
        model=options.model,
        engine=options.engine,
        trunk=options.trunk,
        clean=options.clean,
        error=options.error,
        progress=shows_progress(options),
        say=say,
    )
    table = type_experiment(trial)
    emit(options, table.to_table(), table.to_text())
    return 0
