"""What the rule for volumes was chosen on: simulated heads, figshare's slices by patient, healthy heads.

    pip install --no-deps nilearn==0.14.1        # the template; or --template nilearn/datasets/data
    python benchmarks/volume_rule.py [--data ../shared/data] [--patients 80] [--volumes 36]

Never `progression`, never figshare's fold 5. The shipped model was trained on the healthy heads and on folds
1 to 4, and the simulated heads are one template: the figures compare rules, and promise nothing elsewhere.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from environments import ROOT
from numpy.typing import NDArray
from tqdm import tqdm

sys.path.insert(0, str(ROOT / "examples"))

from simulated_lesions import Lesion, Shot, picture
from template_head import Head, find_template, load_head

from tumorscan.detect.curve import CurveRule, extent, summarise
from tumorscan.detect.detector import Detector, load_detector
from tumorscan.read import read_scan
from tumorscan.types import Scan, Verdict

Floats = NDArray[np.float64]
RULES = tuple(
    CurveRule(reach=reach, run=run, fewest=fewest)
    for reach, (run, fewest) in product((0, 3, 5, 7.5, 10), ((0, 1), (0, 2), (8, 2), (12, 2), (16, 2)))
)
SPAN = {"axial": (-60, 78), "coronal": (-100, 66), "sagittal": (-68, 68)}  # MNI mm with brain
HEAD = (
    *("neighbours, mm", "run, mm", "fewest", "AUC simulated", "AUC figshare against all without"),
    *("TUMOR, simulated", "TUMOR, figshare", "false alarms", "highest healthy", "key slice in", "run Dice"),
)
STEP = 5  # mm between simulated slices


@dataclass(frozen=True)
class Stack:
    """Slices in order.

    Attributes:
        kind: "simulated", "figshare" or "healthy".
        probabilities: N; nan where the gate refused.
        places: N, in mm.
        truth: N, whether a slice shows tumor.
    """

    kind: str
    probabilities: Floats
    places: Floats
    truth: NDArray[np.bool_]


def main() -> None:
    """Score all slices, then print a line a rule."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--template", type=Path)
    parser.add_argument("--patients", type=int, default=80, help="of figshare's folds 1 to 4, drawn")
    parser.add_argument("--volumes", type=int, default=36, help="simulated, every second with a tumor")
    options = parser.parse_args()
    template = options.template or find_template()
    if template is None:
        raise SystemExit("the template is missing: pip install --no-deps nilearn==0.14.1")
    detector = load_detector()
    healthy = _healthy(detector, options.data)
    stacks = [
        *healthy,
        *_figshare(detector, options.data, options.patients, healthy),
        *_simulated(detector, load_head(template), options.volumes),
    ]
    for kind in sorted({one.kind for one in stacks}):
        tumors = [bool(one.truth.any()) for one in stacks if one.kind == kind]
        print(f"{kind}: {sum(tumors)} with tumor, {len(tumors) - sum(tumors)} without")
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for rule in RULES:
        print(_line(rule, stacks, detector))


def _scores(detector: Detector, scans: Sequence[Scan]) -> Floats:
    found = [detector.find(scan).probability for scan in tqdm(scans, leave=False, disable=None)]
    return np.array([np.nan if p is None else p for p in found])


def _healthy(detector: Detector, data: Path) -> list[Stack]:
    heads: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for file in (data / "no_tumor" / "healthy").iterdir():
        name, number = re.match(r"(.*)_z(\d+)", file.stem).groups()  # type: ignore[union-attr]
        heads[name].append((int(number), file))
    stacks = []
    for found in heads.values():
        places = np.array([float(number) for number, _ in sorted(found)])
        p = _scores(detector, [read_scan(file) for _, file in sorted(found)])
        # As thick as it came, and as a series of thicker slices.
        stacks += [
            Stack("healthy", p[::every], places[::every], np.zeros(len(p[::every]), bool)) for every in (1, 2)
        ]
    return stacks


