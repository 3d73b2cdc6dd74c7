"""Fingerprints turn with their pictures; the head's box does not move with the margins."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.data.compare import COPY, correlation
from tumorscan.data.fingerprints import BITS, HASHES, HEAD, THUMB, WHOLE, fingerprint, head_box, turned
from tumorscan.data.phantom import draw_phantom
from tumorscan.data.views import VIEWS, seen


def head(seed: int, size: int = 160) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return draw_phantom(rng, tumor=bool(seed % 2), size=size).pixels


def rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(np.ascontiguousarray(grey)[..., None], 3, axis=2)


def test_shapes() -> None:
    taken = fingerprint(rgb(head(1)))
    assert (taken.thumbs.shape, taken.thumbs.dtype) == ((2, THUMB, THUMB), np.uint8)
    assert (taken.hashes.shape, taken.hashes.dtype) == ((len(HASHES), BITS), np.bool_)
    assert taken.thumbs.nbytes + taken.hashes.nbytes < 9300


@pytest.mark.parametrize("view", range(8), ids=VIEWS)
def test_views_are_the_symmetries_of_a_square(view: int) -> None:
    corners = np.arange(4, dtype=np.uint8).reshape(2, 2)
    by_numpy = {
        "as it is": corners,
        "mirrored": np.fliplr(corners),
        "flipped": np.flipud(corners),
        "turned by 180": np.rot90(corners, 2),
        "turned left": np.rot90(corners, 1),
        "turned right": np.rot90(corners, -1),
        "mirrored and turned left": np.rot90(np.fliplr(corners), 1),
        "mirrored and turned right": np.rot90(np.fliplr(corners), -1),
    }
    np.testing.assert_array_equal(seen(corners, view), by_numpy[VIEWS[view]])


@settings(max_examples=16, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 7))
def test_a_hash_turns_as_its_picture_does(seed: int, view: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (THUMB, THUMB), dtype=np.uint8)
    own = turned(fingerprint(rgb(picture)).hashes, view)
    theirs = fingerprint(rgb(seen(picture, view))).hashes
    for kind, (thumb, trim) in enumerate(HASHES):
        if thumb == WHOLE and trim == 0:
            np.testing.assert_array_equal(own[kind], theirs[kind])


@pytest.mark.parametrize("margins", [(0, 0, 0, 0), (30, 0, 12, 50), (80, 80, 80, 80), (5, 120, 0, 0)])
def test_margins_do_not_move_the_box(margins: tuple[int, int, int, int]) -> None:
    grey = head(2)
    left, top, width, height = head_box(grey)
    wider = cv2.copyMakeBorder(grey, *margins, cv2.BORDER_CONSTANT, value=0)
    found = head_box(wider)
    assert np.abs(np.array(found) - (left + margins[2], top + margins[0], width, height)).max() <= 3


@pytest.mark.parametrize(
    "grey",
    [
        np.zeros((40, 60), np.uint8),
        np.full((40, 60), 200, np.uint8),
        np.pad(np.full((2, 2), 255, np.uint8), 30),
    ],
    ids=["black", "white", "a dot"],
)
def test_without_a_head_the_box_is_the_whole(grey: np.ndarray) -> None:
    assert head_box(grey) == (0, 0, grey.shape[1], grey.shape[0])


def test_flat_pictures_are_known_as_such() -> None:
    assert fingerprint(np.full((30, 50, 3), 90, np.uint8)).is_flat
    assert not fingerprint(rgb(head(3))).is_flat


@pytest.mark.parametrize("size", [(16, 16), (17, 300), (300, 17), (1, 1)])
def test_any_shape_has_a_fingerprint(size: tuple[int, int], rng: np.random.Generator) -> None:
    taken = fingerprint(rgb(rng.integers(0, 256, size, dtype=np.uint8)))
    assert taken.thumbs.shape == (2, THUMB, THUMB)
    assert 0 <= abs(correlation(taken.thumbs[HEAD], taken.thumbs[WHOLE])) <= 1 + 1e-6


def test_correlation_of_a_copy_and_of_another() -> None:
    one, other = (fingerprint(rgb(head(seed))).thumbs[HEAD] for seed in (4, 6))
    assert correlation(one, one) == pytest.approx(1, abs=1e-3)
    brighter = np.clip(one * 1.3 + 10, 0, 255).astype(np.uint8)
    assert correlation(one, brighter) > COPY
    assert correlation(one, other) < COPY
    assert correlation(one, np.zeros_like(one)) < COPY
    assert correlation(np.zeros_like(one), one) < COPY


def test_a_trimmed_copy_is_laid_over_its_place() -> None:
    whole = head(5, 256)
    cut = whole[20:-20, 20:-20]
    one, other = fingerprint(rgb(whole)).thumbs[WHOLE], fingerprint(rgb(cut)).thumbs[WHOLE]
    assert correlation(one, other, trim=20 / 256) > COPY
