from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tumorscan.data.catalog import build_catalog
from tumorscan.data.features import (
    SMALL,
    STATISTICS,
    metadata_features,
    pixel_statistics,
    rim_features,
    small_copies,
)
from tumorscan.data.records import Record
from tumorscan.errors import DataError, UnreadableScan

COPIES = arrays(np.uint8, st.tuples(st.integers(1, 4), st.just(32), st.just(32)))


def test_metadata_columns(record: Callable[..., Record]) -> None:
    one = record(1, "tumor", "g1")
    two = replace(record(2, "no_tumor", "g2"), mode="RGBA", format="JPEG", width=48)
    features, names = metadata_features([one, two])
    assert names == ("width", "height", "bytes per pixel", "mode L", "mode RGBA", "format JPEG", "format PNG")
    np.testing.assert_allclose(features, [[24, 20, 500 / 480, 1, 0, 0, 1], [48, 20, 500 / 960, 0, 1, 1, 0]])


def test_small_copies_are_grey_and_in_order(tmp_path: Path, draw_png: Callable[..., Path]) -> None:
    for i in range(3):
        draw_png(tmp_path / "yes" / f"{i}.png", i)
    records = build_catalog([tmp_path / "yes"]).records
    copies = small_copies(records)
    assert copies.shape == (3, SMALL, SMALL)
    assert copies.dtype == np.uint8
    np.testing.assert_array_equal(small_copies(records[::-1]), copies[::-1])
    assert small_copies([]).shape == (0, SMALL, SMALL)


def test_small_copies_name_a_file_that_is_gone(tmp_path: Path, draw_png: Callable[..., Path]) -> None:
    file = draw_png(tmp_path / "yes" / "a.png", 1)
    records = build_catalog([tmp_path / "yes"]).records
    file.unlink()
    with pytest.raises(UnreadableScan, match=r"a\.png"):
        small_copies(records)


def test_statistics_of_known_pictures() -> None:
    pixels = np.zeros((2, 16, 16), np.uint8)
    pixels[1, :, 8:] = 200
    found = dict(zip(STATISTICS, pixel_statistics(pixels).T, strict=True))
    np.testing.assert_allclose(found["mean"], [0, 100])
    np.testing.assert_allclose(found["deviation"], [0, 100])
    np.testing.assert_allclose(found["share of black"], [1, 0.5])
    np.testing.assert_allclose(found["mean step to the neighbour"], [0, 200 / 15 / 2])


@settings(max_examples=30, deadline=None)
@given(COPIES)
def test_statistics_do_not_see_left_from_right(copies: np.ndarray) -> None:
    found = pixel_statistics(copies)
    assert found.shape == (len(copies), len(STATISTICS))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(pixel_statistics(copies[:, :, ::-1]), found, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(COPIES, st.integers(0, 255))
def test_the_rim_does_not_change_with_the_brain(copies: np.ndarray, grey: int) -> None:
    changed = copies.copy()
    changed[:, 10:22, 8:24] = grey
    np.testing.assert_array_equal(rim_features(changed), rim_features(copies))
    changed[:, :4, :4] = 255 - copies[:, :4, :4]
    assert (rim_features(changed) != rim_features(copies)).any()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 16, 17), r"copies have the shape \(3, 16, 17\): N x S x S is needed, S over 8"),
        ((16, 16), r"copies have the shape \(16, 16\)"),
        ((1, 8, 8), r"S over 8; make them with small_copies"),
    ],
)
@pytest.mark.parametrize("features", [pixel_statistics, rim_features])
def test_refuses_other_shapes(features: Callable[..., object], shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        features(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("side", [16, 34])
def test_refuses_a_side_that_leaves_no_cells(side: int) -> None:
    with pytest.raises(DataError, match=f"a side of {side}: it must be a multiple of 4, 32 or more"):
        rim_features(np.zeros((1, side, side), np.uint8))
