"""A bundle's engines side by side: one picture, a batch, one thread and all, and how long each takes to load.

    python benchmarks/engines.py --model BUNDLE [--turns 30] [--write]

Engines that are not installed, or that the bundle has no file for, are left out. They take turns on the same
pictures; of the int8 twins it counts the decisions that differ from the first engine's on these pictures.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from environments import ROOT
from marked import write_block
from measures import shown, spread
from runtime_report import machine
from tqdm import tqdm

from tumorscan.data.phantom import draw_phantom
from tumorscan.detect.detector import Detector
from tumorscan.detect.engine import Engine
from tumorscan.detect.engines import ENGINES, load_engine
from tumorscan.model.bundle import Bundle, read_bundle
from tumorscan.types import Picture

BATCH = 16


def main() -> None:
    """Measure, print, and write the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / "src" / "tumorscan" / "bundles" / "default")
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 0], help="0 is all cores")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    options = parser.parse_args()
    bundle = read_bundle(options.model)
    size = bundle.manifest.settings.prepare.frame.size
    pictures = _pictures(size)
    rows = [row for threads in options.threads for row in _rows(bundle, pictures, threads, options.turns)]
    text = _table(rows, f"{bundle.manifest.title}, {size} px; {machine()}.")
    print(text)
    if options.write:
        write_block("engines", text)


def _pictures(size: int) -> Picture:
    """Drawn slices, uint8, N x S x S x 3: what they show does not change how long a network takes."""
    rng = np.random.default_rng(1)
    drawn = [draw_phantom(rng, tumor=bool(i % 2), size=size).pixels for i in range(BATCH)]
    return np.repeat(np.stack(drawn)[..., None], 3, axis=3)


def _rows(bundle: Bundle, pictures: Picture, threads: int, turns: int) -> list[dict[str, Any]]:
    engines, loading = _loaded(bundle, threads)
    spent: dict[tuple[str, int], list[float]] = {(name, n): [] for name in engines for n in (1, BATCH)}
    for turn in tqdm(range(turns + 2), f"{threads or 'all'} threads", leave=False, disable=None):
        for (name, count), each in spent.items():
            begun = time.perf_counter()
            engines[name].run(pictures[:count])
            if turn > 1:  # compiled, and its buffers are there
                each.append(1e3 * (time.perf_counter() - begun) / count)
    said = {name: _decisions(bundle, engine, pictures) for name, engine in engines.items()}
    first = next(iter(said.values()))
    return [
        {
            "engine": name,
            "threads": threads or "all",
            "load": loading[name],
            "one": spread(spent[name, 1]),
            "batch": spread(spent[name, BATCH]),
            "differ": int((said[name] != first).sum()),
        }
        for name in engines
    ]


def _loaded(bundle: Bundle, threads: int) -> tuple[dict[str, Engine], dict[str, float]]:
    engines, loading = {}, {}
    for name, runtime in ENGINES.items():
        # Keras has its threads from its backend: no row of its own for one thread.
        if runtime.installed and runtime.file in bundle.manifest.files and not (name == "keras" and threads):
            begun = time.perf_counter()
            engines[name] = load_engine(bundle, name, threads or None)
            loading[name] = time.perf_counter() - begun
    if not engines:
        raise SystemExit(f"{bundle.folder}: no installed engine can run it: `tumorscan export` it first")
    return engines, loading


def _decisions(bundle: Bundle, engine: Engine, pictures: Picture) -> Any:
    detector = Detector(bundle, engine)
    return np.array([detector.verdict(float(p)) for p in detector.probabilities(pictures)])


def _table(rows: list[dict[str, Any]], about: str) -> str:
    title = (
        f"| engine | threads | one picture, ms | of {BATCH}, ms each | to load, s | decisions that differ |"
    )
    lines = [title, "|---|---|---|---|---|---|"]
    for row in rows:
        one, batch = (shown(row[key]) for key in ("one", "batch"))
        differ = f"{row['differ']} of {BATCH}"
        lines.append(
            f"| {row['engine']} | {row['threads']} | {one} | {batch} | {row['load']:.2f} | {differ} |"
        )
    return "\n".join([*lines, "", f"Medians (10..90 %), in turns. {about}"])


if __name__ == "__main__":
    main()
