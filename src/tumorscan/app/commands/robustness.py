"""`tumorscan experiment robustness`: sensitivity and specificity on spoilt scans."""

from __future__ import annotations

import argparse

from tumorscan.app.commands.shared import add_sets, emit, trial_of

HELP = "noise, blur, gamma, bias field, resaving, rotation, shift, crop, resolution, inversion"
DESCRIPTION = """\
Spoils scans in eleven ways at five strengths before they are prepared, and measures sensitivity and
specificity at the shipped operating point, and AUC. Writes report.html, metrics.json, curves.png and
examples.png. Goes on after a kill: the scores stand in scores-*.jsonl in the folder of the report.
Each run counts as a look at the sets."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_sets(parser)
    parser.add_argument(
        "--most", type=int, default=200, metavar="N", help="pictures that are drawn, both classes alike (200)"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help='some corruptions, as in --only blur "bias field"',
    )
    parser.add_argument("--seed", type=int, default=1, help="of the draw and the corruptions (1)")


def run(options: argparse.Namespace) -> int:
    """Measure and report."""
    from tumorscan.study.robustness import measure_robustness

    trial = trial_of(options, options.sets)
    result = measure_robustness(trial, names=options.only, most=options.most, seed=options.seed)
    emit(options, result.to_table(), result.to_text())
    return 0
