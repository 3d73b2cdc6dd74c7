"""Slices through a head, with or without a simulated tumor, as a scanner would picture them.

Everything is in millimetres of the slice: across to the right of the picture, and down. A lesion is
described by lots (`Lesion`); `picture` acts on them. Signals follow T1 after contrast agent: what takes
it up (rim of a glioma, meningioma, pituitary adenoma, sinus) is brighter than white matter; necrosis
and oedema are darker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from template_head import FLUID, ORIGIN, Head

Map = NDArray[np.float32]
"""float32, H x W."""

SIZE = 320
"""Side of a picture in pixels."""

FIELD = 236.0
"""Side of a picture in mm."""


@dataclass(frozen=True)
class Lesion:
    """A tumor in its slice.

    Attributes:
        kind: "glioma", "meningioma" or "pituitary".
        across, along: its middle in MNI mm of the slice: x and y (axial), x and z (coronal), y and z
            (sagittal).
        radius: in mm.
        stretch: half axes against the radius, across; along it is the inverse.
        enhancement: signal where contrast agent is taken up, 0..1; white matter has 0.52.
        push: how far the tissue at its edge is moved, in radii.
        swelling: how far oedema reaches, in radii; 0 without.
    """

    kind: str
    across: float
    along: float
    radius: float
    stretch: float = 1.0
    enhancement: float = 0.8
    push: float = 0.4
    swelling: float = 0.0


@dataclass(frozen=True)
class Shot:
    """One picture.

    Attributes:
        plane: "axial", "coronal" or "sagittal".
        at: MNI coordinate of the slice in mm along the plane's normal.
        seed: of pose, wobble and noise.
        contrast: contrast agent was given: sinuses are bright, grey and white matter more alike.
        lesion: None for the template as it is.
    """

    plane: str
    at: int
    seed: int
    contrast: bool
    lesion: Lesion | None = None


@dataclass(frozen=True)
class Site:
    """What a lesion is laid on.

    Attributes:
        signal: of the tissue, already pushed aside.
        white: share of white matter, 0..1.
        way: mm from the brain's hull, negative inside it.
        out: distance from the tumor's middle in its own uneven radii: 1 on its edge.
    """

    signal: Map
    white: Map
    way: Map
    out: Map


def picture(head: Head, shot: Shot) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Picture a slice.

    Returns:
        Grey values, uint8, SIZE x SIZE, and the tumor without its oedema, bool, of the same shape.
    """
    rng = np.random.default_rng([shot.seed, 152])
    across, down, low = _posed(rng, shot.plane)
    maps = [_slice(volume, shot) for volume in (head.signal, head.white, head.way, head.vessel)]
    way = _sample(maps[2], across, down, low, outside=40)
    mask = np.zeros((SIZE, SIZE), np.bool_)
    if shot.lesion is None:
        signal, white, vessel = (_sample(maps[i], across, down, low) for i in (0, 1, 3))
        return _scanned(_contrasted(signal, white, vessel, shot, rng), rng), mask
    out = _way_out(shot.lesion, across, down, rng)
    pushed = _pushed(shot.lesion, across, down, out, way)
    signal, white, vessel = (_sample(maps[i], *pushed, low) for i in (0, 1, 3))
    ideal = _contrasted(signal, white, vessel, shot, rng)
    laid, mask = _LAY[shot.lesion.kind](shot.lesion, Site(ideal, white, way, out), rng)
    return _scanned(laid, rng), mask


def smooth_noise(rng: np.random.Generator, millimetres: float) -> Map:
    """A smooth random field over the picture, of mean 0 and deviation 1."""
    sigma = max(millimetres * SIZE / FIELD, 0.4)
    field = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE), np.float32), (0, 0), sigma)
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def _slice(volume: NDArray[np.float32], shot: Shot) -> Map:
    """The plane as radiologists read it: vault or forehead up; the patient's right, or the face, left."""
    axis = {"sagittal": 0, "coronal": 1, "axial": 2}[shot.plane]
    plane = np.take(volume, ORIGIN[axis] + shot.at, axis=axis).T[::-1]
    # x runs to the patient's right and y to the face: mirrored, both lie on the picture's left.
    return np.ascontiguousarray(plane[:, ::-1])


def _origin(plane: str, shape: tuple[int, int]) -> tuple[float, float]:
    """Column and row of MNI zero in `_slice`'s result."""
    first, second = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}[plane]
    return shape[1] - 1 - ORIGIN[first], shape[0] - 1 - ORIGIN[second]


