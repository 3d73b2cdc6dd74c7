"""`tumorscan experiment patients`: a bundle against the stacks that a csv's slices make up."""

from __future__ import annotations

import argparse

from tumorscan.app.commands.shared import add_sets, emit, trial_of

HELP = "verdicts a patient, from a csv of slices"
DESCRIPTION = """\
Puts the slices of a csv (columns file, label, patient, slice, and time where a patient has several series)
together by patient and time, answers for each stack as for a volume, and compares with the labels of its
slices. Writes report.html, metrics.json, volumes.csv and slices.csv; intervals come from drawing patients.
Each run counts as a look at the set."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_sets(parser)
    parser.add_argument("--spacing", type=float, default=5.0, metavar="MM", help="of slices (default: 5)")
    parser.add_argument("--seed", type=int, default=1, help="of the intervals (default: 1)")


def run(options: argparse.Namespace) -> int:
    """Measure and report."""
    from tumorscan.study.volumes import measure_patients

    trial = trial_of(options, options.sets)
    result = measure_patients(trial, spacing=options.spacing, seed=options.seed)
    emit(options, result.to_table(), result.to_text())
    return 0