def _figshare(detector: Detector, data: Path, patients: int, healthy: Sequence[Stack]) -> Iterator[Stack]:
    """Slices of a patient and plane, all of which show tumor, inside slices of a healthy head, 7 mm apart."""
    with (data / "figshare.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["fold"] != "5"]
    rng = np.random.default_rng(1)
    chosen = set(rng.permutation(sorted({row["patient"] for row in rows}))[:patients])
    files: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for row in rows:
        if row["patient"] in chosen:
            files[row["patient"], row["plane"]].append(data / row["file"])
    for found in tqdm(files.values(), "figshare", disable=None):
        inside = _scores(detector, [read_scan(file) for file in found])
        around = healthy[rng.integers(len(healthy))].probabilities
        around = rng.permutation(around[np.isfinite(around)])[:20]
        at = int(rng.integers(2, len(around) - 2))
        p = np.concatenate([around[:at], inside, around[at:]])
        truth = np.zeros(len(p), bool)
        truth[at : at + len(inside)] = True
        yield Stack("figshare", p, 7.0 * np.arange(len(p)), truth)


def _simulated(detector: Detector, head: Head, volumes: int) -> Iterator[Stack]:
    rng = np.random.default_rng(7)
    for number in tqdm(range(volumes), "simulated", disable=None):
        plane = tuple(SPAN)[number // 2 % 3]
        kind = ("glioma", "glioma", "meningioma")[number % 3]
        ball = _Ball.drawn(rng, kind, plane) if number % 2 else None
        contrast = bool(rng.random() < 0.7)
        low, high = SPAN[plane]
        scans, truth = [], []
        for at in range(low, high + 1, STEP):
            lesion = ball.cut(at) if ball else None
            grey, mask = picture(head, Shot(plane, at, 1000 + number, contrast, lesion))
            scans.append(Scan(np.repeat(grey[..., None], 3, axis=2), "slice", "PNG", "L", grey.size, True))
            truth.append(bool(mask.any()))
        yield Stack(
            "simulated", _scores(detector, scans), float(STEP) * np.arange(len(scans)), np.array(truth)
        )


@dataclass(frozen=True)
class _Ball:
    """A lesion in three dimensions: what a slice shows is its cut."""

    lesion: Lesion
    middle: float  # MNI mm along the slices

    @classmethod
    def drawn(cls, rng: np.random.Generator, kind: str, plane: str) -> _Ball:
        side = float(rng.choice([-1, 1]))
        x = side * float(rng.uniform(50, 60) if kind == "meningioma" else rng.uniform(15, 40))
        y, z = float(rng.uniform(-60, 35)), float(rng.uniform(0, 45))
        across, along, middle = {"axial": (x, y, z), "coronal": (x, z, y), "sagittal": (y, z, x)}[plane]
        stretch, enhancement = float(rng.uniform(0.8, 1.2)), float(rng.uniform(0.6, 0.9))
        swelling = float(rng.choice([0, 1.2]))
        radius = float(rng.uniform(6, 20))
        return cls(Lesion(kind, across, along, radius, stretch, enhancement, 0.4, swelling), middle)

    def cut(self, at: float) -> Lesion | None:
        share = 1 - ((at - self.middle) / self.lesion.radius) ** 2
        return (
            replace(self.lesion, radius=self.lesion.radius * float(np.sqrt(share))) if share > 0.1 else None
        )


def _line(rule: CurveRule, stacks: Sequence[Stack], detector: Detector) -> str:
    found = [(one, summarise(one.probabilities, one.places, rule)) for one in stacks]

    def values(kind: str, *, tumor: bool) -> Floats:
        return np.array([s.probability for one, s in found if one.kind == kind and one.truth.any() == tumor])

    def said(p: Floats) -> float:
        return float(np.mean([detector.verdict(float(one)) is Verdict.TUMOR for one in p]))

    keys, dices = [], []
    for one, summary in found:
        if one.truth.any() and summary.key is not None:
            keys.append(bool(one.truth[summary.key]))
            first, last = extent(summary.curve, summary.key, rule.edge * summary.curve[summary.key])
            run = np.zeros(len(one.truth), bool)
            run[first : last + 1] = True
            dices.append(2 * (run & one.truth).sum() / (run.sum() + one.truth.sum()))
    without = np.concatenate([values("simulated", tumor=False), values("healthy", tumor=False)])
    simulated, figshare = values("simulated", tumor=True), values("figshare", tumor=True)
    figures: list[Any] = [
        _auc(simulated, values("simulated", tumor=False)),
        _auc(figshare, without),
        said(simulated),
        said(figshare),
        said(without),
        values("healthy", tumor=False).max(),
        np.mean(keys),
        np.mean(dices),
    ]
    cells = [f"{rule.reach:g}", f"{rule.run:g}", str(rule.fewest), *(f"{one:.3f}" for one in figures)]
    return f"| {' | '.join(cells)} |"


def _auc(higher: Floats, lower: Floats) -> float:
    return float(np.mean((higher[:, None] > lower) + 0.5 * (higher[:, None] == lower)))


if __name__ == "__main__":
    main()
