"""Lesions that change places leave the rest of the picture alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.config import MoveSettings
from tumorscan.data.moves import elsewhere, hide, paste
from tumorscan.errors import SettingsError
from tumorscan.types import Picture

SIDE = 128
BOX = (0.25, 0.4, 0.12, 0.1)


def _head(*, lesion: bool, level: int = 100, seed: int = 1) -> Picture:
    """A round, symmetric head, with a bright lesion in BOX if wanted."""
    at = (np.arange(SIDE) + 0.5) / SIDE - 0.5
    plane = np.where(np.hypot(at[None, :], at[:, None]) < 0.42, level, 0).astype(np.float64)
    half = np.random.default_rng(seed).normal(0, 4, (SIDE, SIDE // 2))
    plane += np.where(plane > 0, np.hstack([half, half[:, ::-1]]), 0)
    if lesion:
        x, y, width, height = (v * SIDE for v in BOX)
        away = np.hypot(
            ((np.arange(SIDE) + 0.5 - x - width / 2) / (width / 2))[None, :],
            ((np.arange(SIDE) + 0.5 - y - height / 2) / (height / 2))[:, None],
        )
        plane[away <= 1] = 220
    grey = np.clip(np.rint(plane), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _far(box, by: float = 1.2) -> np.ndarray:
    """Pixels outside of the ellipse of a grown box."""
    x, y, width, height = (v * SIDE for v in box)
    across = (np.arange(SIDE) + 0.5 - x - width / 2) / (width / 2)
    down = (np.arange(SIDE) + 0.5 - y - height / 2) / (height / 2)
    return np.hypot(across[None, :], down[:, None]) > by


SICK, WELL = _head(lesion=True), _head(lesion=False)


def test_hide_covers_the_lesion_and_nothing_else() -> None:
    before = SICK.copy()
    covered = hide(SICK, BOX)
    assert covered is not None
    assert covered.shape == SICK.shape
    assert covered.dtype == np.uint8
    assert np.array_equal(SICK, before)
    grown = (BOX[0] - 0.125 * BOX[2], BOX[1] - 0.125 * BOX[3], 1.25 * BOX[2], 1.25 * BOX[3])
    assert np.array_equal(covered[_far(grown)], SICK[_far(grown)])
    inside = ~_far(BOX, 1.0)
    assert SICK[inside].mean() > 200
    assert covered[inside].mean() == pytest.approx(WELL[inside].mean(), abs=6)
    assert covered[inside].max() < 180, "some of the lesion is left"


@pytest.mark.parametrize("box", [(0.45, 0.4, 0.12, 0.1), (0.35, 0.4, 0.14, 0.1), (0.1, 0.1, 0.8, 0.8)])
def test_hide_refuses_the_midline(box) -> None:
    assert hide(SICK, box) is None


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(60, 160))
def test_paste_lays_the_lesion_into_its_box(seed: int, level: int) -> None:
    target = _head(lesion=False, level=level, seed=2)
    before = target.copy()
    pasted = paste(SICK, BOX, target, np.random.default_rng(seed))
    again = paste(SICK, BOX, target, np.random.default_rng(seed))
    assert np.array_equal(target, before)
    if pasted is None:
        assert again is None
        return
    assert again is not None
    assert np.array_equal(pasted.picture, again.picture)
    assert pasted.picture.shape == target.shape
    assert pasted.picture.dtype == np.uint8
    assert np.ptp(pasted.picture, axis=2).max() == 0
    far = _far(pasted.box)
    assert np.array_equal(pasted.picture[far], target[far]), "pixels far away have changed"
    core = ~_far(pasted.box, 0.5)
    assert pasted.picture[core].mean() > target[core].mean() + 25, "there is no lesion in the box"
    assert 0.6 * BOX[2] <= pasted.box[2] <= 1.2 * BOX[2] + 1e-12
    x, y = pasted.box[0] + pasted.box[2] / 2, pasted.box[1] + pasted.box[3] / 2
    assert np.hypot(x - 0.5, y - 0.5) < 0.42, "it lies outside of the head"


def test_there_is_no_place_in_an_empty_picture() -> None:
    black = np.zeros((SIDE, SIDE, 3), np.uint8)
    rng = np.random.default_rng(1)
    assert paste(SICK, BOX, black, rng) is None
    assert elsewhere(BOX, black, rng) is None


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_elsewhere_is_clear_of_the_lesion(seed: int) -> None:
    other = elsewhere(BOX, SICK, np.random.default_rng(seed))
    if other is None:
        return
    x, y, width, height = other
    assert 0 <= x <= 1 - width
    assert 0 <= y <= 1 - height
    across = min(x + width, BOX[0] + BOX[2]) - max(x, BOX[0])
    down = min(y + height, BOX[1] + BOX[3]) - max(y, BOX[1])
    assert across <= 0 or down <= 0


def test_elsewhere_of_a_box_that_fills_the_head() -> None:
    assert elsewhere((0.02, 0.02, 0.96, 0.96), SICK, np.random.default_rng(1)) is None


@pytest.mark.parametrize(
    ("table", "cause"),
    [
        ({"moved": 1.2}, "moved is 1.2"),
        ({"decoy": -0.2}, "decoy is -0.2"),
        ({"hidden": 2}, "hidden is 2"),
        ({"moved": 0.7, "decoy": 0.6}, "moved 0.7 and decoy 0.6 add up to more than 1"),
    ],
)
def test_limits(table, cause) -> None:
    with pytest.raises(SettingsError, match=cause):
        MoveSettings(**table)
