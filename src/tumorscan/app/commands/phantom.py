"""`tumorscan phantom`: drawn pictures to try everything on."""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import add_json, emit

HELP = "draw slice pictures with and without lesions, for trying things"
DESCRIPTION = """\
Draws simulated MRI slices (skull, ventricles, texture, noise, bias field), half of them with a lesion,
into DIR/yes and DIR/no, with boxes in DIR/phantoms.csv. No patient's picture is involved."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("-n", "--count", type=int, default=60, help="pictures in all (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same pictures (default: 1)")
    parser.add_argument(
        "--plain", action="store_true", help="large bright lesions that a small network learns in seconds"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Draw and write."""
    from tumorscan.data.phantom import write_phantoms

    write_phantoms(options.folder, options.count, options.seed, plain=options.plain)
    table = {"folder": str(options.folder), "count": options.count, "seed": options.seed}
    emit(options, table, f"{options.count} phantoms -> {options.folder}")
    return 0
