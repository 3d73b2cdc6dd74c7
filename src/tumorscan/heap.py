"""What the C library does with freed memory: a server gives it back, a training keeps it."""

from __future__ import annotations

import ctypes
from typing import Final

# Numbers of glibc's <malloc.h>.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_MMAP_MAX: Final = -4
_ARENA_MAX: Final = -8
_BLOCK: Final = 1024 * 1024
_MOST: Final = 2**31 - 1


def hold_heap() -> bool:
    """Let threads share two arenas, and give large blocks back when freed; whether that was possible.

    For servers, whose memory should not grow with the number of their threads. By default glibc opens arenas
    as threads come, and keeps in each what its largest picture took: measured with the pictures of kaggle253
    and no network, 424 MB after 3,800 answers, and 263 MB with this.
    """
    return _told((_ARENA_MAX, 2), (_MMAP_THRESHOLD, _BLOCK))


def keep_freed_memory() -> bool:
    """Let this process keep what it frees; whether that was possible.

    For processes that train and end: their size stays near its peak. A step takes and frees hundreds of
    megabytes, in blocks that glibc hands back to the system each time; then each page is fetched and cleared
    anew (`mallopt(3)`, `M_MMAP_MAX` and `M_TRIM_THRESHOLD`). What it saves: `python benchmarks/steps.py`.
    """
    return _told((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _MOST))


def _told(*options: tuple[int, int]) -> bool:
    """Whether the C library took all options; macOS, musl and Windows have no such call."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return all(mallopt(option, value) for option, value in options)
