"""One suite over every format and pixel mode that is read."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tumorscan.read import read_bytes, read_scan

HEIGHT, WIDTH = 37, 50  # odd and unequal, so that a turned or padded row shows
RAMP = np.add.outer(np.arange(HEIGHT) * 3, np.arange(WIDTH) * 2).astype(np.uint8)
COLOUR = np.stack([RAMP, 255 - RAMP, RAMP // 2], axis=2)
OPAQUE = np.full_like(RAMP, 255)
HALF_CLEAR = np.where(np.arange(WIDTH) < 10, 0, 255).astype(np.uint8) * np.ones_like(RAMP)
WIDE = RAMP.astype(np.uint16) * 16


class Case(NamedTuple):
    format: str
    mode: str
    data: bytes
    pixels: NDArray[np.uint8] | None = None
    """What must come out, H x W or H x W x 3; None where the format loses some."""


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def alpha(alpha: NDArray[np.uint8], *, grey: bool = False) -> Image.Image:
    base = RAMP[..., None] if grey else COLOUR
    return Image.fromarray(np.concatenate([base, alpha[..., None]], axis=2))


def windowed(values: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = np.percentile(values, (0.5, 99.5))
    return np.rint(np.clip((values.astype(float) - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def coded(suffix: str, values: NDArray[Any]) -> bytes:
    done, data = cv2.imencode(suffix, values)
    assert done
    return data.tobytes()


GREY, RGB = Image.fromarray(RAMP), Image.fromarray(COLOUR)
BINARY = GREY.point(lambda value: 255 * (value > 90), "1")
PALETTE = GREY.convert("P")
CLEAR_PALETTE = PALETTE.copy()
CLEAR_PALETTE.info["transparency"] = bytes([0] * 60 + [255] * 196)
BIG_ENDIAN = Image.frombytes("I;16B", (WIDTH, HEIGHT), WIDE.astype(">u2").tobytes())

CASES = [
    Case("PNG", "1", saved(BINARY, "PNG"), np.array(BINARY, np.uint8) * 255),
    Case("PNG", "L", saved(GREY, "PNG"), RAMP),
    Case("PNG", "LA", saved(alpha(OPAQUE, grey=True), "PNG"), RAMP),
    Case("PNG", "LA", saved(alpha(HALF_CLEAR, grey=True), "PNG"), RAMP * (HALF_CLEAR // 255)),
    Case("PNG", "RGB", saved(RGB, "PNG"), COLOUR),
    Case("PNG", "RGBA", saved(alpha(OPAQUE), "PNG"), COLOUR),
    Case("PNG", "RGBA", saved(alpha(HALF_CLEAR), "PNG"), COLOUR * (HALF_CLEAR // 255)[..., None]),
    Case("PNG", "RGBA", saved(alpha(np.zeros_like(RAMP)), "PNG"), COLOUR),
    Case("PNG", "P", saved(PALETTE, "PNG"), RAMP),
    Case("PNG", "P", saved(CLEAR_PALETTE, "PNG"), np.where(RAMP < 60, 0, RAMP).astype(np.uint8)),
    Case("PNG", "I;16", saved(Image.fromarray(WIDE), "PNG"), windowed(WIDE)),
    Case("PNG", "I;16", saved(Image.fromarray(RAMP.astype(np.uint16)), "PNG"), RAMP),
    Case("PNG", "RGB", coded(".png", COLOUR[..., ::-1].astype(np.uint16) * 257), COLOUR),
    Case("JPEG", "L", saved(GREY, "JPEG")),
    Case("JPEG", "RGB", saved(RGB, "JPEG")),
    Case("JPEG", "CMYK", saved(RGB.convert("CMYK"), "JPEG")),
    Case("BMP", "1", saved(BINARY, "BMP"), np.array(BINARY, np.uint8) * 255),
    Case("BMP", "L", saved(GREY, "BMP"), RAMP),
    Case("BMP", "P", saved(RGB.quantize(16), "BMP"), np.array(RGB.quantize(16).convert("RGB"))),
    Case("BMP", "RGB", saved(RGB, "BMP"), COLOUR),
    # The fourth byte of a plain 32-bit BMP is not alpha.
    Case("BMP", "RGB", saved(alpha(HALF_CLEAR), "BMP"), COLOUR),
    Case("TIFF", "1", saved(BINARY, "TIFF"), np.array(BINARY, np.uint8) * 255),
    Case("TIFF", "L", saved(GREY, "TIFF"), RAMP),
    Case("TIFF", "L", saved(GREY, "TIFF", compression="tiff_lzw"), RAMP),
    Case("TIFF", "L", saved(GREY, "TIFF", big_tiff=True), RAMP),
    Case("TIFF", "LA", saved(alpha(OPAQUE, grey=True), "TIFF"), RAMP),
    Case("TIFF", "RGB", saved(RGB, "TIFF"), COLOUR),
    Case("TIFF", "RGBA", saved(alpha(OPAQUE), "TIFF"), COLOUR),
    Case("TIFF", "P", saved(PALETTE, "TIFF"), RAMP),
    Case("TIFF", "CMYK", saved(RGB.convert("CMYK"), "TIFF"), COLOUR),
    Case("TIFF", "I;16", saved(Image.fromarray(WIDE), "TIFF"), windowed(WIDE)),
    Case(
        "TIFF", "I;16", saved(Image.fromarray(WIDE), "TIFF", tiffinfo={262: 0}), windowed(WIDE.max() - WIDE)
    ),
    Case("TIFF", "I;16B", saved(BIG_ENDIAN, "TIFF"), windowed(WIDE)),
    Case("TIFF", "I", saved(Image.fromarray(WIDE.astype(np.int32) - 900), "TIFF"), windowed(WIDE)),
    Case("TIFF", "F", saved(Image.fromarray(RAMP.astype(np.float32) / 255), "TIFF"), windowed(RAMP)),
    Case("WEBP", "RGB", saved(RGB, "WEBP", lossless=True), COLOUR),
    Case("WEBP", "RGB", saved(GREY, "WEBP", lossless=True), RAMP),
    Case("WEBP", "RGB", saved(RGB, "WEBP")),
    Case("WEBP", "RGBA", saved(alpha(OPAQUE // 2 + 100), "WEBP", lossless=True)),
]
each_case = pytest.mark.parametrize(
    "case", CASES, ids=[f"{number}-{case.format}-{case.mode}" for number, case in enumerate(CASES)]
)


@each_case
def test_pixels_are_contiguous_uint8_rgb(case: Case) -> None:
    pixels = read_bytes(case.data, "x").pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


@each_case
def test_what_lost_nothing_comes_back_exactly(case: Case) -> None:
    pixels = read_bytes(case.data, "x").pixels
    if case.pixels is None:
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(float)
        drawn = RAMP if case.mode == "L" else cv2.cvtColor(COLOUR, cv2.COLOR_RGB2GRAY)
        assert np.corrcoef(grey.ravel(), drawn.ravel())[0, 1] > 0.95
    else:
        wanted = case.pixels if case.pixels.ndim == 3 else np.repeat(case.pixels[..., None], 3, axis=2)
        # Palettes and floats pass through one rounding of their writer.
        np.testing.assert_allclose(pixels, wanted, atol=1 if case.mode in ("F", "P") else 0)


@each_case
def test_format_mode_size_and_grey_are_reported(case: Case) -> None:
    scan = read_bytes(case.data, "some name")
    assert (scan.format, scan.mode, scan.name) == (case.format, case.mode, "some name")
    assert (scan.width, scan.height, scan.file_bytes) == (WIDTH, HEIGHT, len(case.data))
    assert scan.is_grey == bool(np.ptp(scan.pixels, axis=2).max() == 0)
    assert all(note and "\n" not in note for note in scan.notes)


@each_case
def test_path_bytes_and_a_wrong_suffix_give_the_same_scan(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg" if case.format != "JPEG" else tmp_path / "picture.png"
    path.write_bytes(case.data)
    for scan in (read_scan(path), read_scan(str(path)), read_bytes(case.data, str(path))):
        assert scan.name == str(path)
        assert scan.notes == read_bytes(case.data, "x").notes
        np.testing.assert_array_equal(scan.pixels, read_bytes(case.data, "x").pixels)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
