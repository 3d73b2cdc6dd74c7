"""Pictures of many users in one batch: an engine that gathers what waits while another batch runs.

A picture that comes alone is run at once; nothing waits for company. What arrives while the network is busy
is taken together as soon as it is free, so batches grow with the load and only with the load.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from tumorscan.detect.engine import Engine
from tumorscan.types import Picture, Scores

_SMOOTHING = 0.1


@dataclass(frozen=True)
class _Waiting:
    """One caller's pictures, and where their scores go."""

    pictures: Picture
    scores: Future[Scores] = field(default_factory=Future)


class GatherEngine(Engine):
    """Runs another engine, from one thread, on whatever waits; callers block until theirs is done.

    Args:
        inner: what runs the network; nobody else may use it.
        batch: pictures that the network sees at once, unless one caller brings more.
        on_batch: told the size of every batch.

    Attributes:
        seconds: that a picture takes of late, its share of a batch; 0 before the first.
    """

    def __init__(self, inner: Engine, batch: int = 16, on_batch: Callable[[int], None] | None = None) -> None:
        super().__init__(inner.size)
        self.name = inner.name
        self.seconds = 0.0
        self._inner = inner
        self._batch = batch
        self._on_batch = on_batch or (lambda _: None)
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._running = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="tumorscan-engine", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish what waits, then end the thread.

        Who still holds the engine may go on: from here on each caller's pictures are run in its own thread.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self, pictures: Picture) -> Scores:
        mine = _Waiting(pictures)
        with self._changed:
            queued = not self._closed
            if queued:
                self._queue.append(mine)
                self._changed.notify()
        if not queued:
            self._score([mine])
        return mine.scores.result()

    def _serve(self) -> None:
        while waiting := self._next():
            self._score(waiting)

    def _next(self) -> list[_Waiting]:
        """What is run next: at least one caller's pictures; nothing once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            taken: list[_Waiting] = []
            room = self._batch
            while self._queue and (not taken or len(self._queue[0].pictures) <= room):
                taken.append(self._queue.popleft())
                room -= len(taken[-1].pictures)
            return taken

    def _score(self, waiting: Sequence[_Waiting]) -> None:
        try:
            with self._running:
                begun = time.perf_counter()
                scores = self._inner.run(np.concatenate([one.pictures for one in waiting]))
                seconds = time.perf_counter() - begun
        except Exception as error:  # noqa: BLE001 - it belongs to the callers, each of whom gets it
            for one in waiting:
                one.scores.set_exception(error)
            return
        count = len(scores.logits)
        share = seconds / count
        self.seconds += (share - self.seconds) * (_SMOOTHING if self.seconds else 1.0)
        self._on_batch(count)
        start = 0
        for one in waiting:
            end = start + len(one.pictures)
            one.scores.set_result(_part(scores, slice(start, end)))
            start = end


def _part(scores: Scores, rows: slice) -> Scores:
    return Scores(
        scores.logits[rows],
        None if scores.map is None else scores.map[rows],
        None if scores.embedding is None else scores.embedding[rows],
    )
