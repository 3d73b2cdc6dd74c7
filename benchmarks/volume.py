"""A volume of 200 slices from DICOM files to an answer: how long each stage takes, and the whole command.

    python benchmarks/volume.py [--model BUNDLE] [--slices 200] [--turns 3] [--write]

The head is drawn, and stored as a DICOM series in a temporary folder. Clock time depends on what else the
machine does; the time that the process computed, over its cores, is a floor of it.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from environments import ROOT
from marked import write_block
from measures import shown, spread
from runtime_report import machine

from tumorscan.data.phantom_study import write_study
from tumorscan.detect.detector import load_detector
from tumorscan.detect.engine import usable_cores
from tumorscan.detect.volume import explain_slice, find_volume
from tumorscan.read.study import read_study

TARGET = 15.0
SIZE = 256


def main() -> None:
    """Measure, print, and write the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / "src" / "tumorscan" / "bundles" / "default")
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        study = write_study(Path(folder) / "head", seed=1, slices=options.slices, size=SIZE)
        text = _table(_stages(options.model, study, options.turns), options, load)
    print(text)
    if options.write:
        write_block("volume", text)


def _stages(model: Path, study: Path, turns: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of each stage by the clock and computed, a pair a turn; each job runs at once (B023)."""
    detector = load_detector(model)
    asked = ("predict", str(study), "--json", "--model", str(model))
    command = [sys.executable, "-m", "tumorscan.app.cli", *asked]
    spent: dict[str, list[tuple[float, float]]] = {}
    for _ in range(turns):
        read = _timed(spent, "read 200 files", lambda: read_study(study).volumes[0])
        found = _timed(spent, "all slices, one finding", lambda: find_volume(detector, read))  # noqa: B023
        if found.key_slice is not None:
            key = found.key_slice
            _timed(spent, "explain the key slice", lambda: explain_slice(detector, read, key))  # noqa: B023
        _timed(
            spent,
            "`tumorscan predict STUDY`, cold",
            lambda: subprocess.run(command, check=True, capture_output=True),
            children=True,
        )
    return spent


def _timed(spent: dict[str, Any], name: str, job: Callable[[], Any], *, children: bool = False) -> Any:
    who = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
    begun, before = time.perf_counter(), resource.getrusage(who)
    result = job()
    after = resource.getrusage(who)
    computed = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    spent.setdefault(name, []).append((time.perf_counter() - begun, computed))
    return result


def _table(spent: dict[str, list[tuple[float, float]]], options: argparse.Namespace, load: float) -> str:
    lines = ["| what | s by the clock | s computed, over all cores | |", "|---|---|---|---|"]
    for name, pairs in spent.items():
        clock, computed = (spread([pair[i] for pair in pairs]) for i in (0, 1))
        target = _judged(clock["median"], computed["median"], load) if "predict" in name else ""
        label = name.replace("200", str(options.slices))
        lines.append(f"| {label} | {shown(clock)} | {shown(computed)} | {target} |")
    about = f"{options.slices} slices of {SIZE} x {SIZE}, {options.turns} turns, medians (10..90 %)"
    where = (
        f"{usable_cores()} cores usable, load when it began {load:.1f}, {time.strftime('%F')}. {machine()}."
    )
    return "\n".join([*lines, "", f"{about}; {where}"])


def _judged(clock: float, computed: float, load: float) -> str:
    """Against the target; on a machine that others keep busy the clock says nothing of us."""
    if load <= usable_cores():
        return f"target {TARGET:g} s: {'met' if clock <= TARGET else '**missed**'}"
    cores = usable_cores()
    return (
        f"target {TARGET:g} s: not judged at this load; computed on {cores} cores: {computed / cores:.1f} s"
    )


if __name__ == "__main__":
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    main()
