"""Many files to answers: from a list of uploads, with zips opened, a row each, and an end on request."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tumorscan.app.desk import files_of, guarded, name_of, table_of
from tumorscan.app.page import parts
from tumorscan.app.service import Overloaded
from tumorscan.config import StudyLimits
from tumorscan.errors import UnreadableScan
from tumorscan.read import read_bytes
from tumorscan.read.archive import opened
from tumorscan.read.sources import file_source
from tumorscan.types import Finding

if TYPE_CHECKING:
    from tumorscan.app.desk import Desk

MOST_FILES: Final = 2000
"""Of one batch, members of zips included."""

_MOST_BYTES: Final = 2 * 1024**3
_ZIP: Final = b"PK\x03\x04"
_WORKERS: Final = 8
_PATIENCE: Final = 120.0
_THUMBNAIL: Final = 72


@dataclass(frozen=True)
class Handed:
    """A file of a batch.

    Attributes:
        name: what the person calls it; of a zip's member ``archive.zip!member``.
        fetch: gives its bytes, or raises `UnreadableScan`.
    """

    name: str
    fetch: Callable[[], bytes]


@dataclass(frozen=True)
class Line:
    """A row of the table.

    Attributes:
        name: of the file.
        answer: a finding, or why there is none.
        thumbnail: a small picture as a data address; empty where none could be read.
    """

    name: str
    answer: Finding | UnreadableScan
    thumbnail: str = ""


@dataclass(frozen=True)
class Progress:
    """How far a batch is.

    Attributes:
        lines: done so far, in the order of the files.
        total: files.
        seconds: since the first.
        stopped: a person ended it before it was through.
        running: more is to come.
    """

    lines: Sequence[Line]
    total: int
    seconds: float
    stopped: bool = False
    running: bool = True

    @property
    def left(self) -> float | None:
        """Seconds that it will still take; None while that cannot be told."""
        done = len(self.lines)
        return self.seconds / done * (self.total - done) if done and self.seconds > 0.5 else None


class Jobs:
    """Batches that are running, by a number that only their browser knows."""

    def __init__(self) -> None:
        self._running: dict[str, threading.Event] = {}

    def begin(self, job: str) -> threading.Event:
        """A new one; the event says that it is to end."""
        event = threading.Event()
        if job:
            self._running[job] = event
        return event

    def stop(self, job: str) -> None:
        """Ask one to end, if it runs."""
        if job in self._running:
            self._running[job].set()

    def end(self, job: str) -> None:
        """It is through."""
        self._running.pop(job, None)


def work_through(desk: Desk, sent: Any, stop: threading.Event, *, every: float = 0.5) -> Iterator[Progress]:
    """Answers for what a browser sent, told of every so often; the last is the whole.

    Args:
        desk: answers.
        sent: ``{"files": [...], "options": {...}}``; each file has a name, and a path or why there is none.
        stop: ends it after what is under way.
        every: seconds between two tellings, at least.
    """
    files = files_of(sent)
    point = desk.point_of(table_of(table_of(sent).get("options")))
    with ExitStack() as stack:
        places = stack.enter_context(desk.inbox.held([str(one.get("path", "")) for one in files]))
        items = list(_listed(desk, files, places, stack))
        begun = told = time.perf_counter()
        lines: list[Line] = []
        yield Progress(lines, len(items), 0.0)
        for line in _answered(desk, items, point, stop):
            lines.append(line)
            if time.perf_counter() - told >= every:
                told = time.perf_counter()
                yield Progress(lines, len(items), told - begun)
    stopped = len(lines) < len(items)
    yield Progress(lines, len(items), time.perf_counter() - begun, stopped, running=False)


def _listed(
    desk: Desk, files: Sequence[dict[str, Any]], places: Sequence[Path | None], stack: ExitStack
) -> Iterator[Handed]:
    """Every file of the batch; a zip stands for its members, and what is no file for its problem."""
    room = MOST_FILES
    for one, place in zip(files, places, strict=True):
        name = name_of(one.get("name"))
        if room <= 0:
            yield _refused(
                name, f"is beyond the {MOST_FILES} files of one batch: hand in the rest as another"
            )
        elif place is None:
            yield Handed(name, _missing(desk, one, name))
        else:
            found = list(islice(_of_place(desk, place, name, stack), room + 1))
            room -= len(found)
            yield from found


def _missing(desk: Desk, one: dict[str, Any], name: str) -> Callable[[], bytes]:
    return lambda: desk.received(one, name)


def _refused(name: str, cause: str) -> Handed:
    def fetch() -> bytes:
        raise UnreadableScan(name, cause)

    return Handed(name, fetch)


def _of_place(desk: Desk, place: Path, name: str, stack: ExitStack) -> Iterator[Handed]:
    with place.open("rb") as stream:
        is_zip = stream.read(4) == _ZIP
    if not is_zip:
        # One byte more than allowed is enough for the reader to see that it is too large.
        yield Handed(name, lambda: _first(place, desk.inbox.limits.max_bytes + 1))
        return
    limits = StudyLimits(max_files=MOST_FILES, max_bytes=_MOST_BYTES)
    try:
        source = replace(file_source(place, limits), name=name)
        members, left_out = stack.enter_context(opened(source, limits))
    except UnreadableScan as error:
        yield _refused(name, error.cause)
        return
    for problem in left_out:
        yield _refused(*_parted(problem))
    for member in members:
        if member.size > desk.inbox.limits.max_bytes:
            limit = desk.inbox.limits.max_bytes
            yield _refused(
                member.name, f"is {member.size} bytes, more than the limit of {limit}: make it smaller"
            )
        else:
            yield Handed(member.name, member.whole)


def _parted(problem: str) -> tuple[str, str]:
    name, sign, cause = problem.partition(": ")
    return (name, cause) if sign else ("zip", problem)


def _first(place: Path, count: int) -> bytes:
    with place.open("rb") as stream:
        return stream.read(count)


def _answered(desk: Desk, items: Sequence[Handed], point: str, stop: threading.Event) -> Iterator[Line]:
    """Lines in order; few files are in memory at once, however long the list is."""
    workers = _WORKERS if desk.shared else 1
    waiting: deque[Future[Line]] = deque()
    left = iter(items)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="tumorscan-batch")
    try:
        while True:
            room = 0 if stop.is_set() else 2 * workers - len(waiting)
            waiting.extend(pool.submit(_line, desk, item, point) for item in islice(left, room))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _line(desk: Desk, item: Handed, point: str) -> Line:
    def read() -> tuple[Finding | UnreadableScan, str]:
        scan = read_bytes(item.fetch(), item.name, desk.inbox.limits)
        thumbnail = parts.data_uri(scan.pixels, _THUMBNAIL)
        return guarded(item.name, lambda: _patiently(lambda: desk.find(scan, point))), thumbnail

    made = guarded(item.name, read)
    line = Line(item.name, made) if isinstance(made, UnreadableScan) else Line(item.name, *made)
    desk.on_answer(line.answer)
    return line


def _patiently(find: Callable[[], Finding]) -> Finding:
    """A batch waits where a single picture would be sent away: others go first."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return find()
        except Overloaded as error:
            if time.monotonic() + error.retry_after > end:
                raise
            time.sleep(error.retry_after)
