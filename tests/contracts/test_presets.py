"""What holds for every preset, whatever it does to the pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tumorscan.config import PRESETS, PrepareSettings, from_table, preset
from tumorscan.prepare.pipeline import fingerprint, prepare
from tumorscan.types import Picture, Scan

MORE: dict[str, dict[str, Any]] = {
    "all off": {"denoise": {"method": "off"}, "contrast": {"method": "off"}},
    "crop and pad": {
        "frame": {"size": 96, "crop_head": True, "pad_square": True},
        "denoise": {"method": "fast"},
    },
    "pad, original": {"frame": {"size": 64, "pad_square": True}},
    "smallest, most tiles": {"frame": {"size": 32}, "denoise": {"method": "fast"}, "contrast": {"tiles": 64}},
    "largest windows": {
        "frame": {"size": 32},
        "denoise": {"method": "fast", "patch_size": 21, "patch_distance": 21},
    },
}
ALL = {name: preset(name).prepare for name in PRESETS} | {
    name: from_table(PrepareSettings, table) for name, table in MORE.items()
}
every = pytest.mark.parametrize("settings", ALL.values(), ids=ALL)


def _pictures() -> dict[str, Picture]:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-1:1:120j, -1:1:97j]
    head = np.where(x**2 + y**2 < 0.7, 90 + 60 * np.sin(9 * x) * np.cos(7 * y), 4) + rng.normal(0, 4, x.shape)
    grey = np.clip(head, 0, 255).astype(np.uint8)[..., None]
    return {
        "head": np.repeat(grey, 3, axis=2),
        "noise": rng.integers(0, 256, (61, 83, 3), np.uint8),
        "black": np.zeros((50, 50, 3), np.uint8),
        "white": np.full((33, 71, 3), 255, np.uint8),
        "one pixel": np.full((1, 1, 3), 77, np.uint8),
        "strip": rng.integers(0, 256, (16, 900, 3), np.uint8),
        "stripes": np.broadcast_to((np.arange(80, dtype=np.uint8) * 37)[:, None, None], (80, 64, 3)).copy(),
        "view": rng.integers(0, 256, (140, 160, 3), np.uint8)[::-2, 10:90:2],
    }


PICTURES = _pictures()
each = pytest.mark.parametrize("pixels", PICTURES.values(), ids=PICTURES)


def scan_of(pixels: Picture) -> Scan:
    return Scan(pixels, "a.png", "PNG", "RGB", 1, is_grey=False)


@every
@each
@pytest.mark.filterwarnings("error")
def test_contract(settings: PrepareSettings, pixels: Picture) -> None:
    before = pixels.copy()
    prepared = prepare(scan_of(pixels), settings, keep_steps=True)
    size = settings.frame.size
    for picture in [prepared.pixels, *(step.pixels for step in prepared.steps)]:
        assert picture.dtype == np.uint8
        assert picture.shape == (size, size, 3)
        assert picture.flags.c_contiguous
        assert not np.shares_memory(picture, pixels)
    assert np.array_equal(pixels, before), "the scan was changed"
    again = prepare(scan_of(pixels), settings)
    assert np.array_equal(again.pixels, prepared.pixels), "two runs differ"
    assert again.frame == prepared.frame
    if np.array_equal(pixels, np.repeat(pixels[..., :1], 3, axis=2)):
        assert np.ptp(prepared.pixels, axis=2).max() == 0, "grey became coloured"


@every
@each
def test_the_frame_leads_back_into_the_scan(settings: PrepareSettings, pixels: Picture) -> None:
    way = prepare(scan_of(pixels), settings).frame
    height, width = pixels.shape[:2]
    assert 0 <= way.left < way.left + way.width <= width
    assert 0 <= way.top < way.top + way.height <= height
    for x, y in [(0, 0), (width, 0), (0, height), (width / 2, height / 3)]:
        assert way.to_scan(*way.from_scan(x, y)) == pytest.approx((x, y))


@pytest.mark.parametrize("size", [32, 97, 224])
def test_all_off_is_the_identity_on_a_picture_of_that_size(size: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (size, size, 3), np.uint8)
    off = from_table(PrepareSettings, {"frame": {"size": size}, **MORE["all off"]})
    assert np.array_equal(prepare(scan_of(pixels), off).pixels, pixels)


def test_original_is_what_the_mission_says() -> None:
    settings = preset("original").prepare
    assert (settings.frame.size, settings.frame.crop_head, settings.frame.pad_square) == (224, False, False)
    denoise = settings.denoise
    assert (denoise.method, denoise.patch_size, denoise.patch_distance) == ("original", 5, 3)
    assert denoise.h_factor == 1.15
    assert (settings.contrast.method, settings.contrast.clip_limit, settings.contrast.tiles) == (
        "clahe",
        2.0,
        8,
    )


def test_no_two_settings_share_a_cache() -> None:
    assert len({fingerprint(settings) for settings in ALL.values()}) == len(ALL)
