"""`tumorscan experiment sources`: what a recipe finds in sources that it has not seen."""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import add_json, add_recipe, emit, recipe_of, say, shows_progress

HELP = "train without a source, test on it, for each source"
DESCRIPTION = """\
Trains an evidence head once for each source, without a picture of it, and tests on all of it; temperature
and operating point come from the other sources too. With --within SOURCE the folds of one source are left
out instead, whole groups at a time. A fit that is done is not done again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the experiment's arguments."""
    parser.add_argument("sources", nargs="+", type=Path, metavar="FOLDER|CSV")
    parser.add_argument("--out", type=Path, required=True, help="folder of the experiment")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="SOURCE",
        help="leave out these sources only; A+B: both at once",
    )
    which.add_argument("--within", default="", metavar="SOURCE", help="leave out the folds of this source")
    parser.add_argument("--folds", type=int, default=5, help="of --within (default: 5)")
    add_recipe(parser, "evidence")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the experiment."""
    from tumorscan.study.held_out import sources_experiment

    table = sources_experiment(
        options.sources,
        recipe_of(options),
        options.out,
        only=options.only,
        within=options.within,
        folds=options.folds,
        progress=shows_progress(options),
        say=say,
    )
    emit(options, table.to_table(), table.to_text())
    return 0
