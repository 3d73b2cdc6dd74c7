"""`tumorscan deliver`: the answer for a study as DICOM objects that go into it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tumorscan.app.commands.shared import (
    RESEARCH_USE,
    add_json,
    add_model,
    add_operating_point,
    emit,
    say,
)
from tumorscan.errors import UnreadableScan

if TYPE_CHECKING:
    from tumorscan.detect.detector import Detector
    from tumorscan.types import Volume

HELP = "answer for a study, as DICOM objects in the same study"
DESCRIPTION = """\
Reads a DICOM study (file, folder or zip), answers for each of its series, and writes what was found as
DICOM files into FOLDER: sr, a structured report (Comprehensive SR, TID 1500, unverified); capture, a
Secondary Capture of the key slice with the evidence over it; gsps, the outline of the evidence as a
presentation state; map, the evidence as numbers (Parametric Map). They belong to the original study, in
series of their own; the same answer for the same study gives the same bytes. What cannot be made of a
series is said. NIfTI has no study to go into: `tumorscan report` makes a PDF of it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("study", type=Path, metavar="STUDY")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the .dcm files go")
    parser.add_argument(
        "--objects",
        default="sr,capture,gsps,map",
        metavar="LIST",
        help="which, with commas between them (default: sr,capture,gsps,map)",
    )
    add_model(parser)
    add_operating_point(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Answer and write; exit code 3 when a series or a file gave nothing."""
    from tumorscan.deliver.objects import check_kinds
    from tumorscan.detect.detector import load_detector
    from tumorscan.errors import require
    from tumorscan.read.study import read_study

    kinds = tuple(one.strip() for one in options.objects.split(",") if one.strip())
    check_kinds(kinds)
    require("highdicom", "dicom")
    study = read_study(options.study)
    detector = load_detector(options.model, options.engine, operating_point=options.operating_point)
    rows = [
        _delivered(detector, volume, number, kinds, options.out)
        for number, volume in enumerate(study.volumes, start=1)
    ]
    for problem in study.problems:
        say(problem)
    table = {"study": str(options.study), "out": str(options.out), "series": rows}
    emit(options, {**table, "problems": list(study.problems)}, "\n".join(_text(row) for row in rows))
    if not options.json:
        say(RESEARCH_USE)
    failed = any("error" in row for row in rows) or study.problems
    return UnreadableScan.exit_code if failed else 0


def _delivered(
    detector: Detector, volume: Volume, number: int, kinds: tuple[str, ...], out: Path
) -> dict[str, Any]:
    """One series: its answer, and the files written, or why there are none."""
    from tumorscan.atomic import atomic_write_bytes
    from tumorscan.deliver.objects import deliver_objects, dicom_bytes, kind_of, tell
    from tumorscan.deliver.source import check_dicom
    from tumorscan.detect.rows import to_table
    from tumorscan.detect.volume import find_volume

    left_out: list[str] = []
    files: list[dict[str, str]] = []
    answer: dict[str, Any] = {"file": volume.name}
    try:
        check_dicom(volume)
        found = find_volume(detector, volume)
        answer = to_table(found.finding)
        made = deliver_objects(tell(detector, volume, found, kinds), kinds, say=left_out.append)
    except UnreadableScan as error:
        return {**answer, "error": error.cause}
    for one in made:
        kind = kind_of(one)
        file = out / f"{number}-{kind}.dcm"
        atomic_write_bytes(file, dicom_bytes(one))
        files.append({"kind": kind, "file": str(file), "sop_instance_uid": str(one.SOPInstanceUID)})
    return {**answer, "objects": files, "left_out": left_out}


def _text(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"{row['file']}: ERROR {row['error']}"
    said = f"{row['file']}: {row['verdict']}, p(tumor) {row['probability']:.3f}"
    lines = [said, *(f"  {one['file']}" for one in row["objects"]), *(f"  {one}" for one in row["left_out"])]
    return "\n".join(lines)
