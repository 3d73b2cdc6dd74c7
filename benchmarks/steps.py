"""A training step's cost: float32, bfloat16, XLA, all layers and conv4; its wait for data; freed memory kept.

    python benchmarks/steps.py [--size 224] [--batch 16] [--steps 6] [--turns 3] [--write]

The network is ResNet50V2 to the end of conv4 with one logit a cell, its norms in inference mode: what the
preset `evidence` trains. The variants take turns. Then it trains from a `PyDataset` of stored feature maps,
and of pictures that are augmented on the way, each against one batch held in memory: the difference is the
wait. Last, all layers again before and after `keep_freed_memory`, which a process cannot take back.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from marked import write_block
from measures import shown, spread
from runtime_report import machine
from tqdm import tqdm

from tumorscan.config import AugmentSettings
from tumorscan.data.batches import augmented_view
from tumorscan.heap import keep_freed_memory
from tumorscan.model.features import feature_batches, slices

CUT, TOP = "conv4_block5_out", "conv4"
VARIANTS = {"float32": ("float32", False), "bfloat16": ("mixed_bfloat16", False), "XLA": ("float32", True)}


def main() -> None:
    """Measure, print three tables, and write them if asked."""
    options = _options()
    rng = np.random.default_rng(1)
    tables = (_step_table, _wait_table, _heap_table)
    text = "\n\n".join("\n".join(table(options, rng)) for table in tables)
    print(text)
    if options.write:
        write_block("steps", text)


def _step_table(options: argparse.Namespace, rng: np.random.Generator) -> list[str]:
    pictures, targets = _batch(options, rng)
    lines = ["| what trains | computed in | ms a picture (10..90 %) | of float32 |", "|---|---|---|---|"]
    for what, only in (("all layers", ""), ("conv4 alone", TOP)):
        trainers = {name: build(options, only, *how) for name, how in VARIANTS.items()}
        found = _steps(trainers, pictures, targets, options)
        for name, one in found.items():
            ratio = one["median"] / found["float32"]["median"]
            lines.append(f"| {what} | {name} | {shown(one)} | {ratio:.2f} |")
        del trainers
        keras.backend.clear_session()
    about = f"{options.size} px, batch {options.batch}, {options.turns} turns of {options.steps} steps"
    return [*lines, "", f"{about}; {machine()}."]


def _heap_table(options: argparse.Namespace, rng: np.random.Generator) -> list[str]:
    batch = _batch(options, rng)
    trainers = {"float32": build(options, "", *VARIANTS["float32"])}
    found = {"given back": _steps(trainers, *batch, options)["float32"]}
    if not keep_freed_memory():
        return ["Freed memory goes back to the system: this C library cannot be told to keep it."]
    found["kept"] = _steps(trainers, *batch, options)["float32"]
    lines = [
        "| all layers in float32, freed memory | ms a picture (10..90 %) | of given back |",
        "|---|---|---|",
    ]
    for what, one in found.items():
        lines.append(f"| {what} | {shown(one)} | {one['median'] / found['given back']['median']:.2f} |")
    return lines


def _batch(options: argparse.Namespace, rng: np.random.Generator) -> tuple[Any, Any]:
    """Pictures of noise, and no evidence in any cell."""
    shape, cells = (options.batch, options.size, options.size, 3), options.size // 16
    pictures = rng.integers(0, 256, shape).astype(np.float32)
    return pictures, np.zeros((options.batch, cells, cells, 1), np.float32)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=6, help="in a turn (default: 6)")
    parser.add_argument("--turns", type=int, default=3, help="of each variant (default: 3)")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    return parser.parse_args()


def build(options: argparse.Namespace, only: str, policy: str, xla: bool) -> Any:
    """A compiled network.

    Args:
        options: the pictures' size.
        only: layers whose names begin so train; empty for all.
        policy: Keras's name of what it computes in; the loss is always float32.
        xla: compile by XLA.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        shape = (options.size, options.size, 3)
        trunk = keras.applications.ResNet50V2(include_top=False, weights=None, input_shape=shape)
        x = keras.layers.ReLU()(trunk.get_layer(CUT).output)
        model = keras.Model(trunk.input, keras.layers.Conv2D(1, 1, dtype="float32")(x))
    finally:
        keras.config.set_dtype_policy(before)
    for layer in model.layers:
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = not norm and layer.name.startswith((only, "conv2d") if only else "")
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-4), loss, jit_compile=xla)
    return model


