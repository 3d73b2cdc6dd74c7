"""Batches across callers: each gets its own scores, and company comes with load alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tumorscan.app.gather import GatherEngine
from tumorscan.detect.engine import Engine
from tumorscan.errors import DataError
from tumorscan.types import Scores

SIDE, PATIENCE = 8, 120


class Sums(Engine):
    """Scores a picture by its first pixel; can be held up, and fails on 255."""

    name = "sums"

    def __init__(self) -> None:
        super().__init__(SIDE)
        self.batches: list[int] = []
        self.free = threading.Event()
        self.begun = threading.Event()
        self.free.set()

    def _run(self, pictures):
        self.begun.set()
        assert self.free.wait(PATIENCE)
        self.batches.append(len(pictures))
        first = pictures[:, 0, 0, 0].astype(np.float32)
        if first.max() == 255:
            raise RuntimeError("no such picture")
        return Scores(first, first.reshape(-1, 1, 1, 1), first.reshape(-1, 1))


def picture(*values: int) -> np.ndarray:
    return np.stack([np.full((SIDE, SIDE, 3), value, np.uint8) for value in values])


@pytest.fixture
def inner():
    return Sums()


@pytest.fixture
def engine(inner):
    engine = GatherEngine(inner, batch=16)
    yield engine
    inner.free.set()
    engine.close()


def queued(engine, count: int) -> None:
    for _ in range(PATIENCE * 100):
        if len(engine._queue) == count:
            return
        threading.Event().wait(0.01)
    pytest.fail(f"{len(engine._queue)} waited, not {count}")


def test_alone_is_run_alone(engine, inner):
    scores = engine.run(picture(3))
    assert (scores.logits.tolist(), scores.map.shape, scores.embedding.shape) == ([3.0], (1, 1, 1, 1), (1, 1))
    assert inner.batches == [1]
    assert engine.name == "sums"
    assert engine.seconds > 0


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [([1] * 10, [1, 10]), ([1] * 20, [1, 16, 4]), ([10, 10, 3], [1, 10, 13]), ([40, 1], [1, 40, 1])],
)
def test_what_waits_is_taken_together_up_to_a_batch(engine, inner, sizes, batches):
    inner.free.clear()
    with ThreadPoolExecutor(32) as pool:
        first = pool.submit(engine.run, picture(0))
        assert inner.begun.wait(PATIENCE)
        rest = []
        for number, size in enumerate(sizes, 1):
            rest.append(pool.submit(engine.run, picture(*[number] * size)))
            queued(engine, number)
        inner.free.set()
        assert first.result(PATIENCE).logits.tolist() == [0.0]
        for number, (size, one) in enumerate(zip(sizes, rest, strict=True), 1):
            assert one.result(PATIENCE).logits.tolist() == [float(number)] * size
    assert inner.batches == batches


def test_a_failure_reaches_each_caller_and_the_next_goes_on(engine):
    with pytest.raises(RuntimeError, match="no such picture"):
        engine.run(picture(255))
    assert engine.run(picture(4)).logits.tolist() == [4.0]


def test_refuses_what_every_engine_refuses(engine):
    with pytest.raises(DataError, match="pictures are float32"):
        engine.run(picture(1).astype(np.float32))


def test_a_closed_one_finishes_what_waits_and_still_answers(engine, inner):
    inner.free.clear()
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(engine.run, picture(0))]
        # Submitted at once, all four may be taken as one batch, and nothing waits.
        assert inner.begun.wait(PATIENCE)
        waiting += [pool.submit(engine.run, picture(one)) for one in range(1, 4)]
        queued(engine, 3)
        closing = pool.submit(engine.close)
        inner.free.set()
        closing.result(PATIENCE)
        assert [one.result(PATIENCE).logits.tolist() for one in waiting] == [[0.0], [1.0], [2.0], [3.0]]
    assert engine.run(picture(9)).logits.tolist() == [9.0]
    with pytest.raises(RuntimeError, match="no such picture"):
        engine.run(picture(255))
