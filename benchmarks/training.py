"""Training the head on cached features, against plain `fit` over the same views and gradient steps.

Both start from the same weights and see the same augmented pictures in the same order; only the
cached way runs the frozen trunk once a view instead of once an epoch. Prints times, the ratio and
the validation AUC of both with its interval.

    python benchmarks/training.py [--data FOLDER --weights FILE]
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tumorscan.config import Settings, preset
from tumorscan.data.batches import augmented_view
from tumorscan.data.catalog import build_catalog
from tumorscan.data.phantom import write_phantoms
from tumorscan.data.split import make_split
from tumorscan.evaluate.intervals import delong
from tumorscan.model.checkpoint import Checkpoints
from tumorscan.model.features import feature_batches
from tumorscan.model.heads import NORM, POOL
from tumorscan.model.network import build_network, head_layers, train_only
from tumorscan.model.phase import Inputs, Phase, PhasePlan, class_weights
from tumorscan.model.train import FROZEN, settle
from tumorscan.model.weights import fill, load_trunk_weights, named_weights
from tumorscan.study.part import Part, load_part

_SHARED = Path(__file__).resolve().parents[2] / "shared"


def main() -> None:
    """Time both ways, cached first and last, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=_SHARED / "data" / "kaggle253")
    parser.add_argument(
        "--weights", type=Path, default=_SHARED / "weights" / "resnet50v2_imagenet_conv1_conv4.npz"
    )
    options = parser.parse_args()
    settings = preset("original")
    with tempfile.TemporaryDirectory() as scratch:
        data, weights = options.data, str(options.weights)
        if not data.is_dir():
            print(f"{data} is not here: phantoms and a fresh trunk stand in")
            write_phantoms(Path(scratch) / "phantoms", 200, 1)
            data, weights = Path(scratch) / "phantoms", "none"
        phase = replace(settings.train.frozen, patience=settings.train.frozen.epochs)
        settings = replace(
            settings,
            model=replace(settings.model, weights=weights),
            train=replace(settings.train, frozen=phase),
        )
        split = make_split(build_catalog([data]), settings.split)
        train, held_out = (load_part(split.parts[name], settings) for name in ("train", "validation"))
        print(f"{len(train.labels)} training and {len(held_out.labels)} validation pictures of {data.name}")
        compare(settings, train, held_out, Path(scratch))


def compare(settings: Settings, train: Part, held_out: Part, scratch: Path) -> None:
    """Alternate the two ways and print medians."""
    keras.utils.set_random_seed(settings.train.seed)
    network = build_network(settings.model, settings.prepare.frame.size)
    load_trunk_weights(network, settings.model)
    settle(
        network, [network.get_layer(NORM)], _inputs(network, settings, train, held_out), settings.train.batch
    )
    start = named_weights(network.layers)
    times: dict[str, list[float]] = {"cached": [], "plain": []}
    for turn, way in enumerate(("cached", "plain", "cached", "plain")):
        fill(network.layers, start, "start")
        begun = time.perf_counter()
        run = _cached if way == "cached" else _plain
        run(network, settings, train, held_out, scratch / str(turn))
        times[way].append(time.perf_counter() - begun)
        logits = np.asarray(network.predict(held_out.pictures, verbose=0))[:, 0]
        print(f"{way:7} {times[way][-1]:7.1f} s   validation AUC {delong(held_out.labels, logits)}")
    cached, plain = (float(np.median(times[way])) for way in ("cached", "plain"))
    phase = settings.train.frozen
    print(
        f"{phase.epochs} epochs over {min(phase.views, phase.epochs)} views: cached {cached:.1f} s, "
        f"plain {plain:.1f} s, {plain / cached:.1f} times as fast"
    )


def _cached(network: Any, settings: Settings, train: Part, held_out: Part, folder: Path) -> None:
    plan = PhasePlan(FROZEN, settings.train.frozen, network.get_layer(POOL), ())
    inputs = _inputs(network, settings, train, held_out)
    Phase(network, plan, inputs, settings, Checkpoints(folder)).run()


def _inputs(network: Any, settings: Settings, train: Part, held_out: Part) -> Inputs:
    seed = settings.train.seed
    return Inputs(
        entry=network.layers[0],
        view=lambda v: augmented_view(train.pictures, settings.augment, seed=seed, view=v),
        plain=train.pictures,
        labels=train.labels,
        validation=held_out.pictures,
        validation_labels=held_out.labels,
    )


def _plain(network: Any, settings: Settings, train: Part, held_out: Part, _folder: Path) -> None:
    """What a Keras user would write: the whole network fits augmented pictures, validation each epoch."""
    phase, batch, seed = settings.train.frozen, settings.train.batch, settings.train.seed
    train_only(network, head_layers(network))
    network.compile(
        optimizer=keras.optimizers.Adam(phase.rate),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.AUC(name="auc", from_logits=True, num_thresholds=1000)],
    )
    views = [
        augmented_view(train.pictures, settings.augment, seed=seed, view=v)
        for v in range(min(phase.views, phase.epochs))
    ]
    weights = class_weights(train.labels, balanced=True)
    keep = keras.callbacks.EarlyStopping("val_auc", mode="max", patience=10**6, restore_best_weights=True)
    plateau = keras.callbacks.ReduceLROnPlateau("val_auc", 0.5, phase.plateau, mode="max")

    class Views(keras.utils.PyDataset):
        epoch = 0

        def __len__(self) -> int:
            return math.ceil(len(train.labels) / batch)

        def __getitem__(self, index: int) -> tuple[NDArray[Any], ...]:
            order = np.random.default_rng([seed, self.epoch]).permutation(len(train.labels))
            rows = np.sort(np.array_split(order, len(self))[index])
            return views[self.epoch % len(views)][rows], train.labels[rows, None], weights[rows]

        def on_epoch_end(self) -> None:
            self.epoch += 1

    rows = np.array_split(np.arange(len(held_out.labels)), math.ceil(len(held_out.labels) / batch))
    validation = feature_batches(held_out.pictures, held_out.labels.astype(np.float32)[:, None], rows)
    network.fit(
        Views(),
        epochs=phase.epochs,
        validation_data=validation,
        callbacks=[keep, plateau],
        shuffle=False,
        verbose=0,
    )


if __name__ == "__main__":
    main()
