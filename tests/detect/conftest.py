"""A detector without a framework: its engine is arithmetic, and counts what it is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.config import preset
from tumorscan.detect.detector import Detector
from tumorscan.detect.rows import Item
from tumorscan.model.bundle import WEIGHTS, Manifest, read_bundle, write_bundle
from tumorscan.types import Interval, OperatingPoint, Scores


class CountingEngine:
    """Logits from a picture's mean and spread; keeps the size of every batch."""

    name = "counting"

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.before_batch: Callable[[], None] = lambda: None

    def run(self, pictures: np.ndarray) -> Scores:
        self.before_batch()
        self.batches.append(len(pictures))
        flat = pictures.reshape(len(pictures), -1).astype(np.float64)
        return Scores(((flat.mean(1) - 127.5) / (1 + flat.std(1))).astype(np.float32))

    def run_all(self, pictures: np.ndarray) -> np.ndarray:
        return self.run(pictures).logits


def write_bundle_named(folder: Path, name: str) -> Path:
    rate = Interval(0.9, 0.8, 0.95, "exact binomial")
    point = OperatingPoint("screening", 0.5, 0.97, rate, rate, "nothing")
    manifest = Manifest(
        name,
        "",
        "2026-01-01T00:00:00+00:00",
        "0",
        preset("quick"),
        temperature=1.5,
        operating_points=(point,),
    )
    write_bundle(folder, manifest, {WEIGHTS: b"the engine needs none"})
    return folder


@pytest.fixture(scope="session")
def counting_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle_named(tmp_path_factory.mktemp("bundles") / "counting", "counting")


@pytest.fixture
def counting(counting_bundle: Path) -> Detector:
    return Detector(read_bundle(counting_bundle), CountingEngine())


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    """Twenty pictures of several sizes, a damaged one, a missing one, a listed problem, and one twice."""
    folder = tmp_path_factory.mktemp("mixed")
    rng = np.random.default_rng(4)
    items = []
    for i in range(20):
        file = folder / f"{i}.png"
        shape = (20 + 3 * i, 64 - 2 * i)
        Image.fromarray(rng.integers(0, 30 + 11 * i, shape, dtype=np.uint8)).save(file)
        items.append(Item(file.name, str(file), (f"p{i}",)))
    (folder / "damaged.png").write_bytes((folder / "1.png").read_bytes()[:60])
    items.insert(3, Item("damaged.png", str(folder / "damaged.png"), ("p3",)))
    items.insert(9, Item("missing.png", str(folder / "missing.png"), ("",)))
    items.insert(11, Item("void", "void", problem="holds no file: name a folder with pictures"))
    items.append(items[0])
    return items