def _steps(trainers: dict[str, Any], pictures: Any, targets: Any, options: argparse.Namespace) -> Any:
    spent: dict[str, list[float]] = {name: [] for name in trainers}
    for turn in tqdm(range(options.turns + 1), leave=False, disable=None):
        for name, trainer in trainers.items():
            begun = time.perf_counter()
            for _ in range(options.steps if turn else 2):
                trainer.train_on_batch(pictures, targets)
            if turn:  # the first compiles
                spent[name].append(1e3 * (time.perf_counter() - begun) / options.steps / options.batch)
    return {name: spread(values) for name, values in spent.items()}


def waiting(train: Callable[[Any], object], dataset: Any, turns: int) -> tuple[float, float]:
    """Seconds of an epoch, and the share of them that the training waits for its data.

    Args:
        train: runs one epoch over a `PyDataset`, `model.fit` with its settings say.
        dataset: whose wait is wanted.
        turns: of the data set and of its first batch held in memory, one after the other.
    """

    class Held(keras.utils.PyDataset):
        """As many batches as the data set has, all of them the first one."""

        def __init__(self) -> None:
            super().__init__()
            self.batch = dataset[0]

        def __len__(self) -> int:
            return len(dataset)

        def __getitem__(self, _: int) -> Any:
            return self.batch

    spent: dict[str, list[float]] = {"real": [], "held": []}
    kinds = {"real": dataset, "held": Held()}
    for turn in range(turns + 1):
        for kind, data in kinds.items():
            begun = time.perf_counter()
            train(data)
            if turn:
                spent[kind].append(time.perf_counter() - begun)
    real, held = (float(np.median(spent[kind])) for kind in ("real", "held"))
    return real, max(0.0, 1 - held / real)


def _wait_table(options: argparse.Namespace, rng: np.random.Generator) -> list[str]:
    count = options.batch * options.steps
    cells = options.size // 16
    targets = np.zeros((count, cells, cells, 1), np.float32)
    rows = [np.arange(part.start, part.stop) for part in slices(count, options.batch)]
    whole = build(options, TOP, *VARIANTS["float32"])
    entry = whole.get_layer("conv3_block4_out").output
    above = keras.Model(entry, whole.output)
    above.compile(keras.optimizers.AdamW(1e-4), keras.losses.BinaryCrossentropy(from_logits=True))
    lines = ["| what trains | from | s an epoch | share spent waiting for data |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        shape = (count, *entry.shape[1:])
        stored = np.lib.format.open_memmap(Path(folder) / "maps.npy", "w+", np.float16, shape)
        stored[:] = rng.random(shape[1:], np.float32)
        seconds, share = _wait(above, feature_batches(stored, targets, rows), options)
        lines.append(f"| conv4 | stored feature maps | {seconds:.2f} | {share:.1%} |")
    pictures = rng.integers(0, 256, (count, options.size, options.size, 3)).astype(np.uint8)
    seconds, share = _wait(
        build(options, "", *VARIANTS["float32"]), _augmented(pictures, targets, rows), options
    )
    lines.append(f"| all layers | pictures augmented on the way, 2 threads | {seconds:.2f} | {share:.1%} |")
    return [*lines, "", f"{count} pictures an epoch, against one batch held in memory."]


def _wait(model: Any, data: Any, options: argparse.Namespace) -> tuple[float, float]:
    return waiting(lambda d: model.fit(d, shuffle=False, verbose=0), data, options.turns)


def _augmented(pictures: Any, targets: Any, rows: Any) -> Any:
    class Views(keras.utils.PyDataset):
        def __len__(self) -> int:
            return len(rows)

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            view = augmented_view(pictures[rows[index]], AugmentSettings(), seed=1, view=index)
            return view.astype(np.float32), targets[rows[index]]

    return Views(workers=2, max_queue_size=6)


if __name__ == "__main__":
    main()
