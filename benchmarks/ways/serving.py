"""How a way answers the benchmark: one JSON line in, one out. Standard library only: it runs everywhere.

Requests are `{"do": "one", "file": ..., "heatmap": true}` and `{"do": "bulk", "files": [...]}`. Times are
taken here, in the way's own process, so the pipe is not in them.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

One = Callable[[str, bool], dict[str, Any]]
"""File, with heatmap -> at least `verdict`; `stages` in milliseconds where they are known."""
Bulk = Callable[[Sequence[str]], int]
"""Files -> how many were answered."""


def serve(one: One, bulk: Bulk) -> None:
    """Answer requests until stdin ends.

    What libraries print goes to stderr, so that stdout stays the protocol's.
    """
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        request = json.loads(line)
        begun = time.perf_counter()
        if request["do"] == "one":
            reply = one(request["file"], request["heatmap"])
        else:
            reply = {"answered": bulk(request["files"])}
        reply["seconds"] = time.perf_counter() - begun
        print(json.dumps(reply), file=replies, flush=True)
