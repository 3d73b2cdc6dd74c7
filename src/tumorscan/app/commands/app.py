"""`tumorscan app`: the page."""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscan.app.commands.shared import add_model, add_operating_point, say
from tumorscan.errors import SettingsError

HELP = "open the page: drop a picture, read the verdict"
DESCRIPTION = """\
Serves the page on this machine. Everything stays here: no telemetry, no outside request, and what is
uploaded is deleted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model(parser)
    add_operating_point(parser)
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine only")
    parser.add_argument("--port", type=int, default=7860, help="default: 7860")
    parser.add_argument(
        "--compare", type=Path, metavar="BUNDLE", help="a second bundle, for the page's tab Compare"
    )
    parser.set_defaults(json=False)


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted."""
    if not 1 <= options.port <= 65535:
        raise SettingsError(f"--port is {options.port}: it must lie in [1, 65535]")
    from tumorscan.app.page import serve
    from tumorscan.detect.detector import load_detector

    detector = load_detector(options.model, options.engine, operating_point=options.operating_point)
    other = load_detector(options.compare, options.engine) if options.compare else None
    serve(detector, options.host, options.port, say=say, other=other)
    return 0
