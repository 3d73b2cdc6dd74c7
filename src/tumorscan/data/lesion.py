"""A drawn lesion: an uneven blob in the brain that pushes tissue aside, with rim, core and swelling."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.data.anatomy import Anatomy, Map, Tissue, smooth_noise


@dataclass(frozen=True)
class Lesion:
    """The lots of a lesion.

    Attributes:
        place: which of the places in the brain, 0..1.
        radius: as a fraction of the side.
        waves: size and phase of the outline's waves.
        level: its signal against the brain's around it, -1..1.
        rim: signal of its outer part against the rest of it; 0 without a rim.
        patches: how uneven it is inside.
        swelling: how far oedema reaches, in radii; 0 without.
        swelling_level: signal of the oedema against the tissue, -1..1.
        push: how far tissue is moved aside, in radii.
        seed: of its noise.
    """

    place: float
    radius: float
    waves: tuple[tuple[float, float], ...]
    level: float
    rim: float
    patches: float
    swelling: float
    swelling_level: float
    push: float
    seed: int


@dataclass(frozen=True)
class Grown:
    """A lesion in its place.

    Attributes:
        anatomy: the head with its tissue pushed aside.
        mask: bool, H x W; the lesion without the swelling.
        change: float32, H x W; what the lesion and its swelling add to the signal.
        cover: float32, H x W, 0..1; where the lesion takes the tissue's place.
    """

    anatomy: Anatomy
    mask: NDArray[np.bool_]
    change: Map
    cover: Map

    def lay_on(self, signal: Map) -> Map:
        """The signal with the lesion in it; under the lesion the tissue's own pattern is gone."""
        brain = self.anatomy.tissues[[Tissue.GREY, Tissue.WHITE]].sum(axis=0) > 0.8
        around = float(np.median(signal[brain]))
        laid = signal * (1 - self.cover) + around * self.cover + self.change
        return np.maximum(laid, 0).astype(np.float32)


def draw_lesion(rng: np.random.Generator, *, bright_swelling: bool, plain: bool = False) -> Lesion:
    """Draw the lots of a lesion.

    Args:
        rng: where the lots come from.
        bright_swelling: water is bright (T2, FLAIR), not dark (T1).
        plain: large, solid and bright, so that a small network learns it in seconds.
    """
    lesion = _draw_any(rng, bright_swelling=bright_swelling)
    if not plain:
        return lesion
    return replace(lesion, radius=rng.uniform(0.09, 0.14), level=rng.uniform(0.4, 0.6), rim=0.0, patches=0.02)


def _draw_any(rng: np.random.Generator, *, bright_swelling: bool) -> Lesion:
    kind = rng.choice(["solid", "ring", "dark", "mixed"], p=[0.35, 0.3, 0.15, 0.2])
    level = {
        "solid": rng.uniform(0.18, 0.42),
        "ring": rng.uniform(-0.28, -0.05),
        "dark": rng.uniform(-0.32, -0.18),
        "mixed": rng.uniform(0.15, 0.35),
    }[str(kind)]
    swollen = rng.uniform() < 0.6
    water = rng.uniform(0.10, 0.22)
    return Lesion(
        place=rng.uniform(),
        radius=float(np.exp(rng.uniform(np.log(0.035), np.log(0.11)))),
        waves=tuple((rng.normal(0, 0.2) / k, rng.uniform(0, 2 * np.pi)) for k in range(2, 7)),
        level=level,
        rim=rng.uniform(0.35, 0.6) if kind == "ring" else 0.0,
        patches=rng.uniform(0.06, 0.12) if kind == "mixed" else rng.uniform(0.01, 0.04),
        swelling=rng.uniform(0.4, 1.1) if swollen else 0.0,
        swelling_level=water if bright_swelling else -0.7 * water,
        push=rng.uniform(0.1, 0.5),
        seed=int(rng.integers(2**32)),
    )


