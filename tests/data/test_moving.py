"""Boxes and masks follow every augmentation: shifts, stretches, both mirrors, any turn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tumorscan.config import AugmentSettings
from tumorscan.data.augment import Augmentation, apply, apply_to_box, apply_to_mask, draw
from tumorscan.errors import SettingsError

SIDE = 96
LOTS = st.builds(
    Augmentation,
    mirror=st.booleans(),
    turn=st.one_of(st.floats(-180, 180), st.sampled_from([0.0, 90.0, 180.0, 270.0])),
    zoom=st.floats(0.4, 1.9),
    contrast=st.just(1.0),
    brightness=st.just(0.0),
    shift=st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
    stretch=st.floats(0.6, 1.7),
    upside_down=st.booleans(),
)
BOXES = st.tuples(st.integers(0, 70), st.integers(0, 70), st.integers(4, 26), st.integers(4, 26))


def _ellipse(x: int, y: int, width: int, height: int) -> np.ndarray:
    across = (np.arange(SIDE) + 0.5 - x - width / 2) / (width / 2)
    down = (np.arange(SIDE) + 0.5 - y - height / 2) / (height / 2)
    return across[None, :] ** 2 + down[:, None] ** 2 <= 1


@settings(max_examples=150)
@given(LOTS, BOXES)
def test_the_moved_box_contains_the_moved_mask(
    lots: Augmentation, corners: tuple[int, int, int, int]
) -> None:
    at = np.argwhere(apply_to_mask(_ellipse(*corners), lots))
    box = apply_to_box(tuple(v / SIDE for v in corners), lots)
    if box is None:
        assert at.size == 0 or at.min() == 0 or at.max() == SIDE - 1
        return
    # The nearest pixel may lie half a pixel off.
    first = np.array((box[1], box[0])) * SIDE - 1
    last = np.array((box[1] + box[3], box[0] + box[2])) * SIDE
    assert ((at >= first) & (at <= last)).all()


@settings(max_examples=150)
@given(LOTS, BOXES, st.sampled_from(["reflect", "edge", "black"]))
def test_a_bright_dot_stays_in_the_moved_mask(
    lots: Augmentation, corners: tuple[int, int, int, int], fill: str
) -> None:
    x, y, width, height = corners
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    row, column = y + height // 2, x + width // 2
    picture[row - 1 : row + 1, column - 1 : column + 1] = 255
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[y : y + height, x : x + width] = True
    moved, there = apply(picture, lots, fill)[..., 0], apply_to_mask(mask, lots)
    assume(there.any())
    box = apply_to_box(tuple(v / SIDE for v in corners), lots)
    assert box is not None
    inside = box[0] > 0.02 and box[0] + box[2] < 0.98 and box[1] > 0.02 and box[1] + box[3] < 0.98
    # A box in the middle of the picture: no reflection of the dot comes in beside it.
    assume(inside)
    found = moved > 130
    near = found[np.ix_(there.any(axis=1), there.any(axis=0))]
    assert near.any() or lots.zoom < 0.8, "the dot is gone"
    if fill == "black":
        assert not (found & ~there).any(), "the dot left its mask"


@settings(max_examples=60)
@given(LOTS)
def test_area_changes_by_the_square_of_the_zoom_alone(lots: Augmentation) -> None:
    # Large enough that single pixels, in or out as a whole, do not matter.
    mask = _ellipse(32, 32, 32, 32)
    still = Augmentation(
        lots.mirror, lots.turn, lots.zoom, stretch=lots.stretch, upside_down=lots.upside_down
    )
    share = apply_to_mask(mask, still).sum() / mask.sum()
    assert share == pytest.approx(lots.zoom**2, rel=0.12)


def test_where_things_go() -> None:
    box = (0.125, 0.25, 0.25, 0.125)
    down_and_right = Augmentation(shift=(0.25, 0.125))
    assert apply_to_box(box, down_and_right) == pytest.approx((0.375, 0.375, 0.25, 0.125))
    assert apply_to_box(box, Augmentation(upside_down=True)) == pytest.approx((0.125, 0.625, 0.25, 0.125))
    assert apply_to_box((0.25, 0.25, 0.5, 0.5), Augmentation(stretch=1.25)) == pytest.approx(
        (0.1875, 0.3, 0.625, 0.4)
    )
    picture = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    assert np.array_equal(apply(picture, Augmentation(upside_down=True), "black"), picture[::-1])
    shifted = apply(picture, down_and_right, "black")
    assert np.array_equal(shifted[12:, 24:], picture[:-12, :-24])
    assert not shifted[:12].any()
    assert not shifted[:, :24].any()


@pytest.mark.parametrize("name", ["shift", "stretch", "upside_down", "quarter", "zoom", "flip"])
def test_switching_one_off_leaves_the_others(name: str) -> None:
    on = {"shift": 0.2, "stretch": 0.3, "upside_down": 1.0, "quarter": 1.0, "zoom": 0.2, "flip": 1.0}
    every = draw(AugmentSettings(rotation=0, **on), np.random.default_rng(4))
    some = draw(AugmentSettings(rotation=0, **{**on, name: 0}), np.random.default_rng(4))
    field = {"flip": "mirror", "quarter": "turn"}.get(name, name)
    differ = {one for one in vars(every) if getattr(every, one) != getattr(some, one)}
    assert differ == {field}
    assert getattr(some, field) == getattr(Augmentation(), field)


def test_lots_reach_their_limits_and_no_further() -> None:
    wanted = AugmentSettings(rotation=0, shift=0.2, stretch=0.5, upside_down=0.3, quarter=0.4)
    rng = np.random.default_rng(2)
    lots = [draw(wanted, rng) for _ in range(3000)]
    shifts = np.array([one.shift for one in lots])
    assert (shifts.min(), shifts.max()) == pytest.approx((-0.2, 0.2), abs=0.002)
    stretches = [one.stretch for one in lots]
    assert (min(stretches), max(stretches)) == pytest.approx((1 / 1.5, 1.5), rel=0.01)
    turns = np.array([one.turn for one in lots])
    assert set(turns) == {0.0, 90.0, 180.0, 270.0}
    assert np.mean(turns != 0) == pytest.approx(0.4, abs=0.03)
    assert np.mean([one.upside_down for one in lots]) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    ("table", "cause"),
    [
        ({"shift": -0.1}, "shift is -0.1"),
        ({"shift": 1.0}, "shift is 1.0"),
        ({"stretch": 2.0}, "stretch is 2.0"),
        ({"upside_down": 1.5}, "upside_down is 1.5"),
        ({"quarter": -1}, "quarter is -1"),
    ],
)
def test_limits(table: dict[str, float], cause: str) -> None:
    with pytest.raises(SettingsError, match=rf"AugmentSettings\.{cause}: it must lie in"):
        AugmentSettings(**table)
