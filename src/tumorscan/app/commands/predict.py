"""`tumorscan predict`: the answer for each file."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscan.app.commands.overlays import Overlays, add_overlay, check_opacity
from tumorscan.app.commands.said import answer_line
from tumorscan.app.commands.shared import (
    RESEARCH_USE,
    add_json,
    add_model,
    add_operating_point,
    emit,
    say,
    shows_progress,
)
from tumorscan.errors import SettingsError, UnreadableScan

if TYPE_CHECKING:
    from tumorscan.app.commands.listing import Listing
    from tumorscan.app.commands.overlays import Answered
    from tumorscan.detect.bulk import Summary, Work
    from tumorscan.detect.detector import Detector
    from tumorscan.detect.ray_session import Cluster
    from tumorscan.detect.rows import Item
    from tumorscan.detect.shard import BulkSettings

HELP = "say TUMOR DETECTED, NO TUMOR or CANNOT SAY for each picture or volume"
DESCRIPTION = """\
Reads, prepares and scores each file with what the bundle says, and prints verdict, calibrated
probability of a tumor and confidence: how probable it is that the verdict is true, in per cent. A
bundle with an uncertain band says CANNOT SAY where operating point and band do not agree. A bundle that
tells tumor types adds one, or "not sure", to TUMOR DETECTED: a hint for research. A file that cannot be
read gets its own error line; the others go on.

A study is a DICOM or NIfTI file, or a folder or zip that holds one (extra `dicom`): each of its volumes
gets one verdict, a key slice and the run of suspicious slices. Studies and pictures may stand in one list.

A pattern such as 'scans/**/*.png' may stand in quotes. A csv is a list: its column `file` names the
files, relative to the csv; its other columns are passed on to the results.

With --out the answers go to a file, one row a picture in the order of the list. Each answer is kept in
a journal beside it (FILE.part.jsonl) until all are there: after a kill or ctrl-C the same command goes
on where it was, and no file is done twice. There every file is a picture of its own, DICOM slices too.

--scale ray has the same done by processes of Ray, on this machine or, with --ray-address, on a cluster
of which all machines see the pictures and the bundle under the same paths."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE|FOLDER|STUDY|PATTERN|CSV")
    add_model(parser)
    add_operating_point(parser)
    add_overlay(parser)
    add_json(parser, "one JSON object a line: a finding, a study, or file and error; with --out: a summary")
    bulk = parser.add_argument_group("many files")
    bulk.add_argument("--out", type=Path, metavar="FILE", help="results to a .csv, .jsonl or .parquet file")
    bulk.add_argument(
        "--batch", type=int, metavar="N", help="pictures the network sees at once (default: 16)"
    )
    bulk.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="threads that read and prepare; with --scale, processes of one core (default: one a core)",
    )
    bulk.add_argument("--scale", choices=["ray"], help="what does the work, in place of this process")
    bulk.add_argument(
        "--ray-address",
        metavar="HOST:PORT",
        help="of a running Ray cluster, or auto (default: start Ray here for the time of the run)",
    )
    bulk.add_argument("--progress", action="store_true", help="show a bar even where stderr is no terminal")


def run(options: argparse.Namespace) -> int:
    """Answer for every file; exit code 3 when one could not be read."""
    from tumorscan.detect.shard import BulkSettings

    given = {name: value for name in ("batch", "workers") if (value := getattr(options, name)) is not None}
    check_opacity(options.opacity)
    if options.ray_address is not None and options.scale is None:
        raise SettingsError("--ray-address says where Ray runs: give --scale ray as well")
    if options.out is not None:
        if options.overlay is not None:
            raise SettingsError("--overlay draws beside answers that are printed: leave out --out")
        cluster = _cluster(options, given.pop("workers", 0)) if options.scale else None
        return _to_file(options, BulkSettings(**given), cluster)
    alone = [*given, *(name for name in ("scale", "progress") if getattr(options, name))]
    if alone:
        raise SettingsError(f"--{alone[0]} is for many files: name the result's file with --out")
    return _stream(options)


def _cluster(options: argparse.Namespace, workers: int) -> Cluster:
    from tumorscan.detect.ray_session import Cluster, check_ray

    cluster = Cluster(options.ray_address or "", workers)
    check_ray(cluster)
    return cluster


