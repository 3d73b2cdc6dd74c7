"""The commands, each a module with HELP, DESCRIPTION, add_arguments and run; none imports heavy things."""

from __future__ import annotations

import argparse
from typing import Protocol

from tumorscan.app.commands import (
    app,
    card,
    catalog,
    controls,
    crossval,
    deidentify,
    deliver,
    evaluate,
    experiment,
    export,
    gate,
    info,
    leaks,
    node,
    phantom,
    predict,
    prepare,
    report,
    train,
    tumor_type,
)


class Command(Protocol):
    """What a module of this package offers."""

    HELP: str
    DESCRIPTION: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, options: argparse.Namespace) -> int:
        """Do it; returns the exit code."""


COMMANDS: dict[str, Command] = {
    "catalog": catalog,
    "leaks": leaks,
    "prepare": prepare,
    "train": train,
    "evaluate": evaluate,
    "controls": controls,
    "card": card,
    "crossval": crossval,
    "experiment": experiment,
    "export": export,
    "gate": gate,
    "tumor-type": tumor_type,
    "predict": predict,
    "deliver": deliver,
    "report": report,
    "app": app,
    "deidentify": deidentify,
    "node": node,
    "phantom": phantom,
    "info": info,
}
