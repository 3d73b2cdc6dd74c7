"""`tumorscan train`: from a folder to a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import (
    add_allow_leaks,
    add_json,
    add_recipe,
    emit,
    recipe_of,
    say,
    selection,
    shows_progress,
)

HELP = "train a model on folders or csv files and write its bundle"
DESCRIPTION = """\
Catalogs the pictures, splits them by group into train, validation, calibration and test, prepares
them, trains (in two phases, or an evidence head in three), fits temperature and threshold on the
calibration split, and writes the bundle to OUT/bundle. The test split is not opened. A killed run goes
on when the same command is given again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("sources", nargs="+", type=Path, metavar="FOLDER|CSV")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    add_recipe(parser, "evidence")
    parser.add_argument(
        "--test-where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="the test split is every patient or group with a csv row that holds it, and no lots are drawn",
    )
    add_allow_leaks(
        parser, "take a split.csv of OUT whose parts share copies or patients; the bundle's lineage says so"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Train, or go on training."""
    from tumorscan.study.run import train_run

    settings = recipe_of(options)
    bundle = train_run(
        options.sources,
        settings,
        options.out,
        test_where=selection(options.test_where),
        allow_leaks=options.allow_leaks,
        progress=shows_progress(options),
        say=say,
    )
    calibration, point = bundle.fitted()
    table = {
        "bundle": str(bundle.folder),
        "model": bundle.manifest.title,
        "temperature": bundle.manifest.temperature,
        "calibration": calibration.words,
        "threshold": point.threshold,
        "validation_auc": bundle.manifest.lineage["chosen"]["val_auc"],
    }
    emit(options, table, f"{bundle.manifest.title} -> {bundle.folder}")
    return 0
