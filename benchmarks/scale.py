"""What the process that hands out bulk work can keep up with, and holds: rows a second, bytes a file.

The work itself is left out: rows are made here at once, as a cluster without end would send them. What
remains is the journal, the result, and the list in memory.

    python benchmarks/scale.py --model BUNDLE [--files 100000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Generator, Iterable
from pathlib import Path

from tumorscan.detect.bulk import predict_all
from tumorscan.detect.detector import load_detector
from tumorscan.detect.rows import Item, Row, to_row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--files", type=int, default=100_000)
    options = parser.parse_args()
    detector = load_detector(options.model)
    tracemalloc.start()
    items = [Item(f"set/patient {i}/{i}.png", f"/data/set/patient {i}/{i}.png") for i in range(options.files)]
    held = tracemalloc.get_traced_memory()[0] / len(items)
    tracemalloc.stop()
    times = {"read": 1.234, "prepare": 12.345, "infer": 23.456}
    finding = detector.finding("", 0.5, (), times)

    def at_once(numbered: Iterable[tuple[int, Item]]) -> Generator[tuple[int, Row], None, None]:
        yield from ((number, to_row(finding, item, ())) for number, item in numbered)

    for suffix in (".csv", ".jsonl"):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / f"r{suffix}"
            begun, cpu = time.perf_counter(), time.process_time()
            predict_all(detector, items, out, work=at_once)
            wall, used = time.perf_counter() - begun, time.process_time() - cpu
            size = out.stat().st_size / len(items)
        print(
            f"{suffix:7} {used / len(items) * 1e6:6.1f} us of a core a row ({len(items) / used:,.0f} rows/s; "
            f"{len(items) / wall:,.0f} by the clock), {size:.0f} bytes a row in the result"
        )
    print(f"the list: {held:.0f} bytes a file in memory")


if __name__ == "__main__":
    main()
