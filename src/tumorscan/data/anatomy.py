"""A drawn head: how much of each tissue is where, in an axial slice that no person has.

Lots are drawn by `draw_head`; `tissues` acts on them. Shapes are ellipses in the head's own frame
(u to the right, v to the back; the scalp lies at u^2 + v^2 = 1), folded cortex is band-passed noise in
polar coordinates, so that sulci run inwards as they do in a brain.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]
"""float32, H x W."""

BRAIN = 0.86
"""Where the brain ends, as a fraction of the way from the middle to the scalp's outside."""

_ANGLES, _RINGS = 720, 128  # grid of the polar noise


class Tissue(IntEnum):
    """Row of the tissue maps."""

    AIR = 0
    SCALP = 1
    BONE = 2
    MARROW = 3
    FLUID = 4
    GREY = 5
    WHITE = 6


@dataclass(frozen=True)
class Head:
    """The lots of one head.

    Attributes:
        x, y: middle, as fractions of the side.
        half_width, half_length: half axes of the scalp, as fractions of the side.
        angle: turn in radians.
        egg: how much wider the back is than the front.
        bumps: size and phase of the outline's waves.
        level: height of the slice: 0 through the deep nuclei, 1 above the ventricles.
        ventricles: their size, 1 is usual.
        folds: sulci around the brain.
        atrophy: width of the sulci, 1 is usual.
        seed: of the noise fields.
    """

    x: float
    y: float
    half_width: float
    half_length: float
    angle: float
    egg: float
    bumps: tuple[tuple[float, float], ...]
    level: float
    ventricles: float
    folds: float
    atrophy: float
    seed: int


@dataclass(frozen=True)
class Anatomy:
    """What was drawn of a head, before anything glows.

    Attributes:
        tissues: float32, 7 x H x W; shares of each `Tissue`, which add up to 1.
        depth: float32, H x W; way into the brain from its surface, 0 there and 1 in the middle,
            negative outside.
    """

    tissues: NDArray[np.float32]
    depth: Map


def draw_head(rng: np.random.Generator) -> Head:
    """Draw the lots of a head."""
    level = rng.uniform(0, 1)
    half_length = rng.uniform(0.40, 0.475) * (1 - 0.08 * level)
    return Head(
        x=rng.uniform(0.47, 0.53),
        y=rng.uniform(0.47, 0.53),
        half_width=half_length * rng.uniform(0.76, 0.88),
        half_length=half_length,
        angle=rng.normal(0, 0.06),
        egg=rng.uniform(0.02, 0.12),
        bumps=tuple((rng.normal(0, 0.012), rng.uniform(0, 2 * np.pi)) for _ in range(4)),
        level=level,
        ventricles=rng.uniform(0.75, 1.35),
        folds=rng.uniform(28, 38),
        atrophy=rng.uniform(0.6, 1.4),
        seed=int(rng.integers(2**32)),
    )


def tissues(head: Head, size: int) -> Anatomy:
    """Draw the tissues of a head.

    Args:
        head: its lots.
        size: side of the picture in pixels.
    """
    rng = np.random.default_rng(head.seed)
    u, v = _frame(head, size)
    theta = np.arctan2(u, -v)  # 0 at the front
    reach = np.hypot(u / (1 + head.egg * v), v) * _outline(head, theta)
    depth = (1 - reach / BRAIN).astype(np.float32)
    maps = np.zeros((len(Tissue), size, size), np.float32)
    maps[Tissue.AIR] = 1
    edge = 1.2 / (size * head.half_length)  # about a pixel, in units of u and v
    _paint_shell(maps, reach, edge)
    _paint(maps, Tissue.WHITE, _soft(depth, edge))
    _paint_nuclei(maps, head, u, v)
    _paint_cortex(maps, head, depth, theta, rng)
    _paint_midline(maps, depth, u + 0.012 * np.sin(4 * v + head.x * 100), v, edge)
    _paint_ventricles(maps, head, u, v)
    return Anatomy(maps, depth)


def smooth_noise(rng: np.random.Generator, size: int, scale: float) -> Map:
    """A smooth random field of mean 0 and deviation 1.

    Args:
        rng: where the lots come from.
        size: side in pixels.
        scale: deviation of the Gaussian that smooths white noise, as a fraction of the side.
    """
    field = cv2.GaussianBlur(rng.standard_normal((size, size), np.float32), (0, 0), max(scale * size, 0.3))
    return _standard(field)


def _frame(head: Head, size: int) -> tuple[Map, Map]:
    at = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.meshgrid(at - head.x, at - head.y)
    sine, cosine = np.sin(head.angle), np.cos(head.angle)
    u = (cosine * x + sine * y) / head.half_width
    v = (cosine * y - sine * x) / head.half_length
    return u.astype(np.float32), v.astype(np.float32)


def _outline(head: Head, theta: Map) -> Map:
    waves = sum(high * np.cos(k * theta + phase) for k, (high, phase) in enumerate(head.bumps, start=2))
    return np.asarray(1 + waves, np.float32)


def _soft(inside: NDArray[Any], width: float) -> Map:
    """0 to 1 across an edge at 0 that is `width` wide."""
    return np.asarray(np.clip(inside / width + 0.5, 0, 1), np.float32)


def _paint(maps: NDArray[np.float32], tissue: Tissue, amount: Map) -> None:
    maps *= 1 - amount
    maps[tissue] += amount


