"""What is measured. In each measure the ways take turns, so that a busy machine slows all of them."""

from __future__ import annotations

import csv
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from contestants import OURS, WAYS, Way
from processes import Ran, clean_environment, run
from tqdm import tqdm

Table = dict[str, Any]


def spread(values: Sequence[float]) -> Table:
    """Median with the 10th and 90th percentile."""
    low, middle, high = np.percentile(np.asarray(values, float), (10, 50, 90))
    return {"median": float(middle), "low": float(low), "high": float(high), "n": len(values)}


def shown(one: Table) -> str:
    """A spread as text."""
    return f"{one['median']:.1f} ({one['low']:.1f}..{one['high']:.1f})"


def one_picture(ways: Sequence[Way], files: Sequence[Path], turns: int) -> Table:
    """One picture, warm: each way in turn answers the same file, with a heatmap and without.

    Returns:
        By "heatmap" and "verdict": seconds of each way, and as a multiple of ours; "stages" of ours, ms.
    """
    spent: dict[str, dict[str, list[float]]] = {
        kind: {w.name: [] for w in ways} for kind in ("heatmap", "verdict")
    }
    stages: list[dict[str, float]] = []
    with ExitStack() as stack:
        workers = {way.name: stack.enter_context(way.worker()) for way in ways}
        for kind, heatmap in (("heatmap", True), ("verdict", False)):
            for turn, file in enumerate(_turns(f"one picture, {kind}", files, turns + 3)):
                for name, worker in workers.items():
                    reply = worker.ask(do="one", file=str(file), heatmap=heatmap)
                    if turn < 3:  # compiles, caches, first touches
                        continue
                    spent[kind][name].append(reply["seconds"])
                    if heatmap and name == OURS:
                        stages.append(reply["stages"])
    table: Table = {kind: _compared(seconds) for kind, seconds in spent.items()}
    return table | {"stages": {name: spread([one[name] for one in stages]) for name in stages[0]}}


def cold_start(ways: Sequence[Way], files: Sequence[Path], turns: int) -> Table:
    """A command from its start to its printed verdict, and the memory it held at most."""
    ran: dict[str, list[Ran]] = {way.name: [] for way in ways}
    for turn, file in enumerate(_turns("cold start", files, turns + 1)):
        for way in ways:
            found = run(way.cold(file))
            if turn:  # the first reads the files of the installation from the disk
                ran[way.name].append(found)
    return {
        "seconds": _compared({name: [one.answered for one in each] for name, each in ran.items()}),
        "memory": _compared({name: [float(one.peak) for one in each] for name, each in ran.items()}),
    }


def bulk(ways: Sequence[Way], files: Sequence[Path], counts: dict[str, int], rounds: int) -> Table:
    """Seconds a picture of many at once.

    Ours is the whole command, start and result file included; the others are asked when they have
    loaded their model, which is to their advantage.

    Args:
        ways: that take turns.
        files: repeated until there are enough.
        counts: pictures for each way; the slow ones get fewer.
        rounds: turns of each.
    """
    spent: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in _turns("bulk", [Path()], rounds):
        for way in ways:
            count = counts[way.name]
            seconds = (
                _our_bulk(way, files, count).seconds if way.name == OURS else _their_bulk(way, files, count)
            )
            spent[way.name].append(seconds / count)
    return {"seconds": _compared(spent), "pictures": counts}


def _their_bulk(way: Way, files: Sequence[Path], count: int) -> float:
    with way.worker() as worker:
        worker.ask(do="one", file=str(files[0]), heatmap=False)
        reply = worker.ask(do="bulk", files=[str(file) for file in islice(cycle(files), count)])
    return float(reply["seconds"])


def _our_bulk(way: Way, files: Sequence[Path], count: int) -> Ran:
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "list.csv"
        with listed.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["file"], *([one] for one in islice(cycle(files), count))])
        return run((*way.cold(listed), "--out", Path(folder) / "answers.csv"))


def growth(way: Way, files: Sequence[Path], counts: Sequence[int]) -> list[Table]:
    """Time and peak memory of our bulk command over longer and longer lists."""
    rows = []
    for count in tqdm(counts, "growth", disable=None):
        ran = _our_bulk(way, files, count)
        rows.append({"pictures": count, "seconds": ran.seconds, "peak": ran.peak})
    return rows


def installed_size(ways: Sequence[Way]) -> Table:
    """Bytes of each way's distributions and of its model."""
    sizes = {}
    for way in ways:
        command = [way.python, WAYS / "installed_size.py", *way.needs]
        found = subprocess.run(command, capture_output=True, check=True, env=clean_environment())
        table = json.loads(found.stdout)
        sizes[way.name] = {**table, "model": way.model, "total": table["bytes"] + way.model}
    return sizes


def preparation(files: Sequence[Path], size: int, turns: int) -> Table:
    """Non-local means at the original's parameters, each implementation in turn on each picture."""
    from prepare import METHODS

    from tumorscan.config import ContrastSettings
    from tumorscan.prepare.contrast import contrast
    from tumorscan.prepare.frame import resize
    from tumorscan.read import read_scan

    names = {"fast": OURS, "scikit-image": "scikit-image", "opencv": "OpenCV"}
    steps: dict[str, Callable[[Any], Any]] = {shown: METHODS[name] for name, shown in names.items()}
    spent: dict[str, list[float]] = {name: [] for name in steps}
    equalising: list[float] = []
    for file in _turns("preparation", files, turns):
        picture = resize(read_scan(file).pixels, size)
        for name, step in steps.items():
            begun = time.perf_counter()
            step(picture)
            spent[name].append(time.perf_counter() - begun)
        begun = time.perf_counter()
        contrast(picture, ContrastSettings())
        equalising.append(time.perf_counter() - begun)
    return {"denoise": _compared(spent), "contrast": spread(equalising)}


def _compared(spent: dict[str, list[float]]) -> Table:
    """Each way's spread, and that of its ratio to ours within a turn."""
    mine = spent[OURS]
    return {
        name: {**spread(values), "ratio": spread([one / own for one, own in zip(values, mine, strict=True)])}
        for name, values in spent.items()
    }


def _turns(what: str, files: Sequence[Path], turns: int) -> Iterator[Path]:
    yield from tqdm(islice(cycle(files), turns), what, total=turns, disable=None)
