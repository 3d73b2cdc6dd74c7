"""`tumorscan phantom`: drawn pictures to try everything on."""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import add_json, emit
from tumorscan.errors import SettingsError

HELP = "draw slice pictures with and without lesions, for trying things"
DESCRIPTION = """\
Draws simulated MRI slices (skull, ventricles, texture, noise, bias field), half of them with a lesion,
into DIR/yes and DIR/no, with boxes in DIR/phantoms.csv. With --study, one whole head as a DICOM series
(MR, a file a slice). No patient's picture is involved."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument(
        "-n", "--count", type=int, help="pictures in all (default: 60), or slices (default: 24)"
    )
    parser.add_argument("--study", action="store_true", help="one head as a DICOM series (extra `dicom`)")
    parser.add_argument("--healthy", action="store_true", help="with --study: the head has no lesion")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same pictures (default: 1)")
    parser.add_argument(
        "--plain", action="store_true", help="large bright lesions that a small network learns in seconds"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Draw and write."""
    if options.study:
        return _study(options)
    if options.healthy:
        raise SettingsError(
            "--healthy goes with --study: single pictures come half with a lesion, half without"
        )
    from tumorscan.data.phantom import write_phantoms

    count = 60 if options.count is None else options.count
    write_phantoms(options.folder, count, options.seed, plain=options.plain)
    table = {"folder": str(options.folder), "count": count, "seed": options.seed}
    emit(options, table, f"{count} phantoms -> {options.folder}")
    return 0


def _study(options: argparse.Namespace) -> int:
    from tumorscan.data.phantom_study import write_study

    slices, tumor = 24 if options.count is None else options.count, not options.healthy
    write_study(options.folder, options.seed, slices=slices, tumor=tumor)
    table = {"folder": str(options.folder), "slices": slices, "seed": options.seed, "tumor": tumor}
    emit(
        options,
        table,
        f"a drawn head of {slices} slices {'with' if tumor else 'without'} a lesion -> {options.folder}",
    )
    return 0
