"""A long list of files to one result file, with a journal to go on from after a kill."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from tqdm import tqdm

from tumorscan.detect.detector import Detector
from tumorscan.detect.journal import Journal, RunId, hash_of
from tumorscan.detect.results import check_format, write_results
from tumorscan.detect.rows import COLUMNS, Item, Row
from tumorscan.detect.shard import BulkSettings, rows
from tumorscan.errors import DataError
from tumorscan.model.bundle import GATE
from tumorscan.prepare.pipeline import fingerprint

Work = Callable[[Iterable[tuple[int, Item]]], Generator[tuple[int, Row], None, None]]
"""Numbered files to their rows, in any order, each once: threads here, or a cluster."""


@dataclass(frozen=True)
class Summary:
    """What came of a run.

    Attributes:
        files: how many rows the result has.
        verdicts: how often each was said.
        errors: files without a verdict.
        resumed: rows that an earlier, interrupted run had done.
    """

    files: int
    verdicts: Mapping[str, int] = field(default_factory=dict)
    errors: int = 0
    resumed: int = 0


def journal_path(out: Path) -> Path:
    """Where the rows stand until the result is whole."""
    return out.with_name(f"{out.name}.part.jsonl")


def predict_all(
    detector: Detector,
    items: Sequence[Item],
    out: Path,
    *,
    carried: Sequence[str] = (),
    settings: BulkSettings | None = None,
    work: Work | None = None,
    progress: bool = False,
) -> Summary:
    """Answer for every file and write the result, in the order of the list.

    Rows go to a journal beside the result one by one; the same call made again does what is missing.
    The result is written from it at the end, whole, and the journal is deleted.

    Args:
        detector: that answers.
        items: at least one; the same file may come twice.
        out: a .csv, .jsonl or .parquet file; an old one is replaced at the end.
        carried: names of the items' carried columns.
        settings: batch, threads, limits.
        work: what does the files; by default this process, with `settings`.
        progress: show a bar with rate and remaining time on stderr.

    Raises:
        SettingsError: `out` has no known format, or its journal is of another run.
        DataError: a carried column has the name of one of ours.
        EnvironmentProblem: the disk is full or read-only; what is done is kept.
    """
    check_format(out)
    clash = [name for name in carried if name in COLUMNS]
    if clash:
        raise DataError(
            f"column {', '.join(clash)}: the result has a column of that name: rename it in the csv"
        )
    settings = settings or BulkSettings()
    work = work or partial(rows, detector, carried=carried, settings=settings)
    run = RunId(detector.model, fingerprint_of(detector, settings), hash_of(items, carried), len(items))
    with Journal(journal_path(out), run) as journal:
        resumed = journal.done
        missing = ((number, items[number]) for number in journal.missing())
        with (
            tqdm(total=len(items), initial=resumed, unit=" files", disable=not progress) as bar,
            closing(work(missing)) as found,
        ):
            for number, row in found:
                journal.append(number, row)
                bar.update()
        verdicts: Counter[str] = Counter()
        write_results(out, (*COLUMNS, *carried), _counted(journal, verdicts))
        journal.remove()
    errors = verdicts.pop("", 0)
    return Summary(len(items), dict(verdicts), errors, resumed)


def fingerprint_of(detector: Detector, settings: BulkSettings) -> str:
    """Of all that an answer depends on besides the file and the weights; batch and threads are not of it."""
    table = {
        "prepare": fingerprint(detector.bundle.manifest.settings.prepare),
        "calibration": asdict(detector.calibration),
        "band": asdict(detector.band) if detector.band else None,
        "threshold": detector.operating_point.threshold,
        "operating_point": detector.operating_point.name,
        "engine": detector.engine.name,
        "gate": detector.bundle.manifest.files.get(GATE),
        "limits": asdict(settings.limits),
    }
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:16]


def _counted(journal: Journal, verdicts: Counter[str]) -> Iterator[Row]:
    for row in journal.rows():
        verdicts[row["verdict"] or ""] += 1
        yield row
