"""`tumorscan experiment`: studies that compare recipes or splits, or that try a bundle hard."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tumorscan.app.commands import (
    held_out,
    leak_experiment,
    localisation,
    patients_experiment,
    robustness,
    type_experiment,
    volumes_experiment,
)
from tumorscan.app.commands.shared import add_command

if TYPE_CHECKING:
    from tumorscan.app.commands import Command

HELP = "what a leak is worth, how a bundle bears spoilt scans, and other studies"
DESCRIPTION = "Studies, each with arguments of its own: tumorscan experiment NAME --help"

EXPERIMENTS: dict[str, Command] = {
    "leak": leak_experiment,
    "localisation": localisation,
    "patients": patients_experiment,
    "robustness": robustness,
    "sources": held_out,
    "volumes": volumes_experiment,
    "tumor-type": type_experiment,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of every experiment."""
    kinds = parser.add_subparsers(title="experiments", metavar="NAME", dest="experiment", required=True)
    for name, experiment in EXPERIMENTS.items():
        add_command(kinds, name, experiment)


def run(options: argparse.Namespace) -> int:
    """Run the experiment."""
    return EXPERIMENTS[options.experiment].run(options)
