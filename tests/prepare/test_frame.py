from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.config import FrameSettings
from tumorscan.errors import UnreadableScan
from tumorscan.prepare.frame import LONGEST_TO_PAD, frame, head_box, resize
from tumorscan.types import Picture, Scan

sides = st.integers(16, 120)
points = st.tuples(st.floats(-9, 99), st.floats(-9, 99))


def scan_of(pixels: Picture) -> Scan:
    return Scan(pixels, "a.png", "PNG", "RGB", 1, is_grey=False)


def head(height: int = 200, width: int = 260, axes: tuple[int, int] = (60, 80)) -> Picture:
    plane = np.zeros((height, width), np.uint8)
    cv2.ellipse(plane, (150, 110), axes, 0, 0, 360, 90, -1)
    cv2.ellipse(plane, (150, 110), axes, 0, 0, 360, 160, 4)
    return np.repeat(plane[..., None], 3, axis=2)


@pytest.mark.parametrize("crop_head", [False, True])
@pytest.mark.parametrize("pad", [False, True])
@given(shape=st.tuples(sides, sides), size=st.integers(32, 96), seed=st.integers(0, 9), point=points)
@settings(max_examples=30, deadline=None)
def test_points_come_back(
    *, crop_head: bool, pad: bool, shape: tuple[int, int], size: int, seed: int, point: tuple[float, float]
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    picture, way = frame(scan_of(pixels), FrameSettings(size, crop_head, pad))
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert way.to_scan(*way.from_scan(*point)) == pytest.approx(point, abs=1e-9)
    assert way.from_scan(*way.to_scan(*point)) == pytest.approx(point, abs=1e-9)
    if not pad:
        assert way.to_scan(0, 0) == pytest.approx((way.left, way.top))
        assert way.to_scan(size, size) == pytest.approx((way.left + way.width, way.top + way.height))


@given(width=sides, height=sides)
@settings(max_examples=30, deadline=None)
def test_padding_is_centred_and_black(width: int, height: int) -> None:
    pixels = np.full((height, width, 3), 200, np.uint8)
    side = max(width, height)
    picture, way = frame(scan_of(pixels), FrameSettings(max(side, 32), pad_square=True))
    assert (way.padded_width, way.padded_height) == (side, side)
    assert abs(2 * way.pad_left + width - side) <= 1
    assert abs(2 * way.pad_top + height - side) <= 1
    if side >= 32:  # then nothing is resized
        inside = picture[way.pad_top : way.pad_top + height, way.pad_left : way.pad_left + width]
        assert (inside == 200).all()
        assert int(picture.sum()) == int(pixels.sum())


@pytest.mark.parametrize(("width", "height"), [(400, 100), (100, 400), (40, 30), (500, 499)])
def test_a_mark_is_found_where_the_frame_says(width: int, height: int) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[height // 2 : height // 2 + 8, width // 4 : width // 4 + 8] = 255
    picture, way = frame(scan_of(pixels), FrameSettings(128, pad_square=True))
    rows, columns = np.nonzero(picture[..., 0] > 60)
    x, y = way.from_scan(width / 4 + 4, height / 2 + 4)
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((x, y), abs=1.0)


def test_without_crop_and_pad_it_is_a_stretch() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (300, 448, 3), np.uint8)
    picture, way = frame(scan_of(pixels), FrameSettings())
    assert np.array_equal(picture, cv2.resize(pixels, (224, 224), interpolation=cv2.INTER_AREA))
    assert (way.left, way.top, way.pad_left, way.pad_top) == (0, 0, 0, 0)
    assert (way.width, way.height) == (448, 300)


@given(width=sides, height=sides, size=st.integers(32, 96), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_resize_keeps_range_and_grey(width: int, height: int, size: int, seed: int) -> None:
    plane = np.random.default_rng(seed).integers(60, 200, (height, width, 1), np.uint8)
    picture = resize(np.repeat(plane, 3, axis=2), size)
    assert picture.min() >= plane.min()  # no overshoot
    assert picture.max() <= plane.max()
    assert np.ptp(picture, axis=2).max() == 0


def test_resize_returns_a_new_array() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    assert not np.shares_memory(resize(pixels, 64), pixels)


def test_the_head_is_boxed_with_a_small_margin() -> None:
    left, top, width, height = head_box(head())
    # The ellipse spans 90..210 and 30..190; its line is 4 wide; smoothing adds a little.
    assert 78 <= left <= 88
    assert 18 <= top <= 28
    assert 212 <= left + width <= 222
    assert 190 <= top + height <= 200


def test_a_bright_tumor_does_not_draw_the_box() -> None:
    pixels = head() // 3
    without = head_box(pixels)
    cv2.circle(pixels, (170, 120), 28, (255, 255, 255), -1)
    with_tumor = head_box(pixels)
    assert np.abs(np.subtract(with_tumor, without)).max() <= 8


@given(seed=st.integers(0, 999), sigma=st.floats(0, 6))
@settings(max_examples=25, deadline=None)
def test_noise_hardly_moves_the_box(seed: int, sigma: float) -> None:
    noise = np.random.default_rng(seed).normal(0, sigma, (200, 260, 1))
    noisy = np.clip(head() + noise, 0, 255).astype(np.uint8)
    assert np.abs(np.subtract(head_box(noisy), head_box(head()))).max() <= 4


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((50, 60, 3), np.uint8),  # black
        np.full((50, 60, 3), 255, np.uint8),  # white
        np.full((50, 60, 3), 7, np.uint8),
        np.random.default_rng(1).integers(100, 106, (50, 60, 3), np.uint8),  # hardly any contrast
        np.pad(np.full((2, 2, 3), 255, np.uint8), ((30, 18), (30, 28), (0, 0))),  # a speck
        np.zeros((1, 1, 3), np.uint8),
    ],
)
def test_without_a_head_the_whole_is_kept(pixels: Picture) -> None:
    assert head_box(pixels) == (0, 0, pixels.shape[1], pixels.shape[0])


@pytest.mark.parametrize("shape", [(16, LONGEST_TO_PAD + 1, 3), (LONGEST_TO_PAD + 1, 16, 3)])
def test_a_long_strip_is_not_padded(shape: tuple[int, ...]) -> None:
    strip = scan_of(np.zeros(shape, np.uint8))
    with pytest.raises(UnreadableScan, match=r"a\.png: 65537 pixels long.*switch frame.pad_square off"):
        frame(strip, FrameSettings(32, pad_square=True))
    assert frame(strip, FrameSettings(32))[0].shape == (32, 32, 3)


@pytest.mark.data
def test_real_heads_keep_their_box_under_noise(data_dir: Path) -> None:
    rng = np.random.default_rng(1)
    moves = []
    for file in sorted((data_dir / "kaggle253" / "no").iterdir())[:40]:
        pixels = cv2.imread(str(file))
        noise = rng.normal(0, 3, (*pixels.shape[:2], 1))
        noisy = np.clip(pixels + noise, 0, 255).astype(np.uint8)
        moved = np.abs(np.subtract(head_box(pixels), head_box(noisy))).max()
        moves.append(moved / max(pixels.shape))
    assert np.median(moves) < 0.005
    assert max(moves) < 0.06
