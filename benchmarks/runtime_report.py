"""From measured figures to benchmarks/README.md: targets beside ratios, met or missed."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from contestants import ORIGINAL, OURS, PEER

Table = Mapping[str, Any]

_HEAD = """\
# Benchmarks

Written by `make bench` (`python benchmarks/runtime.py`); edit `benchmarks/runtime_report.py`, not this page.

tumorscan, from its base install, side by side with:

- **the original's way** (`benchmarks/ways/original_way.py`): scikit-image's non-local means on RGB and CLAHE
  with the parameters of the preset `original`, ResNet50V2 by Keras `predict`, Grad-CAM by `GradientTape`;
- **detect-tumor** 0.1.1 from the registry, in its own environment: VGG16 in ONNX Runtime, the nearest real
  peer. It denoises nothing and has no heatmap, so it is spared both.

In each measure the ways take turns on the same pictures. Times are medians (10th to 90th percentile); a
ratio is taken within a turn, and is theirs over ours: above 1, tumorscan is faster or lighter.

To run it:

```console
$ make bench                                                # all, 30 to 60 minutes
$ python benchmarks/runtime.py --only one,cold --turns 20   # some; the others stay as they were
$ python benchmarks/runtime.py --data ../shared/data/kaggle253 --model runs/mine
```
"""

# What is measured, where it stands, and the ratio that is wanted: theirs over ours, or (last: True) ours
# over theirs.
TARGETS: tuple[tuple[str, str, str, float, bool], ...] = (
    ("one picture, warm, with heatmap", "heatmap", ORIGINAL, 10.0, False),
    ("one picture, warm, with heatmap", "heatmap", PEER, 8.0, False),
    ("cold start", "seconds", ORIGINAL, 6.0, False),
    ("cold start", "seconds", PEER, 1.5, False),
    ("bulk, pictures a second", "bulk", ORIGINAL, 8.0, False),
    ("bulk, pictures a second", "bulk", PEER, 8.0, False),
    ("peak memory, one picture", "memory", ORIGINAL, 0.25, True),
    ("peak memory, one picture", "memory", PEER, 1.0, True),
    ("installed size with model", "size", ORIGINAL, 0.2, True),
    ("installed size with model", "size", PEER, 1.3, True),
)
COLD_LIMIT = 1.5


def machine() -> str:
    """Processor, cores, system and the versions that matter."""
    found = Path("/proc/cpuinfo")
    lines = found.read_text(encoding="utf-8").splitlines() if found.is_file() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = ", ".join(f"{one} {version(one)}" for one in ("onnxruntime", "keras", "numpy", "scikit-image"))
    load = f"; load when it began {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{name or platform.processor()}, {cores} cores, Python {platform.python_version()}, {packages}{load}"
    )


def page(table: Table) -> str:
    """The whole page; a measure that was never made is named as such."""
    parts = [_HEAD, "## Targets\n", _targets(table)]
    for title, name, show in _SECTIONS:
        parts.append(f"## {title}\n")
        parts.append(show(table[name]["result"]) if name in table else "Not measured yet.\n")
        if name in table:
            parts.append(_about(table[name]))
    return "\n".join(parts)


def summary(table: Table) -> str:
    """For docs/performance.md: the targets, and where the time of a picture goes."""
    parts = [_targets(table)]
    if "arithmetic" in table:
        found = table["arithmetic"]["result"]
        stages = found["stages"]
        whole = sum(one["median"] for one in stages.values())
        parts += ["| stage of one picture, warm | ms (10..90 %) | share |", "|---|---|---|"]
        for name, one in stages.items():
            share = f"{one['median'] / whole:.0%}"
            parts.append(f"| {name} | {one['median']:.1f} ({one['low']:.1f}..{one['high']:.1f}) | {share} |")
        parts += ["", _arithmetic(found), _about(table["arithmetic"])]
    return "\n".join(parts)


def _about(measure: Table) -> str:
    return (
        f"{measure['model']}, engine {measure['engine']}, pictures: {measure['pictures']}; "
        f"{measure['when']}; {measure['machine']}.\n"
    )


def _targets(table: Table) -> str:
    lines = ["| what | against | target | measured | |", "|---|---|---|---|---|"]
    for what, key, against, target, less in TARGETS:
        ratio = _ratio(table, key, against)
        if ratio is None:
            lines.append(f"| {what} | {against} | {_wanted(target, less)} | not measured | |")
            continue
        value = 1 / ratio if less else ratio
        met = value <= target if less else value >= target
        shown = f"{value:.2f} of theirs" if less else f"{value:.1f}x"
        lines.append(f"| {what} | {against} | {_wanted(target, less)} | {shown} | {_said(met)} |")
    if "cold" in table:
        own = table["cold"]["result"]["seconds"][OURS]["median"]
        lines.append(
            f"| cold start | the clock | under {COLD_LIMIT} s | {own:.2f} s | {_said(own < COLD_LIMIT)} |"
        )
    return "\n".join(lines) + "\n"


def _wanted(target: float, less: bool) -> str:
    return f"at most {target:g} of theirs" if less else f"{target:g}x or better"


def _said(met: bool) -> str:
    return "met" if met else "**missed**"


def _ratio(table: Table, key: str, against: str) -> float | None:
    """Theirs over ours."""
    home = {"heatmap": "one", "seconds": "cold", "memory": "cold", "bulk": "bulk", "size": "size"}[key]
    if home not in table:
        return None
    found = table[home]["result"]
    if key == "size":
        return float(found[against]["total"] / found[OURS]["total"])
    return float(found["seconds" if key == "bulk" else key][against]["ratio"]["median"])


def _rows(compared: Table, unit: str, scale: float, digits: int = 1) -> str:
    lines = [f"| way | {unit} (10..90 %) | ratio to ours (10..90 %) | turns |", "|---|---|---|---|"]
    for name, one in compared.items():
        low, middle, high = (f"{scale * one[key]:,.{digits}f}" for key in ("low", "median", "high"))
        ratio = one["ratio"]
        lines.append(
            f"| {name} | {middle} ({low}..{high}) | "
            f"{ratio['median']:.2f} ({ratio['low']:.2f}..{ratio['high']:.2f}) | {one['n']} |"
        )
    return "\n".join(lines) + "\n"


def _one(found: Table) -> str:
    stages = ", ".join(f"{name} {one['median']:.1f}" for name, one in found["stages"].items())
    return "\n".join(
        [
            "File to verdict with a heatmap as PNG (detect-tumor: to the verdict), models loaded:\n",
            _rows(found["heatmap"], "ms", 1e3),
            "To the verdict alone:\n",
            _rows(found["verdict"], "ms", 1e3),
            f"Ours by stage, ms: {stages}.\n",
        ]
    )


def _cold(found: Table) -> str:
    return "\n".join(
        [
            "The command line, from its start to its printed verdict, files in the disk's cache:\n",
            _rows(found["seconds"], "s", 1, 2),
            "Peak resident memory of the process and all it starts:\n",
            _rows(found["memory"], "MB", 1e-6, 0),
        ]
    )


def _bulk(found: Table) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in found["pictures"].items())
    rates = ", ".join(f"{name} {1 / one['median']:.1f}" for name, one in found["seconds"].items())
    return (
        f"Pictures a turn: {counts}. Ours is the whole command, its start and the result file included; the "
        "others have loaded their model before the clock starts. The original's way prepares one array and "
        "gives it to `predict`; detect-tumor has one call a picture.\n\n"
        f"{_rows(found['seconds'], 'ms a picture', 1e3)}\nPictures a second: {rates}.\n"
    )


def _size(found: Table) -> str:
    lines = ["| way | packages, MB | model, MB | total, MB | largest |", "|---|---|---|---|---|"]
    for name, one in found.items():
        largest = sorted(one["each"].items(), key=lambda item: -item[1])[:4]
        heavy = ", ".join(f"{package} {size / 1e6:.0f}" for package, size in largest)
        model = f"{one['model'] / 1e6:.0f}" if one["model"] else "inside"
        lines.append(f"| {name} | {one['bytes'] / 1e6:.0f} | {model} | {one['total'] / 1e6:.0f} | {heavy} |")
    return (
        "The way's packages and all they need, without compiled Python. Ours: `pip install .` and no extra; "
        "the original's: what its script imports, and Gradio.\n\n" + "\n".join(lines) + "\n"
    )


def _arithmetic(found: Table) -> str:
    stages = {name: one["median"] for name, one in found["stages"].items()}
    whole, infer, work = sum(stages.values()), stages["infer"], found["multiply_adds"][OURS]
    peak = max(found["peak"].values())
    rate = 2 * work / (infer / 1e3)
    theirs, best = found["multiply_adds"][PEER], found["peak"]
    return (
        f"The network takes {infer:.1f} of {whole:.1f} ms, {infer / whole:.0%} of the time of one picture "
        f"with heatmap. It needs {work / 1e9:.2f} G multiply-adds (detect-tumor's {theirs / 1e9:.1f}), so it "
        f"runs at {rate / 1e9:.0f} GFLOP/s: {rate / peak:.0%} of the {peak / 1e9:.0f} GFLOP/s that a "
        f"2048 x 2048 float32 matrix product reaches here at its best (ONNX Runtime "
        f"{best['onnxruntime'] / 1e9:.0f}, numpy {best['numpy'] / 1e9:.0f}). An engine at that rate would be "
        f"{peak / rate:.1f} times as fast.\n"
    )


def _growth(found: Any) -> str:
    lines = ["| pictures | s | ms a picture | peak memory, MB |", "|---|---|---|---|"]
    for one in found:
        each = 1e3 * one["seconds"] / one["pictures"]
        lines.append(f"| {one['pictures']:,} | {one['seconds']:.1f} | {each:.1f} | {one['peak'] / 1e6:.0f} |")
    return "`tumorscan predict LIST --out FILE`, start included:\n\n" + "\n".join(lines) + "\n"


def _prepare(found: Table) -> str:
    low, middle, high = (f"{1e3 * found['contrast'][key]:.2f}" for key in ("low", "median", "high"))
    return (
        "Non-local means (patch 5, distance 3, h = 1.15 sigma) of one picture at the network's size; "
        f"`benchmarks/prepare.py` says how alike the results are:\n\n"
        f"{_rows(found['denoise'], 'ms', 1e3, 2)}\n"
        f"CLAHE, which is OpenCV's in all ways, takes {middle} ms ({low}..{high}).\n"
    )


_SECTIONS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("One picture, warm", "one", _one),
    ("Cold start and memory", "cold", _cold),
    ("Many pictures", "bulk", _bulk),
    ("Installed size", "size", _size),
    ("Preparation alone", "prepare", _prepare),
    ("How much of it is the network, and how far from the limit", "arithmetic", _arithmetic),
    ("Growth", "growth", _growth),
)