def _paint_shell(maps: NDArray[np.float32], reach: Map, edge: float) -> None:
    for tissue, outer in (
        (Tissue.SCALP, 1.0),
        (Tissue.BONE, 0.955),
        (Tissue.MARROW, 0.935),
        (Tissue.BONE, 0.91),
        (Tissue.FLUID, 0.885),
    ):
        _paint(maps, tissue, _soft(outer - reach, edge))


def _ellipse(u: Map, v: Map, middle: tuple[float, float], half: tuple[float, float], angle: float) -> Map:
    """An ellipse with an edge as soft as partial volume makes it; mirrored to both sides of the midline."""
    across, along = np.abs(u) - middle[0], v - middle[1]
    sine, cosine = np.sin(angle), np.cos(angle)
    first, second = cosine * across - sine * along, sine * across + cosine * along
    return _soft((1 - np.hypot(first / half[0], second / half[1])) * min(half), 0.03)


def _paint_nuclei(maps: NDArray[np.float32], head: Head, u: Map, v: Map) -> None:
    shown = float(np.clip(1.5 - 2.5 * head.level, 0, 1)) * 0.85
    for middle, half, angle in (
        ((0.17, 0.06), (0.11, 0.15), -0.3),  # thalamus
        ((0.20, -0.26), (0.06, 0.13), -0.2),  # head of the caudate
        ((0.38, -0.10), (0.08, 0.21), 0.25),  # putamen
    ):
        _paint(maps, Tissue.GREY, shown * _ellipse(u, v, middle, half, angle))


def _paint_ventricles(maps: NDArray[np.float32], head: Head, u: Map, v: Map) -> None:
    k, level = head.ventricles, head.level
    low = float(np.clip(1.6 - 3 * level, 0, 1))
    body = float(np.clip(1 - abs(level - 0.62) / 0.2, 0, 1))
    # Little shifts keep the two sides from being exact mirrors.
    skew = u + 0.01 * np.sin(3 * v + 60 * head.y)
    for middle, half, angle, shown in (
        ((0.09 * k, -0.26), (0.045 * k, 0.14 * k), -0.35, low),  # front horns
        ((0.25, 0.30), (0.04 * k, 0.17 * k), 0.35, low),  # back horns
        ((0.0, 0.02), (0.022 * k, 0.11), 0.0, low),  # third ventricle
        ((0.10 * k, 0.0), (0.05 * k, 0.36), 0.08, body),
    ):
        _paint(maps, Tissue.FLUID, shown * _ellipse(skew, v, middle, half, angle))


def _paint_midline(maps: NDArray[np.float32], depth: Map, u: Map, v: Map, edge: float) -> None:
    # Front and back the halves are apart; between them the corpus callosum joins them.
    apart = _soft(np.abs(v) - 0.42, 0.06) * _soft(depth, edge)
    _paint(maps, Tissue.GREY, apart * _soft(0.055 - np.abs(u), 0.03))
    _paint(maps, Tissue.FLUID, 0.9 * apart * _soft(0.012 - np.abs(u), 0.02))


def _paint_cortex(
    maps: NDArray[np.float32], head: Head, depth: Map, theta: Map, rng: np.random.Generator
) -> None:
    """Sulci where the folded field is low, a ribbon of grey along them, white matter in the gyri."""
    size = depth.shape[0]
    wander = smooth_noise(rng, size, 0.035)
    fold = _sampled(_polar_noise(rng, head.folds), theta + 0.09 * wander, depth)
    sulcus = -fold - 6 * depth + 0.25 * smooth_noise(rng, size, 0.02)
    inside = _soft(depth, 0.02)
    ribbon = np.maximum(_soft(sulcus + 1.2, 0.5), _soft(0.09 - depth, 0.03))
    _paint(maps, Tissue.GREY, inside * ribbon)
    _paint(maps, Tissue.FLUID, inside * _soft(sulcus - 0.62 + 0.3 * head.atrophy, 0.5))


def _polar_noise(rng: np.random.Generator, folds: float) -> Map:
    """Band-passed noise, angle x ring, with about so many waves around."""
    wave = _ANGLES / folds
    noise = rng.standard_normal((_ANGLES, _RINGS), np.float32)
    around = np.concatenate([noise, noise, noise])  # so that the seam closes
    fine = cv2.GaussianBlur(around, (0, 0), sigmaX=9, sigmaY=0.16 * wave)
    fold = fine - cv2.GaussianBlur(around, (0, 0), sigmaX=9, sigmaY=0.32 * wave)
    # By its own local strength, or some sulci would be lakes and others missing.
    strength = np.sqrt(cv2.GaussianBlur(fold * fold, (0, 0), sigmaX=12, sigmaY=0.8 * wave))
    even = fold / (strength + 0.3 * strength.mean())
    return _standard(even[_ANGLES : 2 * _ANGLES])


def _sampled(polar: Map, theta: Map, depth: Map) -> Map:
    angle = (theta / (2 * np.pi)) % 1.0 * _ANGLES
    ring = np.clip(depth, 0, 1) * (_RINGS - 1)
    padded = np.concatenate([polar, polar[:2]])
    return np.asarray(
        cv2.remap(padded, ring.astype(np.float32), angle.astype(np.float32), cv2.INTER_LINEAR), np.float32
    )


def _standard(field: NDArray[Any]) -> Map:
    return np.asarray((field - field.mean()) / field.std(), np.float32)
