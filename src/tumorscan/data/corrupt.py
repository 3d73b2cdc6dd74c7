"""Corruptions of a scan at five strengths: what other scanners, archives and hands do to a picture.

Pure functions: the same picture, corruption, strength and seed give the same pixels. The lots do not depend
on the strength, so that a stronger one is more of the same. All channels are treated alike: grey stays grey.
The strengths are spaced from what a reader hardly notices to what no clinic would file (after the way of
Hendrycks and Dietterich 2019, with values of our own for 8 bit MR slices).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import SettingsError
from tumorscan.types import Picture

STRENGTHS: Final = 5
"""Every corruption has the strengths 1..5; 0 leaves the picture as it is."""

_REFERENCE: Final = 256
"""Blur is given for a picture whose longer side has so many pixels."""

_Floats = NDArray[np.float32]
_Act = Callable[[Picture, float, np.random.Generator], Picture]


@dataclass(frozen=True)
class Corruption:
    """One way to spoil a picture.

    Attributes:
        name: for example ``"blur"``.
        levels: the five values, from the mildest.
        unit: what a value is.
        act: applies a value to a picture (uint8 RGB, H x W x 3); draws lots from the generator.
    """

    name: str
    levels: tuple[float, float, float, float, float]
    unit: str
    act: _Act


def corrupt(picture: Picture, name: str, strength: int, *, seed: int = 1) -> Picture:
    """Spoil a picture.

    Args:
        picture: uint8 RGB, H x W x 3; not changed.
        name: one of `CORRUPTIONS`.
        strength: 0..5; 0 gives a copy.
        seed: of the lots (noise, directions), not negative.

    Returns:
        uint8 RGB of the same size, but for `crop`, which gives a smaller one.

    Raises:
        SettingsError: there is no such corruption or strength.
    """
    if name not in CORRUPTIONS:
        raise SettingsError(f"there is no corruption {name!r}: choose from {', '.join(CORRUPTIONS)}")
    if not 0 <= strength <= STRENGTHS:
        raise SettingsError(f"a strength of {strength}: it must lie in [0, {STRENGTHS}]")
    if strength == 0:
        return picture.copy()
    corruption = CORRUPTIONS[name]
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    spoilt: Picture = corruption.act(picture, corruption.levels[strength - 1], rng)
    return spoilt


def _bytes(values: NDArray[Any]) -> Picture:
    rounded: Picture = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return rounded


def _tissue(picture: Picture) -> float:
    """The signal of bright tissue, in grey levels, which noise is a share of."""
    return max(float(np.percentile(picture, 99)), 1.0)


def _gaussian_noise(picture: Picture, share: float, rng: np.random.Generator) -> Picture:
    """White noise, the same in all channels."""
    noise = rng.standard_normal(picture.shape[:2], dtype=np.float32)[..., None]
    return _bytes(picture + np.float32(share * _tissue(picture)) * noise)


def _rician_noise(picture: Picture, share: float, rng: np.random.Generator) -> Picture:
    """Magnitude of a complex signal with white noise in both parts (Gudbjartsson and Patz 1995)."""
    real, imaginary = rng.standard_normal((2, *picture.shape[:2], 1), dtype=np.float32)
    sigma = np.float32(share * _tissue(picture))
    return _bytes(np.hypot(picture + sigma * real, sigma * imaginary))


def _blur(picture: Picture, sigma: float, _: np.random.Generator) -> Picture:
    scaled = sigma * max(picture.shape[:2]) / _REFERENCE
    return _bytes(cv2.GaussianBlur(picture.astype(np.float32), (0, 0), scaled))


def _gamma(picture: Picture, factor: float, rng: np.random.Generator) -> Picture:
    """Brighter or darker midtones, by lot."""
    exponent = factor if rng.random() < 0.5 else 1 / factor
    return _looked_up(picture, 255 * (np.arange(256) / 255) ** exponent)


def _bias_field(picture: Picture, strength: float, rng: np.random.Generator) -> Picture:
    """A coil's sensitivity: the signal times exp(field), a smooth field of the second order.

    The strength is the field's greatest distance from 0: 0.7 brightens or darkens twofold.
    """
    down, across = (np.linspace(-1, 1, n, dtype=np.float32) for n in picture.shape[:2])
    y, x = down[:, None], across[None, :]
    weights = rng.uniform(-1, 1, 5).astype(np.float32)
    field = sum(w * term for w, term in zip(weights, (x, y, x * y, x * x, y * y), strict=True))
    field = np.asarray(field - np.mean(field), np.float32)
    field *= np.float32(strength) / max(float(np.abs(field).max()), 1e-6)
    return _bytes(picture * np.exp(field)[..., None])


def _jpeg(picture: Picture, quality: float, _: np.random.Generator) -> Picture:
    """Saved as JPEG and read again; a grey picture is saved as grey, as an archive would."""
    grey = bool((picture == picture[..., :1]).all())
    source = picture[..., 0] if grey else picture[..., ::-1]
    settings = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    data = cv2.imencode(".jpg", np.ascontiguousarray(source), settings)[1]
    read: NDArray[Any] = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return np.ascontiguousarray(read[..., ::-1]).astype(np.uint8, copy=False)


def _rotation(picture: Picture, degrees: float, rng: np.random.Generator) -> Picture:
    """About the centre, to either side by lot; black comes in, and corners go."""
    height, width = picture.shape[:2]
    side = 1 if rng.random() < 0.5 else -1
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), side * degrees, 1.0)
    return _bytes(cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_LINEAR))


def _shift(picture: Picture, share: float, rng: np.random.Generator) -> Picture:
    """In a direction by lot; what leaves the picture is gone, black comes in."""
    height, width = picture.shape[:2]
    angle = rng.uniform(0, 2 * math.pi)
    across, down = round(share * width * math.cos(angle)), round(share * height * math.sin(angle))
    moved = np.zeros_like(picture)
    moved[max(down, 0) : height + min(down, 0), max(across, 0) : width + min(across, 0)] = picture[
        max(-down, 0) : height - max(down, 0), max(-across, 0) : width - max(across, 0)
    ]
    return moved


def _crop(picture: Picture, share: float, _: np.random.Generator) -> Picture:
    """The same share of the side off each of the four; the scalp goes first, then cortex."""
    height, width = picture.shape[:2]
    down, across = int(share * height), int(share * width)
    return picture[down : height - down, across : width - across].copy()


def _resolution(picture: Picture, share: float, _: np.random.Generator) -> Picture:
    """Averaged down to a share of the side and interpolated back to the size it had."""
    height, width = picture.shape[:2]
    small = max(1, round(share * width)), max(1, round(share * height))
    shrunk = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    return _bytes(cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR))


def _inversion(picture: Picture, share: float, _: np.random.Generator) -> Picture:
    """Bright tissue becomes dark and dark tissue bright, as from T1 to T2; air and bone stay dark.

    Tissue is what stands out of the background; a share of one half leaves it all equally grey.
    """
    brightest = picture.max(axis=2)
    air, high = np.percentile(brightest, (5, 99))
    if high - air < 8:
        return picture.copy()
    floor = float(air + 0.12 * (high - air))
    low = float(np.percentile(brightest[brightest > floor], 5))
    levels = np.arange(256, dtype=np.float64)
    inside = np.clip((levels - floor) / max(low - floor, 1.0), 0, 1)
    return _looked_up(picture, levels + share * inside * (low + float(high) - 2 * levels))


def _looked_up(picture: Picture, levels: NDArray[np.float64]) -> Picture:
    return cv2.LUT(picture, _bytes(levels)).astype(np.uint8, copy=False)


_ALL: Final = (
    Corruption(
        "rician noise", (0.02, 0.05, 0.10, 0.15, 0.20), "sigma as a share of bright tissue", _rician_noise
    ),
    Corruption(
        "gaussian noise", (0.02, 0.05, 0.10, 0.15, 0.20), "sigma as a share of bright tissue", _gaussian_noise
    ),
    Corruption("blur", (0.8, 1.5, 2.5, 4.0, 6.0), "sigma in pixels of a picture of 256", _blur),
    Corruption("gamma", (1.2, 1.5, 1.8, 2.2, 3.0), "exponent, or one over it, by lot", _gamma),
    Corruption("bias field", (0.2, 0.4, 0.6, 0.8, 1.0), "greatest log gain", _bias_field),
    Corruption("resaving", (80, 50, 30, 15, 7), "JPEG quality", _jpeg),
    Corruption("rotation", (3, 7, 15, 25, 40), "degrees, to either side", _rotation),
    Corruption("shift", (0.02, 0.05, 0.10, 0.15, 0.20), "share of the sides", _shift),
    Corruption("crop", (0.03, 0.06, 0.10, 0.15, 0.20), "share cut off each side", _crop),
    Corruption("resolution", (0.75, 0.5, 0.35, 0.25, 0.15), "share of the pixels along a side", _resolution),
    Corruption("inversion", (0.2, 0.4, 0.6, 0.8, 1.0), "share of the way to inverted tissue", _inversion),
)

CORRUPTIONS: Final[Mapping[str, Corruption]] = MappingProxyType({one.name: one for one in _ALL})
"""By name, in the order of a report."""
