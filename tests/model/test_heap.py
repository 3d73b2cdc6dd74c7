"""What a training frees is taken again, without new pages from the system."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from tumorscan.model import heap
from tumorscan.model.heap import keep_freed_memory

FAULTS = """
import resource, sys
from tumorscan.model.heap import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
bytes(48_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    bytearray(b"x") * 48_000_000
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library has no mallopt")
def test_pages_are_taken_once():
    keep, plain = (
        int(subprocess.run([sys.executable, "-c", FAULTS, how], check=True, capture_output=True).stdout)
        for how in ("keep", "plain")
    )
    assert keep < plain / 4


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: object())
    assert not keep_freed_memory()


@pytest.mark.parametrize("error", [OSError, TypeError])
def test_so_is_a_system_without_a_handle(monkeypatch, error):
    def none(name):
        raise error

    monkeypatch.setattr(ctypes, "CDLL", none)
    assert not keep_freed_memory()
