"""What each part of the shipped recipe is worth: train without it, test on a source that no arm has seen.

    python benchmarks/ablations.py --data ../shared/data --weights WEIGHTS.npz --out runs/ablations

Every arm is the preset `evidence` with one thing changed, trained without Kaggle253 and tested on it. To
keep an arm at a few minutes the trunk stays as it is (two epochs of the stage `head` alone, in bfloat16),
unless --whole is given; `--set prepare.frame.size=160` makes it three. What is done is not done again, so
it can be stopped, and given more arms later.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

from tumorscan.config import ImitateSettings, changed, preset
from tumorscan.evaluate.blocks import in_words
from tumorscan.evaluate.intervals import group_bootstrap
from tumorscan.evaluate.weighted import auc
from tumorscan.study.held_out import sources_experiment
from tumorscan.study.held_out_result import HeldOut, row_of
from tumorscan.types import Interval

SOURCES: Final = ("figshare.csv", "kaggle253", "no_tumor/alzheimer", "no_tumor/healthy", "no_tumor/sartaj")
UNSEEN: Final = "kaggle253"
SHORT: Final = (
    "train.mixed_precision=true",
    "evidence.head.epochs=2",
    *(f"evidence.{stage}.epochs=0" for stage in ("upper", "whole", "plain")),
)
BASE: Final = "nothing changed"
LOOKS: Final = tuple(f"evidence.imitate.{one.name}=0" for one in fields(ImitateSettings))


@dataclass(frozen=True)
class Arm:
    """One thing changed: settings, or a source that is left out."""

    name: str
    changes: tuple[str, ...] = ()
    without: str = ""


ARMS: Final = (
    Arm(BASE),
    Arm("NLM on", ("prepare.denoise.method=fast",)),
    Arm("CLAHE on", ("prepare.contrast.method=clahe",)),
    Arm("no cut to the head", ("prepare.frame.crop_head=false",)),
    Arm("160 pixels", ("prepare.frame.size=160",)),
    Arm("288 pixels", ("prepare.frame.size=288",)),
    Arm("cut at conv3", ("model.cut=conv3_block4_out",)),
    Arm("cut in conv4, half-way", ("model.cut=conv4_block3_out",)),
    Arm("linear head", ("model.dense=0",)),
    Arm("smooth maximum", ("model.highest=0",)),
    Arm("no imitated scanners", LOOKS),
    *(Arm(f"no {one.name}", (f"evidence.imitate.{one.name}=0",)) for one in fields(ImitateSettings)),
    Arm("no moved lesions", ("evidence.moves.moved=0", "evidence.moves.decoy=0", "evidence.moves.hidden=0")),
    Arm(
        "no turn, zoom, shift, stretch",
        tuple(f"augment.{k}=0" for k in ("rotation", "zoom", "shift", "stretch")),
    ),
    Arm("no hard negatives", ("evidence.cells=mean",)),
    *(Arm(f"without {name}", without=f"no_tumor/{name}") for name in ("alzheimer", "healthy", "sartaj")),
)


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, required=True, help="of the trunk")
    parser.add_argument("--out", type=Path, required=True, help="folder of the study")
    parser.add_argument("--arms", nargs="+", default=[arm.name for arm in ARMS], help="these only")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of every arm")
    parser.add_argument("--whole", action="store_true", help="all stages of the training: 45 minutes an arm")
    given = parser.parse_args()
    chosen = [arm for arm in ARMS if arm.name in {BASE, *given.arms}]
    unknown = set(given.arms) - {arm.name for arm in ARMS}
    if unknown:
        parser.error(f"there is no arm {', '.join(sorted(unknown))}: {', '.join(arm.name for arm in ARMS)}")
    always = (f"model.weights={given.weights.resolve()}", *(() if given.whole else SHORT), *given.set)
    print(
        "| arm | AUC | specificity at a sensitivity of 0.97 | AUC, against the first row |\n|---|---|---|---|"
    )
    done: dict[str, HeldOut] = {}
    for arm in chosen:
        folder = given.out / arm.name.replace(" ", "-").replace(",", "")
        settings = changed(preset("evidence"), (*always, *arm.changes))
        sources = [given.data / name for name in SOURCES if name != arm.without]
        sources_experiment(sources, settings, folder, only=[UNSEEN])
        done[arm.name] = HeldOut.read(folder / f"{UNSEEN}.json")
        print(row(arm.name, done[arm.name], done[BASE]), flush=True)


def row(name: str, arm: HeldOut, base: HeldOut) -> str:
    """A line of the table: AUC, specificity at a sensitivity of 0.97, AUC less the base's."""
    shown = row_of(name, [arm]).figures
    figures = (shown["AUC"], shown["specificity at sensitivity 0.97"], gain(arm, base))
    return f"| {name} | " + " | ".join(in_words(one) for one in figures) + " |"


def gain(arm: HeldOut, base: HeldOut) -> Interval:
    """By how much an arm's AUC is above the base's on the same pictures, paired; bootstrap over groups."""
    place = {file: i for i, file in enumerate(base.files)}
    order = [place[file] for file in arm.files]
    mine, theirs = (
        auc(np.array(arm.labels), scores)
        for scores in (np.array(arm.probabilities), np.array(base.probabilities)[order])
    )
    return group_bootstrap({"gain": lambda weights: mine(weights) - theirs(weights)}, arm.groups)["gain"]


if __name__ == "__main__":
    main()