def grow(lesion: Lesion, anatomy: Anatomy, middle: tuple[int, int] | None = None) -> Grown:
    """Put a lesion into a head; its middle, row and column, follows from its lot unless it is given."""
    size = anatomy.depth.shape[0]
    rng = np.random.default_rng(lesion.seed)
    row, column = place_of(lesion, anatomy) if middle is None else middle
    pushed = _pushed(anatomy, row, column, lesion)
    inside = np.clip(pushed.depth / 0.03, 0, 1)
    away = _way_out(lesion, row, column, size) + 0.12 * smooth_noise(rng, size, 0.018)
    blur = 1.5 / (lesion.radius * size)  # an edge of about a pixel and a half, in radii
    cover = np.clip((1 - away) / blur + 0.5, 0, 1) * inside
    level = lesion.level + lesion.patches * smooth_noise(rng, size, 0.012)
    level = level + lesion.rim * np.exp(-(((away - 0.84) / 0.16) ** 2))
    change = cover * level
    if lesion.swelling:
        change = change + (1 - cover) * inside * _swelling(lesion, pushed, away, rng)
    mask = (away < 1) & (pushed.depth > 0)
    return Grown(pushed, mask, change.astype(np.float32), cover.astype(np.float32))


def place_of(lesion: Lesion, anatomy: Anatomy) -> tuple[int, int]:
    """A pixel of brain tissue, not too near to its surface, by the lesion's lot."""
    tissue = anatomy.tissues[Tissue.GREY] + anatomy.tissues[Tissue.WHITE]
    rows, columns = np.nonzero((anatomy.depth > 0.15) & (tissue > 0.9))
    chosen = int(lesion.place * len(rows))
    return int(rows[chosen]), int(columns[chosen])


def _way_out(lesion: Lesion, row: int, column: int, size: int) -> Map:
    """Distance from the lesion's middle in units of its uneven radius: 1 on its edge."""
    at = np.arange(size, dtype=np.float32)
    across, along = np.meshgrid(at - column, at - row)
    theta = np.arctan2(along, across)
    waves = sum(high * np.cos(k * theta + phase) for k, (high, phase) in enumerate(lesion.waves, start=2))
    radius = lesion.radius * size * np.clip(1 + waves, 0.5, 1.6)
    return np.asarray(np.hypot(across, along) / radius, np.float32)


def _pushed(anatomy: Anatomy, row: int, column: int, lesion: Lesion) -> Anatomy:
    """Mass effect: tissue moves away from the lesion, less with distance; the skull stays."""
    size = anatomy.depth.shape[0]
    at = np.arange(size, dtype=np.float32)
    across, along = np.meshgrid(at - column, at - row)
    distance = np.hypot(across, along) / (lesion.radius * size)
    held = np.clip(anatomy.depth / 0.15, 0, 1)
    shift = lesion.push * held * np.exp(-((distance / 2) ** 2)) / np.maximum(distance, 1)
    x, y = (across * (1 - shift) + column).astype(np.float32), (along * (1 - shift) + row).astype(np.float32)
    moved = np.stack([cv2.remap(share, x, y, cv2.INTER_LINEAR) for share in anatomy.tissues])
    return Anatomy(moved.astype(np.float32), anatomy.depth)


def _swelling(lesion: Lesion, anatomy: Anatomy, away: Map, rng: np.random.Generator) -> Map:
    """Oedema fades outwards, follows the white matter and mostly spares the grey."""
    size = away.shape[0]
    ragged = away + 0.25 * smooth_noise(rng, size, 0.03)
    fade = np.clip((1 + lesion.swelling - ragged) / max(lesion.swelling, 0.1), 0, 1) ** 0.7
    taken = anatomy.tissues[Tissue.WHITE] + 0.25 * anatomy.tissues[Tissue.GREY]
    return np.asarray(lesion.swelling_level * fade * taken, np.float32)
