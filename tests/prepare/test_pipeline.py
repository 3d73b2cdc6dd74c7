from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tumorscan.config import (
    ContrastSettings,
    DenoiseSettings,
    FrameSettings,
    PrepareSettings,
    from_table,
    to_table,
)
from tumorscan.errors import UnreadableScan
from tumorscan.prepare import pipeline
from tumorscan.prepare.contrast import contrast
from tumorscan.prepare.denoise import denoise
from tumorscan.prepare.frame import frame
from tumorscan.prepare.pipeline import fingerprint, prepare
from tumorscan.types import Scan

OFF: dict[str, Any] = {"denoise": DenoiseSettings("off"), "contrast": ContrastSettings("off")}


def scan_of(pixels: Any) -> Scan:
    return Scan(pixels, "head.png", "PNG", "RGB", 1, is_grey=False)


@pytest.fixture
def scan(rng: np.random.Generator) -> Scan:
    return scan_of(rng.integers(0, 256, (80, 100, 3), np.uint8))


def test_the_path_is_frame_denoise_contrast(scan: Scan) -> None:
    settings = PrepareSettings(FrameSettings(64), DenoiseSettings("fast"))
    prepared = prepare(scan, settings, keep_steps=True)
    framed, way_back = frame(scan, settings.frame)
    denoised = denoise(framed, settings.denoise)
    wanted = [framed, denoised, contrast(denoised, settings.contrast)]
    assert [s.name for s in prepared.steps] == ["framed", "denoised", "contrast"]
    assert all(np.array_equal(s.pixels, w) for s, w in zip(prepared.steps, wanted, strict=True))
    assert np.array_equal(prepared.pixels, wanted[-1])
    assert prepared.frame == way_back
    assert prepare(scan, settings).steps == ()


@pytest.mark.parametrize(
    ("off", "names"),
    [
        ({"denoise": DenoiseSettings("off")}, ["framed", "contrast"]),
        ({"contrast": ContrastSettings("off")}, ["framed", "denoised"]),
        (OFF, ["framed"]),
    ],
)
def test_a_step_that_is_off_is_not_shown(scan: Scan, off: dict[str, Any], names: list[str]) -> None:
    settings = PrepareSettings(**{"frame": FrameSettings(48), "denoise": DenoiseSettings("fast"), **off})
    prepared = prepare(scan, settings, keep_steps=True)
    assert [s.name for s in prepared.steps] == names
    assert np.array_equal(prepared.pixels, prepared.steps[-1].pixels)


@pytest.mark.parametrize(
    ("pixels", "cause"),
    [
        (np.zeros((40, 40), np.uint8), "uint8 40 x 40:"),
        (np.zeros((40, 40, 4), np.uint8), "uint8 40 x 40 x 4:"),
        (np.zeros((40, 40, 3), np.float32), "float32 40 x 40 x 3:"),
        (np.zeros((40, 40, 3), np.uint16), "uint16 40 x 40 x 3:"),
        (np.zeros((0, 40, 3), np.uint8), "uint8 0 x 40 x 3:"),
        (np.zeros((2, 40, 40, 3), np.uint8), "uint8 2 x 40 x 40 x 3:"),
    ],
)
def test_what_is_no_picture_is_refused(pixels: Any, cause: str) -> None:
    with pytest.raises(UnreadableScan, match=re.escape(f"head.png: its pixels are {cause} uint8 H x W x 3")):
        prepare(scan_of(pixels), PrepareSettings())


def test_fingerprint_is_stable() -> None:
    # Written down, so that a change that would mix up old caches does not pass unseen.
    assert fingerprint(PrepareSettings()) == "0a7fe7c333e6dd0d"


@pytest.mark.parametrize(
    "table",
    [
        {"frame": {"size": 225}},
        {"frame": {"crop_head": True}},
        {"frame": {"pad_square": True}},
        {"denoise": {"method": "fast"}},
        {"denoise": {"h_factor": 1.16}},
        {"contrast": {"tiles": 4}},
        {"contrast": {"method": "off"}},
        {"grey": True},
    ],
)
def test_every_setting_changes_the_fingerprint(table: dict[str, Any]) -> None:
    assert fingerprint(from_table(PrepareSettings, table)) != fingerprint(PrepareSettings())


def test_equal_settings_have_equal_fingerprints() -> None:
    whole = PrepareSettings(contrast=ContrastSettings(clip_limit=2))
    assert fingerprint(whole) == fingerprint(PrepareSettings())
    assert fingerprint(from_table(PrepareSettings, to_table(whole))) == fingerprint(whole)


def test_the_algorithms_number_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(PrepareSettings())
    monkeypatch.setattr(pipeline, "ALGORITHM", pipeline.ALGORITHM + 1)
    assert fingerprint(PrepareSettings()) != before