def _stream(options: argparse.Namespace) -> int:
    from tumorscan.app.commands.study_answers import answer_study
    from tumorscan.detect.detector import load_detector
    from tumorscan.detect.rows import to_table

    parts = _parts(options.paths)
    detector = load_detector(options.model, options.engine, operating_point=options.operating_point)
    overlays = Overlays(detector, options.overlay, options.opacity) if options.overlay else None
    failed = 0
    for part in parts:
        if isinstance(part, Path):
            study = answer_study(detector, part, overlays, progress=shows_progress(options))
            failed += study.failed
            print(json.dumps(study.table) if options.json else study.text, flush=True)
            continue
        for answer, places in _answers(detector, part, overlays):
            failed += isinstance(answer, UnreadableScan)
            table = {**to_table(answer), **places}
            print(json.dumps(table) if options.json else answer_line(answer), flush=True)
    if not options.json:
        _say_model(detector)
    return UnreadableScan.exit_code if failed else 0


def _parts(paths: Sequence[Path]) -> Iterator[Path | list[Item]]:
    """Studies one by one, and the pictures between them, in order; lists are checked before the first."""
    from tumorscan.app.commands.listing import list_items
    from tumorscan.read.study import is_study

    given = [path if is_study(path) else list_items([path]).items for path in paths]
    for one in given:
        if isinstance(one, Path):
            yield one
            continue
        for study, items in groupby(one, lambda item: not item.problem and is_study(item.file)):
            if study:
                yield from (Path(item.file) for item in items)
            else:
                yield list(items)


def _answers(detector: Detector, items: Sequence[Item], overlays: Overlays | None) -> Iterator[Answered]:
    from tumorscan.detect.shard import BulkSettings, answers

    if overlays is None:
        yield from ((answer, {}) for _, answer in answers(detector, items, BulkSettings(batch=1)))
        return
    for item in items:
        if item.problem:
            yield UnreadableScan(item.name, item.problem), {}
        else:
            yield from overlays.answers([Path(item.file)])


def _to_file(options: argparse.Namespace, settings: BulkSettings, cluster: Cluster | None) -> int:
    from tumorscan.app.commands.listing import list_items
    from tumorscan.detect.bulk import journal_path
    from tumorscan.detect.detector import load_detector
    from tumorscan.detect.results import check_format

    check_format(options.out)
    listing = list_items(options.paths, (options.out, journal_path(options.out)))
    listing.check()
    detector = load_detector(options.model, options.engine, operating_point=options.operating_point)
    begun = time.perf_counter()
    summary = _predicted(options, detector, listing, settings, cluster)
    seconds = time.perf_counter() - begun
    _emit_summary(options, summary, seconds)
    if not options.json:
        _say_model(detector)
    return UnreadableScan.exit_code if summary.errors else 0


def _predicted(
    options: argparse.Namespace,
    detector: Detector,
    listing: Listing,
    settings: BulkSettings,
    cluster: Cluster | None,
) -> Summary:
    from tumorscan.detect.bulk import journal_path, predict_all

    try:
        return predict_all(
            detector,
            listing.items,
            options.out,
            carried=listing.carried,
            settings=settings,
            work=_work(detector, listing, settings, cluster),
            progress=options.progress or shows_progress(options),
        )
    except KeyboardInterrupt:
        journal = journal_path(options.out)
        how = f"interrupted: run the same command again to go on; what is done is kept in {journal}"
        raise KeyboardInterrupt(how) from None


def _work(
    detector: Detector, listing: Listing, settings: BulkSettings, cluster: Cluster | None
) -> Work | None:
    if cluster is None:
        return None
    from tumorscan.detect.scale_ray import work_on_ray

    return work_on_ray(detector, cluster, listing.carried, settings)


def _emit_summary(options: argparse.Namespace, summary: Summary, seconds: float) -> None:
    fresh = summary.files - summary.resumed
    table = {
        "out": str(options.out),
        "files": summary.files,
        "verdicts": summary.verdicts,
        "errors": summary.errors,
        "resumed": summary.resumed,
        "seconds": round(seconds, 3),
        "files_per_second": round(fresh / seconds, 2),
    }
    said = [f"{count} {verdict}" for verdict, count in sorted(summary.verdicts.items())]
    before = f", {summary.resumed} of them done before" if summary.resumed else ""
    text = (
        f"{summary.files} files: {', '.join([*said, f'{summary.errors} errors'])} -> {options.out} "
        f"({table['files_per_second']} files/s{before})"
    )
    emit(options, table, text)


def _say_model(detector: Detector) -> None:
    point = detector.operating_point
    say(f"{detector.model}, threshold {point.threshold:.3f} ({point.name}, {point.fitted_on})")
    say(RESEARCH_USE)
