"""Small pictures and catalogs for the tests of this room."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.data.records import Record
from tumorscan.types import Label

Draw = Callable[..., Path]


@pytest.fixture
def draw_png() -> Draw:
    """draw_png(path, seed): a grey 24 x 20 PNG of its own for each seed; folders on the way are made."""

    def draw(path: Path, seed: int) -> Path:
        pixels = np.random.default_rng(seed).integers(0, 256, (20, 24), dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, format="PNG")
        return path

    return draw


Make = Callable[..., Record]


@pytest.fixture(scope="session")
def record() -> Make:
    """record(number, label, group, ...): a record that needs no file; its hash follows from the number."""

    def make(number: int, label: Label, group: str, *, patient: str = "", file: str = "") -> Record:
        return Record(
            file=Path(f"/pictures/{file or number}.png"),
            label=label,
            pixels_sha256=hashlib.sha256(str(number).encode()).hexdigest(),
            group=group,
            source="drawn",
            patient=patient,
            width=24,
            height=20,
            mode="L",
            format="PNG",
            file_bytes=500,
        )

    return make