def _posed(rng: np.random.Generator, plane: str) -> tuple[Map, Map, str]:
    """MNI mm of each pixel, for a head a little turned, of its own size and shape."""
    at = ((np.arange(SIZE) + 0.5) / SIZE - 0.5) * FIELD
    x, y = np.meshgrid(at, at)
    angle, scale = rng.normal(0, 0.05), rng.uniform(0.97, 1.07)
    if plane != "axial":
        scale = rng.uniform(0.86, 0.93)
    middle = {"axial": (0.0, -16.0), "coronal": (0.0, 8.0), "sagittal": (-16.0, 8.0)}[plane]
    wide = scale * rng.uniform(0.97, 1.03)
    across = -(np.cos(angle) * x - np.sin(angle) * y) / wide + middle[0] + rng.normal(0, 2)
    down = -(np.sin(angle) * x + np.cos(angle) * y) / scale + middle[1] + rng.normal(0, 2)
    wobble = [2.2 * smooth_noise(rng, 26) + 0.5 * smooth_noise(rng, 8) for _ in range(2)]
    return (across + wobble[0]).astype(np.float32), (down + wobble[1]).astype(np.float32), plane


def _sample(plane: Map, across: Map, down: Map, name: str, outside: float = 0) -> Map:
    """The slice's values at MNI mm; `outside` beyond its ends."""
    column, row = _origin(name, plane.shape)
    x, y = (column - across).astype(np.float32), (row - down).astype(np.float32)
    border = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": outside}
    return np.asarray(cv2.remap(plane, x, y, cv2.INTER_CUBIC, **border), np.float32)


def _contrasted(signal: Map, white: Map, vessel: Map, shot: Shot, rng: np.random.Generator) -> Map:
    """Grain of real tissue; after contrast agent bright sinuses, and cortex nearer to white matter."""
    grain = 1 + 0.025 * smooth_noise(rng, 1.2) + 0.03 * smooth_noise(rng, 9)
    if not shot.contrast:
        return np.asarray(signal * grain, np.float32)
    cortex = np.exp(-(((signal - 0.36) / 0.1) ** 2)) * (1 - white)
    enhanced = (signal + 0.04 * cortex) * (1 - vessel) + 0.85 * vessel
    return np.asarray(enhanced * grain, np.float32)


def _way_out(lesion: Lesion, across: Map, down: Map, rng: np.random.Generator) -> Map:
    """Distance from the tumor's middle in its own uneven radii: 1 on its edge."""
    x, y = -(across - lesion.across) / lesion.stretch, -(down - lesion.along) * lesion.stretch
    theta = np.arctan2(y, x)
    uneven = {"glioma": 0.14, "meningioma": 0.07, "pituitary": 0.14}[lesion.kind]
    waves = sum(
        rng.normal(0, uneven) / k * np.cos(k * theta + rng.uniform(0, 2 * np.pi)) * 2 for k in range(2, 6)
    )
    rough = 0.3 * uneven * smooth_noise(rng, 4)
    return np.asarray(np.hypot(x, y) / (lesion.radius * np.clip(1 + waves, 0.6, 1.5)) + rough, np.float32)


def _pushed(lesion: Lesion, across: Map, down: Map, out: Map, way: Map) -> tuple[Map, Map]:
    """Mass effect: where the tissue seen here came from. The skull holds."""
    x, y = across - lesion.across, down - lesion.along
    distance = np.maximum(np.hypot(x, y), 1)
    held = np.clip(-way / 10, 0, 1)
    shift = lesion.push * lesion.radius * held * np.exp(-np.maximum(out - 1, 0) / 1.1)
    shift = cv2.GaussianBlur(np.minimum(shift, 0.9 * distance).astype(np.float32), (0, 0), 2.0)
    return across - x / distance * shift, down - y / distance * shift


