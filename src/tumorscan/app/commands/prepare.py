"""`tumorscan prepare`: see what the network will see."""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import add_json, add_settings, emit

HELP = "draw the preparation of one picture, step by step"
DESCRIPTION = """\
Writes one PNG with the picture before the preparation and after each of its steps."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, default=Path("prepared.png"), help="default: prepared.png")
    add_settings(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Prepare one picture and draw the steps side by side."""
    from tumorscan.app.commands.shared import settings_of
    from tumorscan.atomic import atomic_write_bytes
    from tumorscan.prepare.pipeline import prepare
    from tumorscan.prepare.strip import strip
    from tumorscan.read import read_scan
    from tumorscan.read.png import png_bytes

    scan = read_scan(options.file)
    prepared = prepare(scan, settings_of(options).prepare, keep_steps=True)
    atomic_write_bytes(options.out, png_bytes(strip(prepared.steps)))
    steps = [step.name for step in prepared.steps]
    table = {"file": str(options.file), "out": str(options.out), "steps": steps, "notes": list(scan.notes)}
    notes = f" ({'; '.join(scan.notes)})" if scan.notes else ""
    emit(options, table, f"{options.file}{notes}: {' -> '.join(steps)} -> {options.out}")
    return 0
