"""Drawn volumes, and an engine that reads each slice's logit off a bright mark in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tumorscan.data.phantom import draw_phantom
from tumorscan.types import Scores, Slice, Volume


class MarkEngine:
    """A slice with a white mark scores 4, one without scores -4; the map is lit where the mark is."""

    name = "mark"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, pictures: np.ndarray) -> Scores:
        self.batches.append(len(pictures))
        marked = (pictures[..., 0] >= 250).reshape(len(pictures), -1).mean(1) > 0.01
        return Scores(
            np.where(marked, 4.0, -4.0).astype(np.float32), embedding=np.ones((len(pictures), 2), np.float32)
        )


class NoGate:
    """Lets everything in, so that the plain checks are asked."""

    def unfamiliar(self, _: np.ndarray) -> tuple[str, ...]:
        return ()


class ShutGate:
    """Knows nothing."""

    def unfamiliar(self, _: np.ndarray) -> tuple[str, ...]:
        return ("unfamiliar: unlike the heads of the training (score 9, the limit is 1)",)


def stack(
    count: int = 20,
    marked: Sequence[int] = (),
    *,
    spacing: float | None = 4.0,
    blank: Sequence[int] = (),
    **changes: Any,
) -> Volume:
    """A head of 128 x 128 pixels, the same in every slice; a white mark in some, nothing in others."""
    head = 0.8 * draw_phantom(np.random.default_rng(3), tumor=False, size=128).pixels.astype(np.float32)
    values = np.stack([head] * count)
    for index in marked:
        values[index, 50:74, 50:74] = 255
    for index in blank:
        values[index] = np.tile(np.linspace(0, 12, 128, dtype=np.float32), (128, 1))
    given: dict[str, Any] = {
        "centre": 127.5,
        "width": 255.0,
        "slices": tuple(
            Slice("series", i, f"1.2.{i}", i * spacing if spacing else float("nan")) for i in range(count)
        ),
        "plane": "axial",
        "spacing": (spacing, 1.0, 1.0) if spacing else None,
        "name": "series",
        "format": "DICOM",
    }
    return Volume(values, **{**given, **changes})