def _edge(inside: NDArray[Any], width: float) -> Map:
    t = np.clip(inside / width + 0.5, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _oedema(lesion: Lesion, site: Site, rng: np.random.Generator) -> Map:
    """Water in the white matter, in fingers; it fades outwards and spares the cortex."""
    if not lesion.swelling:
        return site.signal
    ragged = site.out + 0.34 * smooth_noise(rng, 7) + 0.08 * smooth_noise(rng, 2)
    reach = _edge(1 + lesion.swelling - ragged, 0.55)
    wet = reach * np.clip(0.25 + 0.75 * site.white, 0, 1) * np.clip(-site.way / 4, 0, 1) * (site.signal > 0.2)
    wet = cv2.GaussianBlur(wet.astype(np.float32), (0, 0), 1.2)
    return np.asarray(site.signal * (1 - 0.42 * wet), np.float32)


def _glioma(lesion: Lesion, site: Site, rng: np.random.Generator) -> tuple[Map, NDArray[np.bool_]]:
    """A ring that enhances, of uneven thickness, round a necrosis; oedema outside."""
    inside = _edge(-site.way - 1.0, 3)
    around = _oedema(lesion, site, rng)
    cover = _edge(1 - site.out, 3.4 / lesion.radius) * inside
    patches = smooth_noise(rng, 3.5)
    core = 0.24 + 0.04 * patches + 0.02 * smooth_noise(rng, 1.2)
    thick = np.clip(0.17 + 0.09 * smooth_noise(rng, 6), 0.07, 0.5)
    ring = np.exp(-(np.abs((site.out - (1 - thick)) / thick) ** 1.6))
    uptake = lesion.enhancement * np.clip(0.9 + 0.14 * smooth_noise(rng, 9) + 0.08 * patches, 0.55, 1.15)
    body = core * (1 - ring) + uptake * ring
    # Strands and nodules that reach inwards from the ring.
    strand = 0.5 * _edge(smooth_noise(rng, 3) - 1.0, 1.2) * _edge(site.out - 0.3, 0.6)
    body = body * (1 - strand) + uptake * strand
    laid = around * (1 - cover) + body * cover
    return laid.astype(np.float32), (site.out < 1) & (site.way < -1)


def _meningioma(lesion: Lesion, site: Site, rng: np.random.Generator) -> tuple[Map, NDArray[np.bool_]]:
    """Even and bright, broad on the dura; a cleft of fluid towards the brain and a tail along the dura."""
    around = _oedema(lesion, site, rng)
    room = _edge(0.3 - site.way, 1.6)
    cleft = 0.55 * np.exp(-(((site.out - 1.07) / 0.06) ** 2)) * _edge(-site.way - 2.0, 3)
    around = around * (1 - cleft) + FLUID * cleft
    tail = 0.8 * np.exp(-(((site.way + 0.4) / 1.1) ** 2)) * _edge(1.55 - site.out, 0.5)
    around = around * (1 - tail) + 0.92 * lesion.enhancement * tail
    cover = _edge(1 - site.out, 1.8 / lesion.radius) * room
    body = lesion.enhancement * (1 + 0.045 * smooth_noise(rng, 4) + 0.03 * smooth_noise(rng, 1.2))
    laid = around * (1 - cover) + body * cover
    return laid.astype(np.float32), (site.out < 1) & (site.way < 0.3)


def _pituitary(lesion: Lesion, site: Site, rng: np.random.Generator) -> tuple[Map, NDArray[np.bool_]]:
    """An adenoma: even, less bright than a meningioma, between the sella's bone and the chiasm."""
    cover = _edge(1 - site.out, 1.8 / lesion.radius)
    patches = 0.07 * smooth_noise(rng, 3) + 0.03 * smooth_noise(rng, 1.2)
    rim = 0.10 * np.exp(-(((site.out - 0.86) / 0.14) ** 2))
    body = lesion.enhancement * (0.94 + patches + rim)
    return np.asarray(site.signal * (1 - cover) + body * cover, np.float32), site.out < 1


_LAY = {"glioma": _glioma, "meningioma": _meningioma, "pituitary": _pituitary}


def _scanned(signal: Map, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Uneven field, blur, Rician noise (Gudbjartsson and Patz, Magn Reson Med 34:910, 1995), window."""
    at = np.linspace(-1, 1, SIZE, dtype=np.float32)
    x, y = np.meshgrid(at, at)
    field = sum(rng.normal(0, 0.07) * term for term in (x, y, x * x, x * y, y * y))
    blurred = cv2.GaussianBlur((np.maximum(signal, 0) * np.exp(field)).astype(np.float32), (0, 0), 0.75)
    noise = rng.uniform(0.010, 0.020)
    real, imaginary = (noise * smooth_noise(rng, 0.4) for _ in range(2))
    magnitude = rng.uniform(0.92, 1.05) * np.hypot(blurred + real, imaginary)
    return np.asarray(np.rint(255 * np.clip(magnitude, 0, 1) ** rng.uniform(0.85, 1.0)), np.uint8)
