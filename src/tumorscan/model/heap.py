"""Freed memory stays with a training: the next step needs as much again."""

from __future__ import annotations

import ctypes
from typing import Final

# Of glibc's malloc.h.
_TRIM_THRESHOLD: Final = -1
_MMAP_MAX: Final = -4
_MOST: Final = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, where the C library is glibc.

    A step of a training takes and frees hundreds of megabytes, in blocks that glibc hands back to the
    system each time; then each page is fetched and cleared anew (`mallopt(3)`, `M_MMAP_MAX` and
    `M_TRIM_THRESHOLD`). For processes that train and end: their size stays near its peak. What it saves:
    `python benchmarks/steps.py`.

    Returns:
        Whether the library was told; False for other C libraries, where nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl and macOS have none, Windows no such handle
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _MOST))
