"""tumorscan, as the benchmark drives it: a file to a verdict and, if asked for, a PNG of its evidence.

python tumorscan_way.py BUNDLE [ENGINE]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from serving import serve

from tumorscan.detect.detector import load_detector
from tumorscan.detect.overlay import overlay
from tumorscan.detect.rows import Item
from tumorscan.detect.shard import BulkSettings, answers
from tumorscan.read import read_scan
from tumorscan.read.png import png_bytes


def main(bundle: str, engine: str = "auto") -> None:
    """Load once, then answer."""
    detector = load_detector(bundle, engine)

    def one(file: str, heatmap: bool) -> dict[str, Any]:
        begun = time.perf_counter()
        scan = read_scan(file)
        read = time.perf_counter()
        prepared = detector.prepare(scan)
        stages = {"read": 1e3 * (read - begun), "prepare": 1e3 * (time.perf_counter() - read)}
        if not heatmap:
            finding = detector.decide(scan, prepared, stages)
        else:
            finding, explanation = detector.explain(scan, prepared, stages)
            drawing = time.perf_counter()
            png_bytes(overlay(scan.pixels, explanation.evidence, prepared.frame))
            stages["draw"] = 1e3 * (time.perf_counter() - drawing)
        return {"verdict": str(finding.verdict), "stages": stages}

    def bulk(files: Sequence[str]) -> int:
        return sum(1 for _ in answers(detector, [Item(file, file) for file in files], BulkSettings()))

    serve(one, bulk)


if __name__ == "__main__":
    main(*sys.argv[1:])
