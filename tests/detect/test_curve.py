"""Slices to one probability: single-slice noise, runs in mm, refused slices, unknown distances."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stacks import stack

from tumorscan.detect.curve import CurveRule, extent, positions, smoothed, summarise
from tumorscan.errors import SettingsError

NAN = float("nan")
RULE = CurveRule()


def rows(count: int, spacing: float) -> np.ndarray:
    return np.arange(count) * spacing


@pytest.mark.parametrize("spacing", [1.0, 3.0, 5.0, 6.5, 12.0])
def test_one_loud_slice_raises_a_volume_less_than_a_run_does(spacing: float) -> None:
    alone, run = np.full(40, 0.02), np.full(40, 0.02)
    alone[20] = 1.0
    run[20 : 20 + max(3, int(15 / spacing))] = 1.0
    quiet, loud = (summarise(p, rows(40, spacing), RULE).probability for p in (alone, run))
    assert quiet is not None
    assert loud is not None
    assert quiet <= 0.52
    assert loud > 0.8


def test_the_highest_run_the_key_slice_and_its_extent_are_where_the_lesion_is() -> None:
    p = np.full(30, 0.03)
    p[10:18] = [0.3, 0.7, 0.9, 0.95, 0.95, 0.9, 0.7, 0.3]
    found = summarise(p, rows(30, 3.0), RULE)
    assert found.key in (13, 14)
    assert found.run is not None
    assert found.run[0] >= 11
    assert found.run[1] <= 16
    first, last = extent(found.curve, found.key, 0.5 * found.curve[found.key])
    assert 10 <= first <= 11
    assert 16 <= last <= 17


def test_refused_slices_neither_raise_nor_break_a_run() -> None:
    p = np.full(20, 0.03)
    p[8:13] = 0.9
    p[10] = NAN
    found = summarise(p, rows(20, 4.0), RULE)
    assert np.isnan(found.curve[10])
    assert np.isfinite(np.delete(found.curve, 10)).all()
    assert found.probability == pytest.approx(0.9, abs=0.25)
    assert extent(found.curve, found.key or 0, 0.4) == (8, 12)


def test_nothing_asked_gives_no_answer() -> None:
    found = summarise(np.full(5, NAN), rows(5, 4.0), RULE)
    assert (found.probability, found.run, found.key) == (None, None, None)


def test_a_stack_shorter_than_the_run_is_averaged_whole() -> None:
    assert summarise(np.array([0.8]), rows(1, 4.0), RULE).probability == pytest.approx(0.8)
    assert summarise(np.array([0.8, 0.4]), rows(2, 1.0), RULE).probability == pytest.approx(0.6)


@given(
    st.lists(st.one_of(st.floats(0, 1), st.just(NAN)), min_size=1, max_size=60),
    st.floats(0.3, 15),
    st.booleans(),
)
def test_the_answer_lies_among_the_slices_and_does_not_depend_on_the_direction(
    values: list[float], spacing: float, down: bool
) -> None:
    p = np.array(values)
    places = rows(len(p), -spacing if down else spacing)
    found, turned = summarise(p, places, RULE), summarise(p[::-1], places, RULE)
    if found.probability is None:
        assert np.isnan(p).all()
        assert turned.probability is None
        return
    assert np.nanmin(p) - 1e-9 <= found.probability <= np.nanmax(p) + 1e-9
    assert found.probability == pytest.approx(turned.probability)
    assert found.key is not None
    assert np.isfinite(found.curve[found.key])
    first, last = extent(found.curve, found.key, 0.5 * found.curve[found.key])
    assert first <= found.key <= last


def test_neighbours_are_counted_in_millimetres() -> None:
    p = np.zeros(21)
    p[10] = 1.0
    assert np.count_nonzero(smoothed(p, rows(21, 1.0), 5.0)) == 11
    assert np.count_nonzero(smoothed(p, rows(21, 5.0), 5.0)) == 3
    assert np.count_nonzero(smoothed(p, rows(21, 6.0), 5.0)) == 1


def test_places_come_from_the_slices_else_the_spacing_else_the_rule() -> None:
    unplaced = stack(4, spacing=None)
    spaced = replace(unplaced, spacing=(2.0, 1.0, 1.0))
    assert positions(stack(4, spacing=4.0), 5.0) == (pytest.approx([0, 4, 8, 12]), "")
    assert positions(spaced, 5.0) == (pytest.approx([0, 2, 4, 6]), "")
    places, why = positions(unplaced, 5.0)
    assert places == pytest.approx([0, 5, 10, 15])
    assert why == "distance of the slices unknown: taken as 5 mm"


@pytest.mark.parametrize(
    ("count", "spacing", "believed"),
    [
        (24, (1.0, 1.0, 1.0), False),  # 24 mm of a head of 128 mm: filled in
        (24, (5.0, 1.0, 1.0), True),
        (12, (1.3, 0.7, 0.7), True),  # a thin slab that says its own voxels
        (100, (1.0, 1.0, 1.0), True),
        (1, (1.0, 1.0, 1.0), True),
    ],
)
def test_voxels_of_one_millimetre_are_not_believed_of_a_few_slices(
    count: int, spacing: tuple[float, float, float], believed: bool
) -> None:
    places, why = positions(replace(stack(count, spacing=spacing[0]), spacing=spacing), 5.0)
    assert (why == "") is believed
    assert np.allclose(np.diff(places), spacing[0] if believed else 5.0)


@pytest.mark.parametrize(
    "changes", [{"reach": -1}, {"run": 900}, {"fewest": 0}, {"edge": 1.2}, {"pitch": 0}, {"reach": NAN}]
)
def test_a_rule_out_of_range_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="must lie in"):
        CurveRule(**changes)
