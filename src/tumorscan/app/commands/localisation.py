"""`tumorscan experiment localisation`: does the evidence lie in the lesion?"""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import add_sets, emit, trial_of

HELP = "does the evidence lie in the lesion, and does blanking it lower the score"
DESCRIPTION = """\
On the tumor pictures whose lesion a csv gives (columns box_x, box_y, box_w, box_h as fractions, or mask):
how often the evidence peaks in the lesion, how far both overlap, against other bundles' maps, a random map
and the middle of the picture; and whether blanking the peak lowers the score more than blanking other
places. Writes report.html, metrics.json, pictures.csv and figures. Each run counts as a look at the sets."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_sets(parser)
    parser.add_argument(
        "--against", type=Path, nargs="+", default=[], metavar="BUNDLE", help="other bundles to compare with"
    )
    parser.add_argument(
        "--most", type=int, default=0, metavar="N", help="tumor pictures that are drawn (default: all)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the draw, the random map, the places (1)")


def run(options: argparse.Namespace) -> int:
    """Measure and report."""
    from tumorscan.study.localisation import measure_localisation

    trial = trial_of(options, options.sets)
    result = measure_localisation(trial, against=options.against, most=options.most, seed=options.seed)
    emit(options, result.to_table(), result.to_text())
    return 0
