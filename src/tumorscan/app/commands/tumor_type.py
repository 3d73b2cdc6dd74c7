"""`tumorscan tumor-type`: how well a bundle tells tumor types, and how that is fitted."""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import add_json, emit, shows_progress
from tumorscan.app.commands.type_experiment import add_error

HELP = "fit or measure the hint at a found tumor's type"
DESCRIPTION = """\
tumorscan tumor-type BUNDLE CSV [--fold FOLD]
  how well the bundle tells the types of a csv's slices (columns file, tumor_type, patient, fold), with
  intervals over patients; with --fold those of every patient who has a slice in it.

tumorscan tumor-type BUNDLE CSV --fit [--fold FOLD]
  fits the types on the csv without those patients, writes them into the bundle, and measures them there.

The hint is for research: it knows the types of its training and no other. `tumorscan experiment tumor-type`
measures every fold."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", type=Path, metavar="BUNDLE", help="folder of a bundle, or of a finished run")
    parser.add_argument("table", type=Path, metavar="CSV")
    parser.add_argument("--fit", action="store_true", help="fit the types and write them into the bundle")
    parser.add_argument(
        "--fold", default="", metavar="FOLD", help="its patients are measured, never fitted on"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="a .npz that keeps features for the next time"
    )
    add_error(parser)
    parser.add_argument("--engine", default="auto", metavar="NAME", help="what runs the network")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Fit if asked to, then measure."""
    from tumorscan.detect.detector import load_detector
    from tumorscan.study.type_fit import fit_bundle_types, measure_bundle_types, open_untyped

    detector = (open_untyped if options.fit else load_detector)(options.model, options.engine)
    more = {"kept": options.keep, "progress": shows_progress(options)}
    if options.fit:
        _, figures = fit_bundle_types(
            detector, options.table, keep_out=options.fold, error=options.error, **more
        )
    else:
        figures = measure_bundle_types(detector, options.table, fold=options.fold, **more)
    done = f"tumor types written into {detector.bundle.folder}" if options.fit else ""
    if figures is None:
        emit(options, {"written": str(detector.bundle.folder), "figures": None}, f"{done}; nothing measured")
        return 0
    where = f"patients of fold {options.fold}" if options.fold else "all patients"
    head = f"{where}: {figures.slices} slices of {figures.patients} patients"
    text = "\n".join([*([done] if done else []), head, *figures.lines()])
    emit(options, {"measured": where, **figures.to_table()}, text)
    return 0
