"""`tumorscan predict`: the answer for each file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tumorscan.app.commands.overlays import Answered, Overlays, add_overlay, check_opacity
from tumorscan.app.commands.shared import RESEARCH_USE, add_json, add_model, say
from tumorscan.errors import UnreadableScan
from tumorscan.types import Finding

HELP = "say TUMOR DETECTED or NO TUMOR for each picture"
DESCRIPTION = """\
Reads, prepares and scores each file with what the bundle says, and prints verdict, calibrated
probability of a tumor and confidence. A file that cannot be read gets its own error line; the others
go on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE|FOLDER")
    add_model(parser)
    add_overlay(parser)
    add_json(parser, "one JSON object a line: a finding, or file and error")


def run(options: argparse.Namespace) -> int:
    """Answer for every file; exit code 3 when one could not be read."""
    from tumorscan.detect.detector import load_detector

    check_opacity(options.opacity)
    detector = load_detector(options.model, options.engine)
    overlays = Overlays(detector, options.overlay, options.opacity) if options.overlay else None
    failed = 0
    for answer, places in _answers(detector, options.paths, overlays):
        failed += isinstance(answer, UnreadableScan)
        print(json.dumps({**to_table(answer), **places}) if options.json else _text(answer), flush=True)
    if not options.json:
        point = detector.operating_point
        say(f"{detector.model}, threshold {point.threshold:.3f} ({point.name}, {point.fitted_on})")
        say(RESEARCH_USE)
    return UnreadableScan.exit_code if failed else 0


def _answers(detector: Any, paths: Iterable[Path], overlays: Overlays | None) -> Iterator[Answered]:
    from tumorscan.read.files import list_files

    for path in paths:
        try:
            files = list_files([path])
        except UnreadableScan as error:
            yield error, {}
            continue
        if not files:
            yield UnreadableScan(str(path), "holds no file: name a folder with pictures"), {}
        if overlays is None:
            yield from ((answer, {}) for answer in detector.find_files(files))
        else:
            yield from overlays.answers(files)


def to_table(answer: Finding | UnreadableScan) -> dict[str, Any]:
    """The JSON form of an answer: a finding, or `file` and `error`."""
    if isinstance(answer, UnreadableScan):
        return {"file": answer.file, "error": answer.cause}
    return {
        "file": answer.file,
        "verdict": str(answer.verdict),
        "probability": round(answer.probability, 6),
        "confidence": round(answer.confidence, 2),
        "threshold": round(answer.threshold, 6),
        "operating_point": answer.operating_point,
        "model": answer.model,
        "notes": list(answer.notes),
        "milliseconds": answer.milliseconds,
    }


def _text(answer: Finding | UnreadableScan) -> str:
    if isinstance(answer, UnreadableScan):
        return f"{answer.file}: ERROR {answer.cause}"
    return f"{answer.file}: {answer.verdict} ({answer.confidence:.1f} %), p(tumor) {answer.probability:.3f}"
