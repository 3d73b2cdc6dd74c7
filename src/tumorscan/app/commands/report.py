"""`tumorscan report`: an answer on one page, to print."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscan.app.commands.shared import RESEARCH_USE, add_json, add_model, add_operating_point, emit, say
from tumorscan.errors import DataError, SettingsError

if TYPE_CHECKING:
    from tumorscan.app.commands.earlier import Earlier
    from tumorscan.deliver.sheet import Sheet
    from tumorscan.detect.detector import Detector

HELP = "an answer as a PDF of one page"
DESCRIPTION = """\
Answers for a picture or a study and prints it on one page of A4: the picture and the evidence over it,
the verdict, the probability and what it means, the operating point with its measured sensitivity and
specificity, the model, the limits, and SHA-256 of input and bundle. It reads in grey as well.

In place of a picture, a JSON file that `tumorscan predict --json` wrote for it: what it names
is answered for again, at the operating point that it names, and the page is made only if picture and answer
are the same. Of a study with several series the largest is taken, or the one that --series names."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("input", type=Path, metavar="PICTURE|STUDY|FINDING")
    parser.add_argument("--pdf", type=Path, required=True, metavar="FILE", help="where the page goes")
    parser.add_argument("--series", type=int, metavar="N", help="of a study, largest first (default: 1)")
    add_model(parser)
    add_operating_point(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Answer, draw, write."""
    from tumorscan.app.commands.earlier import is_json, read_earlier
    from tumorscan.atomic import atomic_write_bytes
    from tumorscan.deliver.pdf import report_pdf
    from tumorscan.detect.detector import load_detector
    from tumorscan.errors import require

    if options.pdf.is_dir():
        raise SettingsError(f"{options.pdf}: is a folder: name a file")
    require("fpdf", "app")
    said = read_earlier(options.input, options.series) if is_json(options.input) else None
    if said and options.operating_point not in ("", said.operating_point):
        raise SettingsError(
            f"{options.input}: was said at the operating point {said.operating_point}: leave out "
            "--operating-point, or give the picture itself"
        )
    point = said.operating_point if said else options.operating_point
    detector = load_detector(options.model, options.engine, operating_point=point)
    if said and said.model != detector.model:
        raise DataError(
            f"{options.input}: was said by {said.model}, and this is {detector.model}: give it as --model"
        )
    file = said.file if said else options.input
    sheet = _sheet(detector, file, options.series, said)
    if said:
        said.check_answer(sheet.finding)
    atomic_write_bytes(options.pdf, report_pdf(sheet))
    finding = sheet.finding
    table = {
        "file": finding.file,
        "verdict": str(finding.verdict),
        "probability": finding.probability,
        "pdf": str(options.pdf),
    }
    emit(options, table, f"{finding.file}: {finding.verdict} -> {options.pdf}")
    if not options.json:
        say(RESEARCH_USE)
    return 0


def _sheet(detector: Detector, file: Path, series: int | None, said: Earlier | None) -> Sheet:
    from tumorscan.deliver.sheets import picture_sheet, volume_sheet
    from tumorscan.detect.volume import find_volume
    from tumorscan.read import read_scan
    from tumorscan.read.study import is_study, read_study

    made = datetime.now().astimezone()
    if not is_study(file):
        if series is not None:
            raise SettingsError(f"{file}: is no study, so it has no series: leave out --series")
        scan = read_scan(file)
        if said:
            said.check_picture(scan.sha256)
        return picture_sheet(detector, scan, made)
    study = read_study(file)
    for problem in study.problems:
        say(problem)
    number, count = 1 if series is None else series, len(study.volumes)
    if not 1 <= number <= count:
        raise SettingsError(f"--series is {number}: {file} has {count}, so it must lie in [1, {count}]")
    if count > 1 and series is None:
        say(f"{file}: has {count} series: this is the largest; --series names another")
    volume = study.volumes[number - 1]
    return volume_sheet(detector, volume, find_volume(detector, volume), made)
