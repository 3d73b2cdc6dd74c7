"""Maps against lesions, and the fall of a score where a place is blanked: arrays alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tumorscan.errors import DataError
from tumorscan.evaluate.blanking import Place, blanked, place_around, places_elsewhere, summed_up
from tumorscan.evaluate.localisation import (
    MEASURES,
    Located,
    centre_map,
    compare_maps,
    located,
    pixel_of,
    random_map,
)

SIZE = 64


def square(row: int, column: int, side: int = 16) -> np.ndarray:
    lesion = np.zeros((SIZE, SIZE), bool)
    lesion[row : row + side, column : column + side] = True
    return lesion


def one_cell(row: int, column: int, low: float = 0.0) -> np.ndarray:
    evidence = np.full((8, 8), low, np.float32)
    evidence[row, column] = 2.0
    return evidence


def test_a_peak_in_the_lesion() -> None:
    told = located(one_cell(2, 3), square(14, 22))
    assert told.peak_in == told.pointing == 1
    assert told.mass > 0.9
    assert told.iou > 0.2
    assert told.lift == pytest.approx(told.mass * SIZE**2 / 256)


def test_a_peak_elsewhere() -> None:
    told = located(one_cell(7, 7), square(0, 0))
    assert told == Located(0, 0, 0, 0, 0, 0)


def test_the_pointing_game_forgives_a_near_miss() -> None:
    # The cell's centre is pixel 20; the tolerance is 64 * 15 / 224, a little over 4 pixels.
    near = located(one_cell(2, 2), square(0, 12, 17))
    assert (near.pointing, near.peak_in) == (1, 0)
    assert located(one_cell(2, 2), square(0, 12, 16)).pointing == 0


def test_a_map_of_the_lesions_shape_overlaps_fully() -> None:
    lesion = square(16, 16, 32)
    told = located(lesion.astype(np.float32), lesion)
    assert (told.iou, told.iou_area, told.mass) == (1, 1, 1)
    assert told.lift == pytest.approx(4)


def test_a_map_of_negative_logits_has_a_peak_and_no_evidence() -> None:
    told = located(one_cell(2, 3) - 5, square(14, 22))
    assert told.peak_in == 1
    assert (told.mass, told.iou) == (0, 0)
    assert told.iou_area > 0


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0])
def test_an_even_map_has_no_peak(level: float) -> None:
    told = located(np.full((8, 8), level, np.float32), square(14, 22))
    assert (told.peak_in, told.pointing) == (0, 0)
    assert told.lift == pytest.approx(1.0 if level > 0 else 0.0)


@given(
    evidence=arrays.arrays(np.float32, (7, 7), elements=st.integers(-32, 32).map(lambda i: i / 8)),
    row=st.integers(0, 48),
    column=st.integers(0, 48),
)
@settings(max_examples=60)
def test_measures_are_shares_and_do_not_depend_on_the_maps_scale(
    evidence: np.ndarray, row: int, column: int
) -> None:
    told = located(evidence, square(row, column))
    assert all(0 <= getattr(told, name) <= 1 + 1e-6 for name in MEASURES if name != "lift")
    assert told.peak_in <= told.pointing
    scaled = located(evidence * np.float32(4), square(row, column))
    assert [getattr(scaled, name) for name in MEASURES] == pytest.approx(
        [getattr(told, name) for name in MEASURES], abs=1e-5
    )


def test_the_random_map_finds_a_lesion_by_its_area() -> None:
    rng = np.random.default_rng(3)
    told = [located(random_map((8, 8), rng), square(16, 16, 32)) for _ in range(400)]
    assert np.mean([one.peak_in for one in told]) == pytest.approx(0.25, abs=0.07)
    assert np.mean([one.lift for one in told]) == pytest.approx(1.0, abs=0.05)


def test_the_centre_map_peaks_in_the_middle() -> None:
    assert pixel_of(centre_map((7, 7)), SIZE) == (32, 32)


@pytest.mark.parametrize(
    ("evidence", "lesion", "says"),
    [
        (np.full((4, 4), np.nan, np.float32), square(0, 0), "finite"),
        (np.zeros(4, np.float32), square(0, 0), "h x w"),
        (np.zeros((4, 4), np.float32), np.zeros((8, 8), bool), "not empty"),
        (np.zeros((4, 4), np.float32), np.ones((8, 9), bool), "S x S"),
    ],
)
def test_refused_maps(evidence: np.ndarray, lesion: np.ndarray, says: str) -> None:
    with pytest.raises(DataError, match=says):
        located(evidence, lesion)


def test_maps_are_compared_in_pairs_over_patients() -> None:
    hit, miss = Located(1, 1, 0.5, 0.5, 0.5, 2), Located(0, 0, 0, 0, 0, 0)
    told = compare_maps({"ours": [hit, hit, hit, miss], "random": [miss, hit, miss, miss]}, list("aabb"))
    assert told["ours"].figures["peak_in"].value == 0.75
    assert told["ours"].figures["peak_in"].method == "bootstrap over patients"
    assert told["random"].ahead["peak_in"].value == 0.5
    assert told["ours"].ahead == {}
    with pytest.raises(DataError, match="give one for each"):
        compare_maps({"ours": [hit]}, ["a", "b"])


def test_lesions_against_the_rest_of_the_same_heads() -> None:
    told = located(one_cell(2, 3, low=-1.0), square(14, 22))
    assert 1.5 < told.lesion <= 2  # bilinear between cells
    assert told.rest == pytest.approx(-1)
    everywhere = located(one_cell(2, 3), np.ones((SIZE, SIZE), bool))
    assert everywhere.rest == 0  # there is no rest: its weakest

    def row(lesion: float, rest: float) -> Located:
        return Located(1, 1, 0, 0, 0, 0, lesion, rest)

    # Each picture alone is right; a threshold for all of them is not.
    maps = {"ours": [row(1, 0), row(5, 4), row(9, 2), row(9, 2)], "random": [row(1, 1)] * 4}
    figures = compare_maps(maps, list("abcd"))
    assert figures["ours"].figures["apart"].value == pytest.approx((1 + 4 + 4 + 4) / 16)
    assert figures["random"].figures["apart"].value == 0.5
    assert figures["random"].ahead["apart"].value == pytest.approx(13 / 16 - 0.5)
    assert figures["ours"].figures["apart"].low < 13 / 16


def head(seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    grey = np.zeros((SIZE, SIZE), np.uint8)
    grey[8:56, 8:56] = rng.integers(80, 120, (48, 48))
    return np.repeat(grey[..., None], 3, axis=2)


@given(row=st.integers(0, SIZE - 1), column=st.integers(0, SIZE - 1))
@settings(max_examples=40)
def test_places_lie_in_the_picture_on_tissue_and_apart(row: int, column: int) -> None:
    peak = place_around(row, column, SIZE)
    picture, rng = head(), np.random.default_rng(1)
    for place in (peak, *places_elsewhere(picture, peak, rng)):
        assert 0 <= place.row <= SIZE - place.side
        assert 0 <= place.column <= SIZE - place.side
        if place is not peak:
            assert max(abs(place.row - peak.row), abs(place.column - peak.column)) >= peak.side
            square_ = picture[place.row : place.row + place.side, place.column : place.column + place.side]
            assert (square_ > 0).mean() >= 0.5


def test_blanking_takes_a_spot_out_and_leaves_the_rest() -> None:
    picture = head()
    picture[28:36, 28:36] = 250
    place = Place(25, 25, 14)
    filled = blanked(picture, place)
    assert filled[25:39, 25:39].max() < 125
    assert filled[25:39, 25:39].min() > 75
    filled[25:39, 25:39] = picture[25:39, 25:39]
    assert np.array_equal(filled, picture)


def test_there_is_nowhere_else_in_a_black_picture() -> None:
    black = np.zeros((SIZE, SIZE, 3), np.uint8)
    assert places_elsewhere(black, place_around(30, 30, SIZE), np.random.default_rng(1)) == []


def test_falls_are_summed_up_in_pairs() -> None:
    told = summed_up([(2.0, 0.5), (1.0, 0.5), (0.0, 0.5), (3.0, 0.5)], list("abcd"))
    assert (told.peak.value, told.elsewhere.value, told.difference.value) == (1.5, 0.5, 1.0)
    assert told.wins.value == 0.75
    assert told.difference.low < 1.0 < told.difference.high
    with pytest.raises(DataError, match="one name for each"):
        summed_up([], [])
