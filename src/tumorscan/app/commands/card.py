"""`tumorscan card`: what a bundle is, for people."""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import add_json, emit

HELP = "write the card of a bundle: use, data, figures, limits, and reporting checklists"
DESCRIPTION = """\
Made from the bundle alone: intended use, data and weights lineage, preparation, training, operating
points, figures with intervals, looks at external sets, limits, and the items of CLAIM 2024 and TRIPOD+AI
that a bundle can answer. The same bundle gives the same card. Without --out it is printed; `train` and
`evaluate` keep BUNDLE/card.md up to date."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "bundle", type=Path, metavar="BUNDLE", help="folder of a bundle, or of a finished run"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it there, for example card.md")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Make the card and print or write it."""
    from tumorscan.atomic import atomic_write_text
    from tumorscan.evaluate.card import card_text
    from tumorscan.model.bundle import read_bundle

    bundle = read_bundle(options.bundle)
    text = card_text(bundle.manifest)
    table = {"model": bundle.manifest.title}
    if options.out is None:
        emit(options, {**table, "card": text}, text.rstrip("\n"))
    else:
        atomic_write_text(options.out, text)
        emit(options, {**table, "out": str(options.out)}, f"{bundle.manifest.title} -> {options.out}")
    return 0
