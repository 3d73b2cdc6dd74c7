"""Lots apart from acting; pictures, masks and boxes move together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tumorscan.config import AugmentSettings
from tumorscan.data.augment import Augmentation, apply, apply_to_box, apply_to_mask, draw

OFF = AugmentSettings(flip=0, rotation=0, zoom=0, brightness=0, contrast=0)
FILLS = st.sampled_from(["reflect", "edge", "black"])
LOTS = st.builds(
    Augmentation,
    mirror=st.booleans(),
    turn=st.floats(-180, 180),
    zoom=st.floats(0.3, 1.9),
    contrast=st.floats(0.1, 1.9),
    brightness=st.floats(-230, 230),
)
SEEDS = st.integers(0, 2**32)


def _picture(seed: int, height: int = 37, width: int = 48) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.builds(AugmentSettings, *[st.floats(0, 0.5)] * 3, *[st.floats(0, 0.9)] * 2, fill=FILLS))
def test_lots_lie_within_the_settings(seed: int, wanted: AugmentSettings) -> None:
    lots = draw(wanted, np.random.default_rng(seed))
    assert lots == draw(wanted, np.random.default_rng(seed))
    assert abs(lots.turn) <= wanted.rotation * 360
    assert abs(lots.zoom - 1) <= wanted.zoom + 1e-12
    assert abs(lots.contrast - 1) <= wanted.contrast + 1e-12
    assert abs(lots.brightness) <= wanted.brightness * 255
    assert not (lots.mirror and wanted.flip == 0)


def test_lots_reach_the_ends_of_the_original() -> None:
    rng = np.random.default_rng(1)
    drawn = [draw(AugmentSettings(), rng) for _ in range(4000)]
    turns, zooms = [lots.turn for lots in drawn], [lots.zoom for lots in drawn]
    assert (min(turns), max(turns)) == pytest.approx((-54, 54), abs=0.3)  # Keras's RandomRotation(0.15)
    assert (min(zooms), max(zooms)) == pytest.approx((0.9, 1.1), abs=0.001)
    assert np.mean([lots.mirror for lots in drawn]) == pytest.approx(0.5, abs=0.04)
    assert np.mean(turns) == pytest.approx(0, abs=2)


def test_switching_one_change_off_leaves_the_others() -> None:
    every, some = (
        draw(s, np.random.default_rng(3)) for s in (AugmentSettings(), AugmentSettings(rotation=0))
    )
    assert some == replace(every, turn=0.0)
    assert every.turn != 0


@settings(max_examples=30, deadline=None)
@given(SEEDS, FILLS)
def test_nothing_asked_for_changes_nothing(seed: int, fill: str) -> None:
    picture = _picture(seed)
    lots = draw(OFF, np.random.default_rng(seed))
    assert lots == Augmentation()
    changed = apply(picture, lots, fill)
    assert np.array_equal(changed, picture)
    assert not np.shares_memory(changed, picture)
    mask = picture[..., 0] > 100
    assert np.array_equal(apply_to_mask(mask, lots), mask)
    assert apply_to_box((0.25, 0.5, 0.25, 0.125), lots) == (0.25, 0.5, 0.25, 0.125)


@settings(max_examples=50, deadline=None)
@given(SEEDS, LOTS, FILLS)
def test_shape_type_and_repeatability(seed: int, lots: Augmentation, fill: str) -> None:
    picture = _picture(seed)
    before = picture.copy()
    changed = apply(picture, lots, fill)
    assert changed.shape == picture.shape
    assert changed.dtype == np.uint8
    assert np.array_equal(changed, apply(picture, lots, fill))
    assert np.array_equal(picture, before)


@settings(max_examples=30, deadline=None)
@given(SEEDS, LOTS, FILLS)
def test_grey_stays_grey(seed: int, lots: Augmentation, fill: str) -> None:
    grey = np.repeat(_picture(seed)[..., :1], 3, axis=2)
    changed = apply(grey, lots, fill)
    assert np.array_equal(changed[..., 0], changed[..., 1])
    assert np.array_equal(changed[..., 0], changed[..., 2])


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.sampled_from([(37, 48), (48, 37), (32, 32), (33, 33)]), FILLS)
def test_mirror(seed: int, shape: tuple[int, int], fill: str) -> None:
    picture = _picture(seed, *shape)
    mirror = Augmentation(mirror=True)
    once = apply(picture, mirror, fill)
    assert np.array_equal(once, picture[:, ::-1])
    assert np.array_equal(apply(once, mirror, fill), picture)
    mask = picture[..., 1] > 128
    assert np.array_equal(apply_to_mask(mask, mirror), mask[:, ::-1])
    assert apply_to_box((0.125, 0.25, 0.25, 0.5), mirror) == (0.625, 0.25, 0.25, 0.5)


@pytest.mark.parametrize(("turn", "times"), [(90, 1), (-90, 3), (180, 2), (-180, 2)])
def test_quarter_turns_are_counter_clockwise(turn: float, times: int) -> None:
    picture = _picture(1, 40, 40)
    assert np.array_equal(apply(picture, Augmentation(turn=turn), "black"), np.rot90(picture, times))


def test_zoom_in_makes_things_larger() -> None:
    mask = np.zeros((100, 100), np.bool_)
    mask[45:55, 45:55] = True
    assert apply_to_mask(mask, Augmentation(zoom=2.0)).sum() == 400
    assert apply_to_box((0.45, 0.45, 0.1, 0.1), Augmentation(zoom=2.0)) == pytest.approx((0.4, 0.4, 0.2, 0.2))


def test_brightness_is_clipped_and_contrast_turns_about_the_mean() -> None:
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[:10] = 200
    brighter = apply(picture, Augmentation(brightness=100), "black")
    assert (brighter[0, 0, 0], brighter[-1, 0, 0]) == (255, 100)
    flatter = apply(picture, Augmentation(contrast=0.5), "black")
    assert (flatter[0, 0, 0], flatter[-1, 0, 0]) == (150, 50)
    darker = apply(picture, Augmentation(brightness=-0.6), "black")
    assert (darker[0, 0, 0], darker[-1, 0, 0]) == (199, 0)


@pytest.mark.parametrize(("fill", "corner"), [("reflect", 90), ("edge", 90), ("black", 0)])
def test_fill(fill: str, corner: int) -> None:
    picture = np.full((40, 40, 3), 90, np.uint8)
    changed = apply(picture, Augmentation(zoom=0.5), fill)
    assert changed[0, 0, 0] == corner
    assert changed[20, 20, 0] == 90


@settings(max_examples=120, deadline=None)
@given(
    LOTS,
    st.tuples(st.integers(0, 50), st.integers(0, 40), st.integers(1, 30), st.integers(1, 30)),
    st.sampled_from([(64, 64), (64, 96), (96, 64)]),
)
def test_a_moved_mask_lies_in_the_moved_box(
    lots: Augmentation, corners: tuple[int, int, int, int], shape: tuple[int, int]
) -> None:
    x, y, width, height = corners
    rows, columns = shape
    mask = np.zeros(shape, np.bool_)
    mask[y : y + height, x : x + width] = True
    across, down = min(x + width, columns) - x, min(y + height, rows) - y
    box = apply_to_box((x / columns, y / rows, across / columns, down / rows), lots, aspect=columns / rows)
    at = np.argwhere(apply_to_mask(mask, lots))
    if box is None:
        # What touches the rim from outside may round to its first pixel.
        assert at.size == 0 or at.min() == 0 or (at.max(axis=0) == (rows - 1, columns - 1)).any()
        return
    left, top = box[0] * columns - 1, box[1] * rows - 1
    right, bottom = (box[0] + box[2]) * columns + 1, (box[1] + box[3]) * rows + 1
    assert all(top <= r + 0.5 <= bottom and left <= c + 0.5 <= right for r, c in at)


@settings(max_examples=60, deadline=None)
@given(LOTS, st.tuples(*[st.floats(0, 0.6)] * 2, *[st.floats(0.05, 0.4)] * 2))
def test_boxes_stay_in_the_picture(lots: Augmentation, box: tuple[float, float, float, float]) -> None:
    moved = apply_to_box(box, lots)
    if moved is not None:
        x, y, width, height = moved
        assert 0 <= x < x + width <= 1 + 1e-9
        assert 0 <= y < y + height <= 1 + 1e-9


@pytest.mark.parametrize(
    ("box", "lots"),
    [
        ((0.0, 0.0, 0.1, 0.1), Augmentation(zoom=1.9)),
        ((0.9, 0.45, 0.1, 0.1), Augmentation(zoom=1.9, mirror=True)),
        ((0.0, 0.0, 0.05, 0.05), Augmentation(turn=45)),
    ],
)
def test_a_box_that_leaves_the_picture_is_none(
    box: tuple[float, float, float, float], lots: Augmentation
) -> None:
    assert apply_to_box(box, lots) is None


def test_a_lesion_is_where_its_box_says_after_the_move() -> None:
    picture = np.zeros((224, 224, 3), np.uint8)
    picture[60:80, 130:160] = 255
    rng = np.random.default_rng(5)
    for _ in range(30):
        lots = replace(draw(AugmentSettings(fill="black"), rng), contrast=1.0, brightness=0.0)
        box = apply_to_box((130 / 224, 60 / 224, 30 / 224, 20 / 224), lots)
        assert box is not None
        bright = np.argwhere(apply(picture, lots, "black")[..., 0] > 200)
        top, left = bright.min(axis=0)
        bottom, right = bright.max(axis=0) + 1
        edges = (box[0] * 224, box[1] * 224, (box[0] + box[2]) * 224, (box[1] + box[3]) * 224)
        # A turned corner fades: a bright pixel keeps some pixels off the corner's tip.
        assert (left, top, right, bottom) == pytest.approx(edges, abs=2.5)
