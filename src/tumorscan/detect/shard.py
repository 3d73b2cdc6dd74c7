"""A shard of files to answers: the unit of bulk work, on this machine's threads or as a task elsewhere.

Files are read and prepared in threads while the network runs on batches in the caller's thread.
Decoding and the filters release the interpreter's lock, so processes gained nothing over threads when
measured, and would send each picture through a pipe.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import numpy as np

from tumorscan.config import ReadLimits
from tumorscan.detect.detector import Detector
from tumorscan.detect.rows import Item, Row, to_row
from tumorscan.errors import SettingsError, TumorscanError, UnreadableScan
from tumorscan.read import read_scan
from tumorscan.types import Finding, Picture, Scores


@dataclass(frozen=True)
class BulkSettings:
    """How bulk work is cut up; none of it changes an answer.

    Attributes:
        batch: pictures that the network sees at once.
        workers: threads that read and prepare; 0 means one a core.
        limits: what the reader refuses.
    """

    batch: int = 16
    workers: int = 0
    limits: ReadLimits = field(default_factory=ReadLimits)

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= 1024:
            raise SettingsError(f"batch is {self.batch}: it must lie in [1, 1024]")
        if not 0 <= self.workers <= 256:
            raise SettingsError(f"workers is {self.workers}: it must lie in [1, 256], or be 0 for one a core")

    @property
    def threads(self) -> int:
        """That read and prepare."""
        return self.workers or cores()


def cores() -> int:
    """Cores that this process may use, which in a container can be fewer than the machine has."""
    # Not on macOS and Windows, whatever platform the type checker has in mind.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@dataclass(frozen=True)
class _Ready:
    """A picture that waits for the network; the scan itself is gone by now."""

    pixels: Picture
    notes: tuple[str, ...]
    times: dict[str, float]
    sha256: str


def answers(
    detector: Detector, items: Iterable[Item], settings: BulkSettings
) -> Iterator[tuple[Item, Finding | UnreadableScan]]:
    """Each item with its answer or a named error, in order.

    At most two batches and two pictures a thread are in memory, however long the list is.

    Raises:
        TumorscanError: what concerns every file alike, a missing extra say.
    """
    waiting: deque[tuple[Item, Future[_Ready | Finding | UnreadableScan]]] = deque()
    window = 2 * (settings.batch + settings.threads)
    job = partial(_ready, detector, limits=settings.limits)
    left = iter(items)
    pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="tumorscan")
    try:
        batch: list[tuple[Item, _Ready | Finding | UnreadableScan]] = []
        while True:
            waiting.extend((item, pool.submit(job, item)) for item in islice(left, window - len(waiting)))
            if not waiting:
                break
            item, future = waiting.popleft()
            batch.append((item, future.result()))
            if len(batch) >= settings.batch:
                yield from _scored(detector, batch)
                batch = []
        yield from _scored(detector, batch)
    finally:
        pool.shutdown(cancel_futures=True)


def rows(
    detector: Detector, numbered: Iterable[tuple[int, Item]], carried: Sequence[str], settings: BulkSettings
) -> Generator[tuple[int, Row], None, None]:
    """The numbered rows of a shard; what they say depends on the item alone, not on its neighbours."""
    numbers: deque[int] = deque()

    def items() -> Iterator[Item]:
        for number, item in numbered:
            numbers.append(number)
            yield item

    for item, answer in answers(detector, items(), settings):
        yield numbers.popleft(), to_row(answer, item, carried)


def _ready(detector: Detector, item: Item, *, limits: ReadLimits) -> _Ready | Finding | UnreadableScan:
    """A picture for the network, or the answer where there is one without it."""
    if item.problem:
        return UnreadableScan(item.name, item.problem)
    try:
        begun = time.perf_counter()
        scan = read_scan(item.file, limits)
        read = time.perf_counter()
        if reasons := detector.plain_reasons(scan):
            times = {"read": _ms(read - begun)}
            return detector.refusal(item.name, reasons, scan.notes, times, sha256=scan.sha256)
        pixels = detector.prepare(scan).pixels
        prepared = time.perf_counter()
    except UnreadableScan as error:
        return UnreadableScan(item.name, error.cause)
    except TumorscanError:
        raise
    except Exception as error:  # noqa: BLE001 - one strange file in a million must not end the others' run
        what = f"{type(error).__name__}: {str(error).strip() or 'no cause given'}".partition("\n")[0]
        return UnreadableScan(item.name, f"an error inside tumorscan ({what}): please report it")
    times = {"read": _ms(read - begun), "prepare": _ms(prepared - read)}
    return _Ready(pixels, scan.notes, times, scan.sha256)


def _scored(
    detector: Detector, batch: Sequence[tuple[Item, _Ready | Finding | UnreadableScan]]
) -> Iterator[tuple[Item, Finding | UnreadableScan]]:
    pictures = [ready.pixels for _, ready in batch if isinstance(ready, _Ready)]
    scores, number, share = Scores(np.empty(0, np.float32)), 0, 0.0
    if pictures:
        begun = time.perf_counter()
        scores = detector.engine.run(np.stack(pictures))
        share = _ms((time.perf_counter() - begun) / len(pictures))
    for item, ready in batch:
        if isinstance(ready, _Ready):
            times = {**ready.times, "infer": share}
            finding = detector.judged(item.name, scores, number, ready.notes, times, sha256=ready.sha256)
            yield item, finding
            number += 1
        else:
            yield item, ready


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)
