"""Non-local means (Buades 2005): a pixel becomes the mean of its neighbours, weighted by their likeness."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.config import DenoiseSettings
from tumorscan.errors import SettingsError, require
from tumorscan.prepare.grey import is_grey, to_grey
from tumorscan.types import Picture

# The high-pass filter of Daubechies' wavelet with two vanishing moments ("db2"; Daubechies 1988), with the
# digits of PyWavelets: what is left of a flat background hangs on the last of them (see `noise_sigma`).
_HIGH_PASS = (-0.48296291314453416, 0.8365163037378079, -0.2241438680420134, -0.12940952255126037)

# The median of |x| for a standard normal x.
_NORMAL_MAD = 0.6744897501960817

# Patches farther apart than this, in units of h^2, weigh nothing (scikit-image's cut).
_FARTHEST = -5.0
_LEAST_WEIGHT = math.exp(_FARTHEST)

# Strength in grey levels under which whole numbers that differ weigh nothing: nothing would change.
_WEAKEST = 0.05


def denoise(pixels: Picture, settings: DenoiseSettings) -> Picture:
    """Remove noise with the method of the settings; edges stay.

    The strength is h = h_factor x `noise_sigma`. A picture without noise comes back as it is.

    Args:
        pixels: uint8 RGB, H x W x 3, 0..255.
        settings: method and parameters.

    Returns:
        uint8 RGB, H x W x 3. Grey (three equal channels) stays exactly grey.

    Raises:
        SettingsError: there is no such method.
        MissingExtra: `original` without scikit-image.
    """
    if settings.method == "off":
        return pixels.copy()
    if settings.method not in ("original", "fast"):
        raise SettingsError(f"there is no denoise.method {settings.method!r}: choose off, original or fast")
    grey = is_grey(pixels)
    # Equal channels have equal noise: one is measured for three.
    sigma = noise_sigma(pixels[..., :1] if grey else pixels)
    strength = settings.h_factor * sigma
    if strength == 0.0:
        return pixels.copy()
    if settings.method == "original":
        return _scikit_image(pixels, strength, settings)
    if strength < _WEAKEST:
        return pixels.copy()
    return _box_filters(pixels, grey, strength, settings)


def noise_sigma(pixels: NDArray[np.uint8]) -> float:
    """The noise's standard deviation, estimated from the finest diagonal wavelet coefficients.

    The median of their size over that of a standard normal (Donoho and Johnstone 1994, section 4.2),
    coefficients of exactly 0 left out, mean over channels: what scikit-image's `estimate_sigma` computes,
    to the last bit, without PyWavelets, and with 0 instead of nan for a channel without any detail.
    The coefficients are taken of values / 255, as the original does: in a flat bright background they are
    rounding noise of 1e-17 and not 0, and whether they count decides the median.

    Args:
        pixels: uint8, H x W x C, 0..255.

    Returns:
        Standard deviation in grey levels of 0..255; 0 for a blank picture.
    """
    unit = pixels / 255.0
    return 255.0 * float(np.mean([_channel_sigma(unit[..., c]) for c in range(unit.shape[2])]))


def _channel_sigma(channel: NDArray[np.float64]) -> float:
    detail = _high_pass(_high_pass(channel).T)
    size = np.abs(detail[detail != 0.0])
    return float(np.median(size)) / _NORMAL_MAD if size.size else 0.0


def _high_pass(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filter down the columns and keep every second row; edges are mirrored (half-sample symmetric)."""
    taps = len(_HIGH_PASS)
    kept = (rows.shape[0] + taps - 1) // 2
    padded = np.pad(rows, ((taps - 1, taps - 1), (0, 0)), mode="symmetric")
    out = np.zeros((kept, rows.shape[1]))
    for back, weight in enumerate(_HIGH_PASS):  # the order of the sum fixes its last bit
        start = taps - back
        out += weight * padded[start : start + 2 * kept - 1 : 2]
    return out


def _scikit_image(pixels: Picture, strength: float, settings: DenoiseSettings) -> Picture:
    denoised = require("skimage.restoration", "original").denoise_nl_means(
        pixels / 255.0,
        fast_mode=True,
        patch_size=settings.patch_size,
        patch_distance=settings.patch_distance,
        h=strength / 255.0,
        channel_axis=-1,
    )
    # It squeezes sides of 1.
    rounded: Picture = np.rint(np.clip(denoised, 0.0, 1.0) * 255.0).astype(np.uint8).reshape(pixels.shape)
    return rounded


