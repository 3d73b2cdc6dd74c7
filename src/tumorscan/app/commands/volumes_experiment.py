"""`tumorscan experiment volumes`: a bundle against whole volumes and their masks."""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import add_json, emit, say, shows_progress

HELP = "verdicts, key slices and suspicious runs against volumes with masks"
DESCRIPTION = """\
Answers for every volume that a csv names in its column `volume` (a DICOM or NIfTI file, or a folder or zip
that holds one volume; relative to the csv), and compares with its column `mask` (NIfTI of the same grid, not
0 on the tumor) or `label` (tumor, no_tumor); `patient` joins volumes of one patient. Writes report.html,
metrics.json, volumes.csv and slices.csv; intervals come from drawing patients. Each run counts as a look.
Needs the extras `dicom` and `train`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="folder of a bundle, or of a finished run")
    parser.add_argument("--sets", type=Path, required=True, metavar="CSV", help="the volumes")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="default: beside the bundle")
    parser.add_argument("--engine", default="auto", help="what runs the network (default: auto)")
    parser.add_argument("--seed", type=int, default=1, help="of the intervals (default: 1)")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Measure and report."""
    from tumorscan.study.opened import Trial
    from tumorscan.study.volumes import measure_volumes

    trial = Trial(
        options.model,
        [options.sets],
        out=options.out,
        engine=options.engine,
        progress=shows_progress(options),
        say=say,
    )
    result = measure_volumes(trial, seed=options.seed)
    emit(options, result.to_table(), result.to_text())
    return 0
