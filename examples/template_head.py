"""A head in three dimensions: the brain of the MNI152 template, the skull and scalp drawn round it.

The template is the ICBM 152 nonlinear symmetric 2009a average (Fonov et al., NeuroImage 54:313, 2011),
without its skull, as the package nilearn ships it. Where its brain ends, distance alone draws what is
round it: fluid, bone with marrow, scalp, and below the skull's base a texture of muscle, fat and air.
"""

from __future__ import annotations

import gzip
import importlib.util
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Volume = NDArray[np.float32]
"""float32, x (left to right) x y (back to front) x z (bottom to top), 1 mm a voxel."""

NECK = 72
"""Voxels that are drawn below the template's end."""

ORIGIN = (98, 134, 72 + NECK)
"""Voxel of a head's zero of MNI coordinates, the anterior commissure."""

FLUID, GREY, WHITE = 0.10, 0.36, 0.52
"""T1 signal of cerebrospinal fluid, grey and white matter, 0..1; fat is 0.9."""

_FILES = {kind: f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz" for kind in ("t1", "wm")}
_SHELL = 13.0  # mm from the brain to the skin
_BASE = -22  # z in mm under which the skull is no longer round the brain alone


@dataclass(frozen=True)
class Head:
    """Maps of one head.

    Attributes:
        signal: T1 signal, 0..1; without contrast agent.
        white: share of white matter, 0..1.
        way: mm from the brain's hull, negative inside it.
        vessel: 1 where a venous sinus runs, which contrast agent makes bright; 0..1.
    """

    signal: Volume
    white: Volume
    way: Volume
    vessel: Volume


def find_template() -> Path | None:
    """The folder of nilearn that holds the template, without importing nilearn; None where it is not."""
    spec = importlib.util.find_spec("nilearn")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "data"
    return folder if all((folder / name).is_file() for name in _FILES.values()) else None


def load_head(folder: Path) -> Head:
    """Read the template and draw the rest of the head.

    Args:
        folder: has the two files of `_FILES`, as `nilearn/datasets/data` does.
    """
    t1, white = (_with_cord(read_nifti(folder / _FILES[kind])) for kind in ("t1", "wm"))
    return dress(t1, white / np.float32(255))


def _with_cord(template: Volume) -> Volume:
    """The template ends in the brain stem, whose last whole slice goes on as the spinal cord."""
    last = 2  # of the two below it only a part is there
    return np.pad(template[:, :, last:], ((0, 0), (0, 0), (NECK + last, 0)), mode="edge")


def read_nifti(path: Path) -> Volume:
    """Voxels of a little-endian NIfTI-1 file of bytes, as nilearn's templates are.

    Raises:
        ValueError: it is another kind of file.
    """
    raw = gzip.decompress(path.read_bytes())
    kind, start = struct.unpack("<h", raw[70:72])[0], int(struct.unpack("<f", raw[108:112])[0])
    if raw[344:347] != b"n+1" or kind != 2:
        raise ValueError(f"{path}: not a NIfTI-1 file of bytes: take the one nilearn 0.14 ships")
    shape = struct.unpack("<3h", raw[42:48])
    voxels = np.frombuffer(raw, np.uint8, int(np.prod(shape)), start)
    return voxels.reshape(shape, order="F").astype(np.float32)


def dress(t1: Volume, white: Volume) -> Head:
    """Draw fluid, skull, scalp and neck round a brain.

    Args:
        t1: the brain, 0..255, 0 outside it.
        white: share of white matter, 0..1.
    """
    brain = t1 > 0
    way = _way_from_hull(brain)
    noise = np.random.default_rng(152)
    outline = _outline(way, _texture(noise, t1.shape, 24.0))
    under_skin = ndimage.gaussian_filter(ndimage.distance_transform_edt(outline).astype(np.float32), 1.2)
    rough = _texture(noise, t1.shape, 3.0)
    signal = _around(way + 0.7 * rough, under_skin, _texture(noise, t1.shape, 5.0), rough)
    signal = signal * (1 - _air_sinus(t1.shape))
    inside = ndimage.gaussian_filter(brain.astype(np.float32), 0.8)
    tissue = _levels(ndimage.gaussian_filter(t1, 0.8) / np.maximum(inside, 0.05))
    hull = _step(0.5 - way, 1.5)
    signal = signal * (1 - hull) + FLUID * hull
    signal = signal * (1 - inside) + tissue * inside
    return Head(signal.astype(np.float32), white, way, _sinus(way))


def _levels(t1: Volume) -> Volume:
    """The template's grey values as T1 signals: its fluid is 80, cortex 165, white matter 225."""
    return np.interp(t1, (60, 165, 225, 255), (FLUID, GREY, WHITE, WHITE + 0.05)).astype(np.float32)


def _way_from_hull(brain: NDArray[np.bool_], closing: float = 18.0) -> Volume:
    """Signed distance from the brain with its sulci and clefts closed, smoothed; negative inside."""
    # On every second voxel: the hull is smooth. The border of the array would count as the brain's end:
    # pad, so that the closing does not feel it.
    pad = int(closing) // 2 + 2
    wide = np.pad(brain[::2, ::2, ::2], pad)
    dilated = 2 * ndimage.distance_transform_edt(~wide) < closing
    hull = 2 * ndimage.distance_transform_edt(dilated) > closing
    signed = 2 * (ndimage.distance_transform_edt(~hull) - ndimage.distance_transform_edt(hull))
    smooth = ndimage.gaussian_filter(signed.astype(np.float32), 1.2)
    half = np.full(3, 0.5)
    return ndimage.affine_transform(smooth, half, offset=pad, output_shape=brain.shape, order=1)


def _outline(way: Volume, uneven: Volume) -> NDArray[np.bool_]:
    """What is head: the brain's hull and its shell, and below the base the same outline, narrower."""
    head = ndimage.gaussian_filter(way, 6.0) + 1.2 * uneven < _SHELL
    base = ORIGIN[2] + _BASE
    at_base = ndimage.binary_fill_holes(head[:, :, base]).astype(np.float32)
    for z in range(base):
        narrow = 1 - 0.30 * float(np.clip((base - 12 - z) / 70, 0, 1)) ** 0.8
        middle = np.array((ORIGIN[0], ORIGIN[1] - 12))
        shift = middle - np.full(2, 1 / narrow) * middle
        drawn = ndimage.affine_transform(at_base, np.full(2, 1 / narrow), shift, order=1)
        head[:, :, z] |= drawn + 0.08 * uneven[:, :, z] > 0.5
    return head


def _air_sinus(shape: tuple[int, ...]) -> Volume:
    """The sphenoid sinus under the sella: air, which gives no signal."""
    x, y, z = (np.arange(side, dtype=np.float32) - zero for side, zero in zip(shape, ORIGIN, strict=True))
    reach = ((x / 13) ** 2)[:, None, None] + (((y - 16) / 15) ** 2)[None, :, None] + (((z + 47) / 10) ** 2)
    return 0.9 * _step(1 - reach, 0.5)


def _around(way: Volume, under_skin: Volume, coarse: Volume, fine: Volume) -> Volume:
    """Signal outside the brain: skin and fat outermost, then muscle; bone and marrow near the brain."""
    fat = 0.80 + 0.08 * fine
    soft = np.clip(0.32 + 0.10 * coarse + 0.04 * fine, 0.05, 0.7)
    signal = soft * _step(under_skin - 6.0, 2.0) + fat * (1 - _step(under_skin - 6.0, 2.0))
    bone = _step(way - 0.5, 1.0) * _step(7.0 - way, 1.0)
    marrow = 0.28 * np.exp(-(((way - 4.2) / 1.3) ** 2))
    signal = signal * (1 - bone) + bone * (0.05 + marrow * np.clip(1 + 0.5 * coarse, 0.2, 1.5))
    return np.asarray(signal * _step(under_skin - 0.5, 1.0), np.float32)


def _sinus(way: Volume) -> Volume:
    """The superior sagittal sinus: a triangle under the vault, on the midline."""
    x = np.abs(np.arange(way.shape[0]) - ORIGIN[0])[:, None, None]
    z = np.arange(way.shape[2])[None, None, :] - ORIGIN[2]
    across = _step(3.5 + 0.5 * way - x, 1.5)
    return np.asarray(
        across * _step(way + 4.0, 1.5) * _step(1.0 - way, 1.5) * _step(z - 5.0, 8.0), np.float32
    )


def _texture(noise: np.random.Generator, shape: tuple[int, ...], scale: float) -> Volume:
    """Smooth noise of mean 0 and deviation 1."""
    # Made on every second voxel: a smooth field needs no more.
    small = tuple(side // 2 + 1 for side in shape)
    field = ndimage.gaussian_filter(noise.standard_normal(small, np.float32), scale / 2)
    for axis in range(3):
        field = np.repeat(field, 2, axis)
    field = ndimage.uniform_filter(field, 2)[tuple(slice(side) for side in shape)]
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def _step(inside: NDArray[Any], width: float) -> Volume:
    """0 to 1 across an edge at 0 that is `width` wide."""
    return np.asarray(np.clip(inside / width + 0.5, 0, 1), np.float32)
