"""Training pictures as other scanners, windows and files would give them: what a detector must not heed.

Every change keeps the background dark and every tissue in its place, so labels, boxes and masks hold
(`strip` is the exception: it can cut into a lesion at the rim, see `imitate`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.config import ImitateSettings
from tumorscan.data.plane import Plane, closed, smooth_step
from tumorscan.prepare.grey import to_grey
from tumorscan.types import Picture

Change = Callable[[Plane, NDArray[np.bool_], np.random.Generator], Plane]
_AIR: Final = 0.05
"""Below this share of the brightest level a pixel is taken for air."""
_ENOUGH: Final = 100
"""Pixels that it takes to tell the levels of a tissue."""


def imitate(
    picture: Picture, settings: ImitateSettings, rng: np.random.Generator
) -> tuple[Picture, NDArray[np.bool_] | None]:
    """Change the look of a grey picture.

    Args:
        picture: uint8 RGB with equal channels, S x S x 3; not changed.
        settings: the probability of each change.
        rng: two lots are drawn for each change whether it happens or not, so that switching one off leaves
            the others as they were.

    Returns:
        The picture, uint8 RGB, S x S x 3, and what was stripped off (bool, S x S; None if nothing was).
    """
    plane = _float(picture[..., 0]) / np.float32(255)
    stripped = None
    for name, change in _CHANGES.items():
        happens, seed = rng.random() < getattr(settings, name), int(rng.integers(2**32))
        if not happens:
            continue
        own = np.random.default_rng(seed)
        if name == "strip":
            stripped = _skull(plane)
            if stripped is not None:
                plane = _float(np.where(stripped, np.float32(0), plane))
            continue
        plane = np.clip(change(plane, plane > _AIR, own), 0, 1).astype(np.float32)
    return to_grey(np.rint(plane * 255).astype(np.uint8)), stripped


def _skull(plane: Plane) -> NDArray[np.bool_] | None:
    """A rim of the head about as thick as scalp and skull; None where there is no head to speak of."""
    head = closed(cv2.GaussianBlur(plane, (0, 0), 3) > 2 * _AIR, 16)
    if head.mean() < 0.2:
        return None
    return np.asarray(_depth(head) < 0.16, np.bool_)


def _depth(head: NDArray[np.uint8]) -> Plane:
    """How far in each pixel of the head lies: 0 outside and at the rim, 1 at the deepest."""
    framed = cv2.copyMakeBorder(head, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    away = _float(np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1]))
    return _float(away / max(float(away.max()), 1.0))


def _as_it_is(plane: Plane, head: NDArray[np.bool_], rng: np.random.Generator) -> Plane:  # noqa: ARG001 - a Change
    """`strip` is no change of levels: `imitate` does it."""
    return plane


def _gamma(plane: Plane, head: NDArray[np.bool_], rng: np.random.Generator) -> Plane:  # noqa: ARG001 - a Change
    return _float(np.power(plane, np.float32(2 ** rng.uniform(-1, 1))))


def _window(plane: Plane, head: NDArray[np.bool_], rng: np.random.Generator) -> Plane:
    levels = plane[head]
    if not levels.size:
        return plane
    low, high = np.quantile(levels, (rng.uniform(0, 0.1), rng.uniform(0.93, 1.0)))
    top = rng.uniform(0.6, 1.0)
    return _float((plane - low * rng.uniform(0, 1)) / max(float(high - low), 0.05) * np.float32(top))


def _curve(plane: Plane, head: NDArray[np.bool_], rng: np.random.Generator) -> Plane:  # noqa: ARG001 - a Change
    """A smooth curve through random points: it may fall here and there, as between T1 and T2."""
    knots = np.linspace(0, 1, 6)
    values = np.concatenate([[0.0], np.clip(knots[1:] + rng.normal(0, 0.22, 5), 0.03, 1)])
    fine = np.linspace(0, 1, 256)
    table = cv2.GaussianBlur(np.interp(fine, knots, values).astype(np.float32)[None], (0, 0), 12)[0]
    table -= table[0]
    return np.asarray(np.interp(plane, fine, table), np.float32)


def _inversion(plane: Plane, head: NDArray[np.bool_], rng: np.random.Generator) -> Plane:  # noqa: ARG001 - a Change
    levels = plane[head]
    if not levels.size:
        return plane
    low, high = np.quantile(levels, (0.05, 0.98))
    return _float(np.where(head, np.float32(low + high) - plane, plane))


def _t2(plane: Plane, head: NDArray[np.bool_], rng: np.random.Generator) -> Plane:
    """A T1 slice with its tissues in T2's order: fluid brightest, white matter darkest, lesions bright.

    Levels below white matter's are turned over, so fluid, oedema and necrosis shine; what takes up contrast
    stays above it. Bone is as dark as fluid in T1 and dark in T2 too: the rim of the head keeps its order.
    """
    inner = smooth_step((_depth(closed(head, 12)) - 0.12) / 0.1)
    levels = plane[inner > 0.5]
    if levels.size < _ENOUGH:
        return plane
    fluid, white, top = np.quantile(levels, (rng.uniform(0.01, 0.06), rng.uniform(0.55, 0.8), 0.995))
    white = max(white, fluid + 0.05)
    dark, wet, lit = rng.uniform(0.12, 0.35), rng.uniform(0.75, 1.0), rng.uniform(0.5, 1.0)
    turned = np.interp(plane, [0.0, fluid, white, max(top, white + 0.05), 2.0], [wet, wet, dark, lit, lit])
    dimmed = plane * np.float32(rng.uniform(0.3, 1.0))
    return _float(inner * turned + (1 - inner) * dimmed)


def _bias(plane: Plane, head: NDArray[np.bool_], rng: np.random.Generator) -> Plane:  # noqa: ARG001 - a Change
    across = np.linspace(-1, 1, plane.shape[1])[None, :]
    down = np.linspace(-1, 1, plane.shape[0])[:, None]
    a, b, c, d, e = rng.normal(0, 0.22, 5)
    field = a * across + b * down + c * across**2 + d * down**2 + e * across * down
    return np.asarray(plane * np.exp(field - field.mean()), np.float32)


def _blur(plane: Plane, head: NDArray[np.bool_], rng: np.random.Generator) -> Plane:  # noqa: ARG001 - a Change
    return _smooth(plane, rng.uniform(0.4, 1.6))


def _sharpen(plane: Plane, head: NDArray[np.bool_], rng: np.random.Generator) -> Plane:  # noqa: ARG001 - a Change
    return plane + np.float32(rng.uniform(0.3, 1.5)) * (plane - _smooth(plane, rng.uniform(0.7, 2.0)))


def _resolution(plane: Plane, head: NDArray[np.bool_], rng: np.random.Generator) -> Plane:  # noqa: ARG001 - a Change
    side = len(plane)
    small = max(16, round(side * rng.uniform(0.35, 0.9)))
    less = cv2.resize(plane, (small, small), interpolation=cv2.INTER_AREA)
    return _float(cv2.resize(less, (side, side), interpolation=cv2.INTER_LINEAR))


def _noise(plane: Plane, head: NDArray[np.bool_], rng: np.random.Generator) -> Plane:  # noqa: ARG001 - a Change
    """Rician noise: the magnitude of a complex signal with Gaussian noise (Gudbjartsson & Patz 1995)."""
    sigma = rng.uniform(0.005, 0.06)
    real, other = rng.standard_normal((2, *plane.shape), np.float32) * np.float32(sigma)
    return _float(np.hypot(plane + real, other))


def _ghost(plane: Plane, head: NDArray[np.bool_], rng: np.random.Generator) -> Plane:  # noqa: ARG001 - a Change
    """Faint copies along one axis, as a pulse or a moving head leaves them."""
    axis, by = int(rng.integers(2)), int(len(plane) * rng.uniform(0.1, 0.5))
    strength = np.float32(rng.uniform(0.03, 0.12))
    return _float(plane + strength * (np.roll(plane, by, axis) + np.roll(plane, -by, axis)))


def _resave(plane: Plane, head: NDArray[np.bool_], rng: np.random.Generator) -> Plane:  # noqa: ARG001 - a Change
    quality = int(rng.integers(20, 90))
    _, data = cv2.imencode(".jpg", np.rint(plane * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _float(np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))) / np.float32(255)


def _smooth(plane: Plane, sigma: float) -> Plane:
    return _float(cv2.GaussianBlur(plane, (0, 0), sigma))


def _float(plane: NDArray[Any]) -> Plane:
    return plane.astype(np.float32, copy=False)


_CHANGES: Final[dict[str, Change]] = {
    "strip": _as_it_is,
    "inversion": _inversion,
    "t2": _t2,
    "curve": _curve,
    "gamma": _gamma,
    "bias": _bias,
    "window": _window,
    "ghost": _ghost,
    "resolution": _resolution,
    "blur": _blur,
    "sharpen": _sharpen,
    "noise": _noise,
    "resave": _resave,
}
"""In the order in which they come about: head, scanner, recording, window, file."""
