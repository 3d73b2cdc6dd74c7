"""Every pixel mode to uint8 RGB: palette, alpha, CMYK, 16 bit, float."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

LOW_PERCENTILE, HIGH_PERCENTILE = 0.5, 99.5

_PLAIN = ("1", "L", "RGB")
_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_WIDE = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_PHOTOMETRIC = 262  # TIFF 6.0 tag


def note_depth(image: ImageFile.ImageFile, notes: list[str]) -> None:
    """Say where Pillow will keep only the upper 8 of 16 bits, as it does with colour pictures.

    Args:
        image: as opened; once loaded it no longer knows.
        notes: gains a line.
    """
    if image.mode not in _WIDE and any(";16" in str(tile.args) for tile in image.tile):
        notes.append("16 bit per channel: the upper 8 are read")


def to_rgb(image: ImageFile.ImageFile, notes: list[str]) -> NDArray[np.uint8]:
    """Bring a loaded picture of any of Pillow's modes to 8-bit RGB.

    Transparent pixels are laid on black, for around a head there is air, and air is black in MRI; an
    alpha channel that is zero everywhere hides the whole picture, is a writer's slip and is ignored.
    16-bit and float pictures are windowed, as scanners use a small part of the range: the 0.5th
    percentile of the pixels becomes 0 and the 99.5th 255. Whole numbers within 0..255 are kept.

    Args:
        image: as Pillow loaded it.
        notes: gains one line for each thing that was done beyond decoding.

    Returns:
        uint8, H x W x 3, contiguous, 0..255; the three channels of a grey picture are equal.

    Raises:
        ValueError: a float picture holds no finite number; or Pillow cannot convert the mode.
    """
    mode = image.mode
    if mode in _WIDE:
        return _three(_windowed(image, notes))
    if mode in _WITH_ALPHA or "transparency" in image.info:
        return _on_black(image, notes)
    if mode == "P":
        notes.append("palette expanded")
    elif mode not in _PLAIN:
        notes.append(f"{mode} converted to RGB")
    return np.array(image.convert("RGB"), dtype=np.uint8)


def _on_black(image: Image.Image, notes: list[str]) -> NDArray[np.uint8]:
    rgba = np.array(image.convert("RGBA"), dtype=np.uint8)
    rgb, alpha = rgba[..., :3], rgba[..., 3]
    if image.mode in ("P", "PA"):
        notes.append("palette expanded")
    if not alpha.any():
        notes.append("alpha is zero everywhere: ignored")
    elif (alpha == 255).all():
        notes.append("alpha dropped (opaque everywhere)")
    else:
        notes.append(f"laid on black ({np.mean(alpha < 255):.1%} of the pixels are transparent)")
        # Rounded in whole numbers, so that grey stays grey and the result is the same everywhere.
        rgb = (rgb * alpha[..., None].astype(np.uint16) + 127) // 255
    return np.ascontiguousarray(rgb, dtype=np.uint8)


def _windowed(image: ImageFile.ImageFile, notes: list[str]) -> NDArray[np.uint8]:
    values: NDArray[Any] = np.array(image)
    if "transparency" in image.info:
        notes.append("transparent colour ignored")
    if isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0:
        # Pillow inverts such pictures at 8 bit and not at 16.
        notes.append("inverted (white is zero)")
        values = -values if image.mode == "F" else values.max() - values.astype(np.int64)
    if image.mode != "F" and values.min() >= 0 and values.max() <= 255:
        notes.append("16 bit within 0..255: kept")
        return values.astype(np.uint8)
    low, high = _window(values)
    kind = "float" if image.mode == "F" else "16 bit"
    if low == high:
        notes.append(f"{kind}, {low:g} everywhere: read as black")
        return np.zeros(values.shape, np.uint8)
    notes.append(f"{kind} windowed from {low:g}..{high:g} to 0..255")
    # In place: a picture at the limit takes half a gigabyte in this form.
    scaled = values.astype(np.float64)
    scaled -= low
    scaled *= 255 / (high - low)
    np.nan_to_num(scaled, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    np.clip(scaled, 0, 255, out=scaled)
    return np.rint(scaled, out=scaled).astype(np.uint8)


def _window(values: NDArray[Any]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ValueError("it holds no finite number")
    low, high = np.percentile(finite.astype(np.float64), (LOW_PERCENTILE, HIGH_PERCENTILE))
    if low == high:  # nearly all of it is background
        low, high = finite.min(), finite.max()
    return float(low), float(high)


def _three(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., None], 3, axis=2)
