"""The server's heap: large blocks go back, and where that cannot be set nothing breaks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tumorscan.app.heap import hold_heap

_GROWN = """
import threading, sys
import numpy as np
from tumorscan.app.heap import hold_heap
if not hold_heap():
    sys.exit(5)

def held():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

def work(together):
    kept = [np.ones(3_000_000, np.uint8) for _ in range(5)]
    together.wait(30)

before = held()
for _ in range(3):
    together = threading.Barrier(12)
    threads = [threading.Thread(target=work, args=(together,)) for _ in range(12)]
    [one.start() for one in threads]
    [one.join(30) for one in threads]
print(held() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's")
def test_what_threads_freed_goes_back():
    ended = subprocess.run(
        [sys.executable, "-c", _GROWN], capture_output=True, text=True, timeout=60, check=False
    )
    if ended.returncode == 5:
        pytest.skip("no glibc here")
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout) < 20, "180 MB were used by threads, and freed"


def test_where_there_is_no_such_call_nothing_happens(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert hold_heap() is False