def _box_filters(pixels: Picture, grey: bool, strength: float, settings: DenoiseSettings) -> Picture:
    """scikit-image's fast non-local means out of OpenCV's filters; grey is done once, colour jointly.

    One shift of the picture at a time (Darbon 2008): the squared difference between the picture and its
    shifted copy, summed over patches by a box filter, gives the weights of all pixels at once, and of the
    opposite shift too. scikit-image's conventions are kept, since they are what `original` means: a patch
    of s x s counts (s - 1) x (s - 1) pixels, is divided by s x s, and weights below exp(-5) are 0.

    OpenCV's own `fastNlMeansDenoising` was measured as well (benchmarks/prepare.py): it is slower on
    pictures of this size and further from `original`.
    """
    patch, reach = settings.patch_size | 1, settings.patch_distance  # an even patch is made odd
    pad = patch // 2 + reach
    channels = [np.ascontiguousarray(pixels[..., c], np.float32) for c in range(1 if grey else 3)]
    padded = [_reflected(c, pad) for c in channels]
    totals = [channel.copy() for channel in channels]  # a pixel's weight for itself is 1
    weights = np.ones_like(channels[0])
    high, wide = pixels.shape[:2]
    scale = -1.0 / (len(channels) * patch**2 * strength**2)
    alike = _Likeness(padded, patch, scale)
    for down, right in _half_plane(reach):
        like = alike(down, right)
        for sign in (1, -1):
            # The weight of the pair (x, x + shift) stands at x: seen from the other end, at x - shift.
            top, left = (pad, pad) if sign > 0 else (pad - down, pad - right)
            weight = like[top : top + high, left : left + wide]
            cv2.accumulate(weight, weights)
            top, left = pad + sign * down, pad + sign * right
            for channel, total in zip(padded, totals, strict=True):
                cv2.accumulateProduct(channel[top : top + high, left : left + wide], weight, total)
    planes = [cv2.divide(t, weights, dtype=cv2.CV_8U).astype(np.uint8, copy=False) for t in totals]
    return to_grey(planes[0]) if grey else np.stack(planes, axis=2)


def _reflected(channel: NDArray[np.float32], pad: int) -> NDArray[np.float32]:
    bordered = cv2.copyMakeBorder(channel, pad, pad, pad, pad, cv2.BORDER_REFLECT_101)
    return bordered.astype(np.float32, copy=False)


def _half_plane(reach: int) -> list[tuple[int, int]]:
    """Shifts (down, right), one of each opposite pair."""
    every = [(down, right) for down in range(-reach, reach + 1) for right in range(reach + 1)]
    return [(down, right) for down, right in every if right > 0 or down > 0]


class _Likeness:
    """Weights of all pairs of pixels that lie one shift apart; its buffers serve every shift."""

    def __init__(self, padded: list[NDArray[np.float32]], patch: int, scale: float) -> None:
        self.padded, self.patch, self.scale = padded, patch, scale
        self.squares, self.one, self.sums = (np.empty_like(padded[0]) for _ in range(3))

    def __call__(self, down: int, right: int) -> NDArray[np.float32]:
        """H x W of the padded picture, 0..1: at x the likeness of x and x + shift, where both lie inside."""
        high, wide = self.squares.shape
        here = slice(max(0, -down), high - max(0, down)), slice(0, wide - right)
        there = slice(max(0, down), high - max(0, -down)), slice(right, wide)
        squares = self.squares[here]
        for i, channel in enumerate(self.padded):
            one = self.one[here] if i else squares
            cv2.subtract(channel[here], channel[there], one)
            cv2.multiply(one, one, one, self.scale)
            if i:
                cv2.add(squares, one, squares)
        side = max(self.patch - 1, 1)  # at a patch of 1 scikit-image compares nothing and blurs
        anchor = (max(side // 2 - 1, 0),) * 2
        sums = self.sums[here]
        cv2.boxFilter(squares, cv2.CV_32F, (side, side), sums, anchor, normalize=False)
        # exp is slow where it underflows. OpenCV's stubs leave out that max takes a number.
        cv2.max(sums, _FARTHEST - 1.0, sums)  # type: ignore[call-overload]
        cv2.exp(sums, sums)
        cv2.threshold(sums, _LEAST_WEIGHT, 0.0, cv2.THRESH_TOZERO, sums)
        return self.sums
