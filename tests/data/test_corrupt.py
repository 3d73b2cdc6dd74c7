"""Corruptions: the same lots give the same pixels, strength 0 none, more strength more of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tumorscan.data.corrupt import CORRUPTIONS, STRENGTHS, corrupt
from tumorscan.data.phantom import draw_phantom
from tumorscan.errors import SettingsError
from tumorscan.types import Picture

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))
GREY = SHAPES.flatmap(lambda shape: arrays.arrays(np.uint8, shape))
NAMES = st.sampled_from(sorted(CORRUPTIONS))


@pytest.fixture(scope="module")
def slices() -> list[Picture]:
    drawn = [draw_phantom(np.random.default_rng(i), tumor=bool(i % 2), size=128) for i in range(4)]
    return [np.repeat(one.pixels[..., None], 3, axis=2) for one in drawn]


def distance(one: Picture, other: Picture) -> float:
    return float(np.sqrt(np.mean((one.astype(np.float64) - other) ** 2)))


@given(grey=GREY, name=NAMES, strength=st.integers(0, STRENGTHS), seed=st.integers(0, 2**32))
@settings(max_examples=150)
def test_any_grey_picture_stays_a_grey_picture(grey: np.ndarray, name: str, strength: int, seed: int) -> None:
    picture = np.repeat(grey[..., None], 3, axis=2)
    before = picture.copy()
    spoilt = corrupt(picture, name, strength, seed=seed)
    assert spoilt.dtype == np.uint8
    assert spoilt.ndim == 3
    assert spoilt.size
    assert (spoilt == spoilt[..., :1]).all()
    assert name == "crop" or spoilt.shape == picture.shape
    assert np.array_equal(picture, before)
    assert np.array_equal(spoilt, corrupt(picture, name, strength, seed=seed))


@given(colour=SHAPES.flatmap(lambda shape: arrays.arrays(np.uint8, (*shape, 3))), name=NAMES)
@settings(max_examples=50)
def test_strength_0_is_a_copy(colour: np.ndarray, name: str) -> None:
    same = corrupt(colour, name, 0)
    assert np.array_equal(same, colour)
    assert not np.shares_memory(same, colour)


@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name != "crop"])
def test_more_strength_is_farther_away(slices: list[Picture], name: str) -> None:
    for seed, picture in enumerate(slices):
        way = [distance(picture, corrupt(picture, name, s, seed=seed)) for s in range(STRENGTHS + 1)]
        assert way[0] == 0
        assert all(far > near for near, far in itertools.pairwise(way)), (name, way)


def test_a_crop_takes_more_and_more_off_the_rim(slices: list[Picture]) -> None:
    for strength in range(1, STRENGTHS + 1):
        share = CORRUPTIONS["crop"].levels[strength - 1]
        cut = int(128 * share)
        assert np.array_equal(corrupt(slices[0], "crop", strength), slices[0][cut:-cut, cut:-cut])


@pytest.mark.parametrize(
    "name", ["rician noise", "gaussian noise", "bias field", "shift", "rotation", "gamma"]
)
def test_lots_differ_with_the_seed_and_not_with_the_strength(slices: list[Picture], name: str) -> None:
    kinds = {corrupt(slices[0], name, 3, seed=seed).tobytes() for seed in range(12)}
    assert len(kinds) >= 2
    # Going one way at strength 2, a picture does not turn round at strength 4.
    near, far = (corrupt(slices[0], name, s, seed=5).astype(float) - slices[0] for s in (2, 4))
    assert float((near * far).sum()) > 0


def test_inversion_swaps_tissues_and_leaves_the_background_dark() -> None:
    grey = np.zeros((64, 64), np.uint8)
    grey[10:54, 10:54] = 90
    grey[20:30, 20:30] = 200
    picture = np.repeat(grey[..., None], 3, axis=2)
    turned = corrupt(picture, "inversion", 5)[..., 0]
    assert (turned[grey == 0] == 0).all()
    assert turned[grey == 90].min() > turned[grey == 200].max()


def test_gaussian_noise_has_the_sigma_it_says() -> None:
    flat = np.full((128, 128, 3), 100, np.uint8)
    for name in ("gaussian noise", "rician noise"):
        assert corrupt(flat, name, 3)[..., 0].std() == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize(
    ("name", "strength", "says"),
    [("snow", 1, "no corruption 'snow'"), ("blur", 6, "strength of 6"), ("blur", -1, "strength of -1")],
)
def test_refusals(name: str, strength: int, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        corrupt(np.zeros((8, 8, 3), np.uint8), name, strength)
