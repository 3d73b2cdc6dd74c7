"""The slices of a volume through the one path: as scans, prepared in threads, scored in batches, gated each.

Slices that are nearly empty beside the fullest one (above the vertex, below the chin) are not asked: what
noise or a rim of scalp scores says nothing of the head.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.detect.detector import Detector
from tumorscan.detect.engine import usable_cores
from tumorscan.errors import SettingsError
from tumorscan.types import Finding, Prepared, Scores, SliceFinding, Volume

Progress = Callable[[int, int], None]
"""Told after each batch how many slices are done, and of how many."""

Answer = tuple[Finding, tuple[float, float] | None]
"""Of a slice, with the peak of its map in pixels of the slice."""

NEARLY_EMPTY: Final = 0.1
"""A slice with less than this share of the fullest slice's foreground is not asked."""

_FOREGROUND: Final = 26  # a tenth of the grey scale: over the air's noise, under fluid in T1


@dataclass(frozen=True)
class StackSettings:
    """How the work is cut up; none of it changes an answer.

    Attributes:
        batch: slices that the network sees at once.
        workers: threads that prepare; 0 means one a core.
    """

    batch: int = 16
    workers: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= 1024:
            raise SettingsError(f"batch is {self.batch}: it must lie in [1, 1024]")
        if not 0 <= self.workers <= 256:
            raise SettingsError(f"workers is {self.workers}: it must lie in [1, 256], or be 0 for one a core")


@dataclass(frozen=True)
class _Ready:
    """A slice that waits for the network."""

    name: str
    prepared: Prepared


def find_slices(
    detector: Detector,
    volume: Volume,
    settings: StackSettings | None = None,
    progress: Progress | None = None,
) -> tuple[SliceFinding, ...]:
    """The answer for each slice alone, in order, with the peak of its map where the engine keeps one.

    Args:
        detector: of the bundle.
        volume: N slices.
        settings: how the work is cut up.
        progress: called from this thread after each batch.

    Raises:
        BundleError: the bundle has a gate, and the engine keeps no embedding for it.
    """
    how = settings or StackSettings()
    found: list[SliceFinding] = []
    shares = foreground(volume)
    with ThreadPoolExecutor(how.workers or usable_cores(), thread_name_prefix="tumorscan") as pool:
        try:
            for batch in _prepared(pool, detector, volume, shares, how.batch):
                first = len(found)
                found += [SliceFinding(first + i, *one) for i, one in enumerate(_scored(detector, batch))]
                if progress is not None:
                    progress(len(found), len(volume))
        finally:
            pool.shutdown(cancel_futures=True)
    return tuple(found)


def foreground(volume: Volume) -> NDArray[np.float64]:
    """How full each slice is, 0..1 of the fullest one; all 1 where no slice shows anything."""
    counts = np.array([np.count_nonzero(volume.grey(i) >= _FOREGROUND) for i in range(len(volume))])
    return counts / counts.max() if counts.any() else np.ones(len(volume))


def _prepared(
    pool: ThreadPoolExecutor,
    detector: Detector,
    volume: Volume,
    shares: NDArray[np.float64],
    batch: int,
) -> Iterator[list[_Ready | Finding]]:
    """Batches in order; the next one is prepared while the caller scores this one."""

    def submit(start: int) -> list[Future[_Ready | Finding]]:
        indexes = range(start, min(start + batch, len(volume)))
        return [pool.submit(_ready, detector, volume, i, float(shares[i])) for i in indexes]

    ahead = submit(0)
    for start in range(0, len(volume), batch):
        now, ahead = ahead, submit(start + batch)
        yield [future.result() for future in now]


def _ready(detector: Detector, volume: Volume, index: int, share: float) -> _Ready | Finding:
    """A slice for the network, or the answer where there is one without it."""
    scan = volume.scan(index)
    reasons = detector.plain_reasons(scan)
    if not reasons and share < NEARLY_EMPTY:
        reasons = (f"nearly empty: {100 * share:.0f} % of what the fullest slice of the volume shows",)
    if reasons:
        return detector.refusal(scan.name, reasons, (), {})
    return _Ready(scan.name, detector.prepare(scan))


def _scored(detector: Detector, batch: Sequence[_Ready | Finding]) -> list[Answer]:
    asked = [one for one in batch if isinstance(one, _Ready)]
    if not asked:
        return [(one, None) for one in batch if isinstance(one, Finding)]
    begun = time.perf_counter()
    scores = detector.engine.run(np.stack([one.prepared.pixels for one in asked]))
    each = round((time.perf_counter() - begun) * 1e3 / len(asked), 3)
    numbers = iter(range(len(asked)))
    return [
        (one, None) if isinstance(one, Finding) else _judged(detector, one, scores, next(numbers), each)
        for one in batch
    ]


def _judged(detector: Detector, one: _Ready, scores: Scores, number: int, milliseconds: float) -> Answer:
    finding = detector.judged(one.name, scores, number, (), {"infer": milliseconds})
    if not detector.explains(scores):
        return finding, None
    return finding, detector.explained(finding, scores, number, one.prepared.frame).peak
