"""`tumorscan report`: an answer on one page, to print."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tumorscan.app.commands.shared import RESEARCH_USE, add_json, add_model, add_operating_point, emit, say
from tumorscan.errors import DataError, SettingsError, UnreadableScan

if TYPE_CHECKING:
    from tumorscan.deliver.sheet import Sheet
    from tumorscan.detect.detector import Detector

HELP = "an answer as a PDF of one page"
DESCRIPTION = """\
Answers for a picture or a study and prints it on one page of A4: the picture and the evidence over it,
the verdict, the probability and what it means, the operating point with its measured sensitivity and
specificity, the model, the limits, and SHA-256 of input and bundle. It reads in grey as well.

In place of a picture, a JSON file that `tumorscan predict --json` wrote for it: the picture that it names
is answered for again, at the operating point that it names, and the page is made only if the answer is the
same. Of a study with several series the largest is taken, or the one that --series names."""

_LARGEST_JSON = 64 * 1024**2
_SAME = 0.01
"""Probabilities that differ by less are those of two engines for one picture."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("input", type=Path, metavar="PICTURE|STUDY|FINDING")
    parser.add_argument("--pdf", type=Path, required=True, metavar="FILE", help="where the page goes")
    parser.add_argument("--series", type=int, metavar="N", help="of a study, largest first (default: 1)")
    add_model(parser)
    add_operating_point(parser)
    add_json(parser)


@dataclass(frozen=True)
class _Said:
    """An answer as `predict --json` wrote it; None where it does not say."""

    file: Path
    verdict: str
    probability: float | None
    operating_point: str
    model: str
    sha256: str | None


def run(options: argparse.Namespace) -> int:
    """Answer, draw, write."""
    from tumorscan.atomic import atomic_write_bytes
    from tumorscan.deliver.pdf import report_pdf
    from tumorscan.detect.detector import load_detector
    from tumorscan.errors import require

    if options.pdf.is_dir():
        raise SettingsError(f"{options.pdf}: is a folder: name a file")
    require("fpdf", "app")
    said = _read_said(options.input) if _is_json(options.input) else None
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
        _check_same(options.input, said, sheet)
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


def _sheet(detector: Detector, file: Path, series: int | None, said: _Said | None) -> Sheet:
    from tumorscan.deliver.sheets import picture_sheet, volume_sheet
    from tumorscan.detect.volume import find_volume
    from tumorscan.read import read_scan
    from tumorscan.read.study import is_study, read_study

    made = datetime.now().astimezone()
    if not is_study(file):
        if series is not None:
            raise SettingsError(f"{file}: is no study, so it has no series: leave out --series")
        scan = read_scan(file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if said and said.sha256 not in (None, digest):
            raise DataError(f"{file}: is not the picture that was answered for (SHA-256 differs)")
        return picture_sheet(detector, scan, digest, made)
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


def _is_json(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(64).lstrip()[:1] == b"{"
    except OSError:
        return False


def _read_said(file: Path) -> _Said:
    """The one answer in a file of JSON or JSON lines.

    Raises:
        UnreadableScan: it holds none, several, or something else.
    """
    if file.stat().st_size > _LARGEST_JSON:
        raise UnreadableScan(str(file), "is too large for the JSON of one answer")
    try:
        lines = [one for one in file.read_text(encoding="utf-8").splitlines() if one.strip()]
        tables = (
            [json.loads(line) for line in lines] if _each_whole(lines) else [json.loads("\n".join(lines))]
        )
    except (ValueError, RecursionError) as error:
        raise UnreadableScan(str(file), "is damaged JSON: write it again with `predict --json`") from error
    if len(tables) != 1:
        raise UnreadableScan(str(file), f"holds {len(tables)} answers: a page is of one, give it alone")
    table: dict[str, Any] = tables[0]
    if "error" in table:
        raise UnreadableScan(str(file), "holds an error and no answer")
    texts = [table.get(name) for name in ("file", "verdict", "operating_point", "model")]
    p, digest = table.get("probability"), table.get("sha256")
    if not all(isinstance(one, str) and one for one in texts) or not isinstance(p, float | int | None):
        raise UnreadableScan(str(file), "is no answer of `predict --json`: file, verdict or model is missing")
    name, verdict, point, model = (str(one) for one in texts)
    return _Said(_where(name, file), verdict, p, point, model, digest if isinstance(digest, str) else None)


def _each_whole(lines: list[str]) -> bool:
    """Whether each line is an object of its own, as JSON lines are."""
    return all(line.startswith("{") and line.endswith("}") for line in lines)


def _where(name: str, file: Path) -> Path:
    """The picture from where we are, or from where its answer lies."""
    beside = file.parent / name
    return beside if not Path(name).exists() and beside.exists() else Path(name)


def _check_same(file: Path, said: _Said, sheet: Sheet) -> None:
    now = sheet.finding
    same = str(now.verdict) == said.verdict and (now.probability is None) == (said.probability is None)
    if same and now.probability is not None and said.probability is not None:
        same = math.isclose(now.probability, said.probability, abs_tol=_SAME)
    if not same:
        raise DataError(
            f"{file}: says {said.verdict} ({said.probability}), and {now.file} gives {now.verdict} "
            f"({now.probability}): the picture or the engine is another; answer for it anew"
        )
