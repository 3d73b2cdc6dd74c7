"""Jobs come back in order; a failure stops the rest."""

from __future__ import annotations

import threading
import time

import pytest

from tumorscan.data.parallel import in_order


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_order(workers: int) -> None:
    def job(i: int) -> int:
        time.sleep(0.002 * ((i * 7) % 3))
        return i * i

    assert list(in_order(job, range(40), title="", workers=workers)) == [i * i for i in range(40)]


def test_nothing_to_do() -> None:
    assert list(in_order(str, (), title="")) == []


def test_few_are_in_the_air() -> None:
    started: list[int] = []
    results = in_order(started.append, range(1000), title="", workers=2)
    for _ in range(3):
        next(results)
    assert len(started) <= 3 + 2 * 2
    results.close()


def test_the_first_failure_comes_out_and_stops_the_rest() -> None:
    done: list[int] = []

    def job(i: int) -> None:
        if i == 5:
            raise RuntimeError("the fifth")
        done.append(i)

    others = set(threading.enumerate())
    with pytest.raises(RuntimeError, match="the fifth"):
        list(in_order(job, range(1000), title="", workers=2))
    assert len(done) < 20
    # Of ours: tqdm starts one of its own, once a process.
    new = set(threading.enumerate()) - others
    assert not [one for one in new if one.name.startswith("tumorscan")]
