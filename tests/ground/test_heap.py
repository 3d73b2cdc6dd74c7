"""A server's large blocks go back, a training's stay, and where that cannot be set nothing breaks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tumorscan.heap import hold_heap, keep_freed_memory

_GROWN = """
import threading, sys
import numpy as np
from tumorscan.heap import hold_heap
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

_FAULTS = """
import resource, sys
from tumorscan.heap import keep_freed_memory
if sys.argv[1] == "kept" and not keep_freed_memory():
    sys.exit(5)
bytes(48_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    bytearray(b"x") * 48_000_000
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


glibc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's")


def _printed(script: str, *arguments: str) -> float:
    ended = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    if ended.returncode == 5:
        pytest.skip("no glibc here")
    assert ended.returncode == 0, ended.stderr
    return float(ended.stdout)


@glibc
def test_what_threads_freed_goes_back():
    assert _printed(_GROWN) < 20, "180 MB were used by threads, and freed"


@glibc
def test_what_a_training_frees_it_takes_again():
    assert _printed(_FAULTS, "kept") < _printed(_FAULTS, "given back") / 4


@pytest.mark.parametrize("tell", [hold_heap, keep_freed_memory])
def test_where_there_is_no_such_call_nothing_happens(monkeypatch, tell):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert tell() is False


@pytest.mark.parametrize("tell", [hold_heap, keep_freed_memory])
@pytest.mark.parametrize("error", [OSError, TypeError])
def test_nor_where_the_library_has_no_handle(monkeypatch, tell, error):
    def none(_):
        raise error

    monkeypatch.setattr("ctypes.CDLL", none)
    assert tell() is False
