"""What is refused by its pixels alone: a table of refusals, and slices that must come in."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscan.data.phantom import write_phantoms
from tumorscan.detect.plain import SMALLEST_SIDE, plain_reasons
from tumorscan.read import read_scan
from tumorscan.types import Scan


def scan_of(pixels: np.ndarray) -> Scan:
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    grey = bool((pixels == pixels[..., :1]).all())
    return Scan(np.ascontiguousarray(pixels, np.uint8), "a.png", "PNG", "RGB", 1, grey)


def head(side: int = 200) -> np.ndarray:
    picture = np.zeros((side, side), np.uint8)
    cv2.circle(picture, (side // 2, side // 2), side * 2 // 5, 90, -1)
    cv2.circle(picture, (side // 2, side // 3), side // 8, 160, -1)
    return cv2.GaussianBlur(picture, (0, 0), 1)


def text_page() -> np.ndarray:
    page = np.full((300, 220), 250, np.uint8)
    for line in range(20, 290, 18):
        cv2.putText(page, "Lorem ipsum dolor sit amet", (12, line), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 20, 1)
    return page


def photograph() -> np.ndarray:
    y, x = np.mgrid[0:240, 0:320]
    channels = [60 + y // 2, 120 + x // 4, 255 - y // 2]
    return np.stack(channels, axis=2).astype(np.uint8)


def static() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (200, 200), dtype=np.uint8)


REFUSED = {
    "black": (lambda: np.zeros((200, 200), np.uint8), "blank"),
    "white": (lambda: np.full((200, 200), 255, np.uint8), "blank"),
    "nearly one shade": (lambda: 100 + static() // 64, "blank"),
    "thumbnail": (lambda: cv2.resize(head(), (64, 64)), "too small"),
    "strip": (lambda: head()[:40], "too small"),
    "photograph": (photograph, "colour"),
    "colour map": (lambda: cv2.applyColorMap(head(), cv2.COLORMAP_JET), "colour"),
    "text page": (text_page, "page"),
    "noise": (static, "noise"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_refused_with_a_named_reason(name):
    make, reason = REFUSED[name]
    reasons = plain_reasons(scan_of(make()))
    assert reason in [one.partition(":")[0] for one in reasons]
    assert all(one.count("\n") == 0 and len(one) < 110 for one in reasons)


def on_white() -> np.ndarray:
    framed = np.full((240, 240), 255, np.uint8)
    framed[25:215, 25:215] = head(190)
    return framed


def marked() -> np.ndarray:
    picture = np.repeat(head()[..., None], 3, axis=2)
    cv2.rectangle(picture, (60, 60), (110, 110), (255, 0, 0), 3)
    return picture


def noisy() -> np.ndarray:
    noise = np.random.default_rng(2).normal(0, 12, (200, 200))
    return np.clip(head() + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "make",
    [
        head,
        on_white,
        marked,
        noisy,
        lambda: head(SMALLEST_SIDE),
        lambda: head(1400),
        lambda: head() // 6,  # dark
        lambda: np.clip(head() * np.array([[[1.0, 0.95, 0.9]]]).mean(), 0, 255),
        lambda: np.repeat(head()[..., None], 3, axis=2) * np.array([1.0, 0.95, 0.9]),  # a slight tint
    ],
)
def test_heads_come_in(make):
    assert plain_reasons(scan_of(np.asarray(make(), np.uint8))) == ()


def test_drawn_slices_come_in(tmp_path: Path):
    write_phantoms(tmp_path, 6, 5, size=128, plain=True)
    files = [file for file in tmp_path.rglob("*.png") if "mask" not in str(file)]
    assert files
    assert [plain_reasons(read_scan(file)) for file in files] == [()] * len(files)


@given(st.integers(16, 90), st.integers(16, 90), st.integers(0, 3))
def test_any_picture_gets_an_answer(high, wide, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (high, wide, 3), dtype=np.uint8)
    assert plain_reasons(scan_of(pixels))  # noise of any size is refused for something


def test_the_scan_is_not_changed_and_a_large_one_costs_little():
    large = scan_of(cv2.resize(head(), (4000, 4000)))
    before = large.pixels.copy()
    best = min(_seconds(large) for _ in range(5))
    assert (large.pixels == before).all()
    assert best < 0.05  # 1 ms on a free core; a busy one must not fail this


def _seconds(scan: Scan) -> float:
    begun = time.perf_counter()
    plain_reasons(scan)
    return time.perf_counter() - begun


@pytest.mark.data
def test_real_pictures(data_dir: Path):
    heads = [
        f
        for folder in ("kaggle253/yes", "progression/tumor")
        for f in sorted((data_dir / folder).iterdir())[:12]
    ]
    assert [plain_reasons(read_scan(file)) for file in heads] == [()] * len(heads)
    photos = sorted((data_dir / "not_brain_mri/photo").iterdir())[:20]
    assert sum(bool(plain_reasons(read_scan(file))) for file in photos) >= 12
