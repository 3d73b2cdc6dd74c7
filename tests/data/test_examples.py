"""Examples of the evidence training: dealt fairly, made again by anybody, targets beside their lesion."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.config import AugmentSettings, EvidenceSettings, ImitateSettings, MoveSettings, StageSettings
from tumorscan.data.examples import Examples, Source
from tumorscan.data.phantom import draw_phantom

NO_LOOKS = ImitateSettings(**{one.name: 0.0 for one in fields(ImitateSettings)})
STILL = MoveSettings(moved=0, decoy=0, hidden=0)
NO_LOTS = AugmentSettings(flip=0, rotation=0, zoom=0, brightness=0, contrast=0, fill="black")
LIVELY = AugmentSettings(
    rotation=0.1, zoom=0.25, shift=0.1, stretch=0.1, upside_down=0.3, quarter=0.3, fill="black"
)
SIDE, GRID = 64, 8


def _drawn() -> tuple[np.ndarray, list[Source]]:
    pictures, sources = [], []
    for i in range(12):
        phantom = draw_phantom(np.random.default_rng([5, i]), tumor=i % 2 == 0, size=SIDE, plain=True)
        pictures.append(np.repeat(phantom.pixels[..., None], 3, axis=2))
        label = "tumor" if i % 2 == 0 else "no_tumor"
        # Every third tumor has no box.
        sources.append(Source(label, "drawn", None if i % 6 == 0 else phantom.box, "axial"))
    return np.stack(pictures), sources


PICTURES, SOURCES = _drawn()


def _examples(sources=SOURCES, augment=LIVELY, **more) -> Examples:
    pictures = PICTURES[np.arange(len(sources)) % len(PICTURES)]
    return Examples(
        pictures, sources, GRID, augment, replace(EvidenceSettings(pictures=10, as_it_is=0.0), **more)
    )


@settings(max_examples=40)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 60), st.integers(0, 2**31 - 1))
def test_every_picture_of_a_stratum_comes_once_before_any_comes_twice(sizes, count: int, seed: int) -> None:
    sources = [Source("tumor", f"s{k}", None, "") for k, size in enumerate(sizes) for _ in range(size)]
    examples = _examples(sources, pictures=count, seed=seed)
    seen: Counter[int] = Counter()
    for epoch in range(6):
        rows = examples.rows(epoch)
        assert rows == examples.rows(epoch)
        assert abs(len(rows) - count) <= len(sizes)
        seen.update(rows)
        for k in range(len(sizes)):
            times = [seen[i] for i, source in enumerate(sources) if source.name == f"s{k}"]
            assert max(times) - min(times) <= 1


@pytest.mark.parametrize(("balance", "parts"), [(0.0, (200, 200)), (0.5, (300, 100)), (1.0, (360, 40))])
def test_strata_get_parts_by_a_power_of_their_size(balance: float, parts: tuple[int, int]) -> None:
    sources = [Source("tumor", "large", None, "")] * 900 + [Source("no_tumor", "small", None, "")] * 100
    rows = _examples(sources, pictures=400, balance=balance).rows(0)
    large = sum(row < 900 for row in rows)
    assert (large, len(rows) - large) == parts
    assert rows != sorted(rows)
    assert rows != _examples(sources, pictures=400, seed=2).rows(0)


def test_an_example_follows_from_seed_epoch_and_place() -> None:
    wanted = (3, 4, 5)
    first = _examples().make(*wanted)
    other = _examples()
    for place in range(6):  # in another order, after others
        other.make(3, 6 - place, 5 - place)
    again = other.make(*wanted)
    assert np.array_equal(first.picture, again.picture)
    assert np.array_equal(first.cells, again.cells)
    assert np.array_equal(first.cell_weights, again.cell_weights)
    assert (first.label, first.weight) == (again.label, again.weight)
    for different in (_examples().make(4, 4, 5), _examples().make(3, 3, 5), _examples(seed=2).make(*wanted)):
        assert not np.array_equal(first.picture, different.picture)


@settings(max_examples=40)
@given(st.integers(0, 1000), st.integers(0, 11))
def test_what_an_example_is(place: int, row: int) -> None:
    before = PICTURES.copy()
    made = _examples().make(0, place, row)
    assert np.array_equal(PICTURES, before)
    assert made.picture.shape == (SIDE, SIDE, 3)
    assert made.picture.dtype == np.uint8
    assert made.cells.shape == made.cell_weights.shape == (GRID, GRID)
    assert made.label in {0, 1}
    assert made.weight in {0, 1}
    assert made.weight == 0 or made.label == 1 or not (made.cells * made.cell_weights).any()


def _left_alone(picture: np.ndarray, row: int) -> bool:
    return any(np.array_equal(picture, one) for one in (PICTURES[row], PICTURES[row][:, ::-1]))


def test_a_share_of_the_examples_is_mirrored_at_most() -> None:
    def left_alone(examples: Examples, place: int) -> bool:
        return _left_alone(examples.make(0, place, place % 12).picture, place % 12)

    assert all(left_alone(_examples(as_it_is=1.0), place) for place in range(24))
    count = sum(left_alone(_examples(as_it_is=0.5), place) for place in range(60))
    assert 18 <= count <= 42
    mirrored = _examples(as_it_is=1.0, augment=replace(LIVELY, flip=1.0)).make(0, 0, 2)
    plain = _examples().plain(2)
    assert np.array_equal(mirrored.cells, plain.cells[:, ::-1])
    assert np.array_equal(mirrored.cell_weights, plain.cell_weights[:, ::-1])


def test_the_last_stage_leaves_all_alone_but_for_a_mirror() -> None:
    stages = {
        "head": StageSettings(0, 1e-3),
        "upper": StageSettings(1, 1e-3),
        "plain": StageSettings(2, 1e-3),
    }
    examples = _examples(**stages, whole=StageSettings(1, 1e-3))

    def alone(epoch: int) -> bool:
        return all(_left_alone(examples.make(epoch, place, place).picture, place) for place in range(12))

    assert [alone(epoch) for epoch in range(5)] == [False, False, True, True, False]


def test_a_tumor_without_a_box_teaches_by_its_label_alone() -> None:
    made = _examples(imitate=NO_LOOKS).make(0, 0, 0)
    assert (made.label, made.weight) == (1, 1)
    assert not made.cell_weights.any()


@pytest.mark.parametrize("row", [2, 4, 8])
def test_cells_lie_on_the_lesion_wherever_it_went(row: int) -> None:
    """Drawn lesions are the brightest of their head: the cells must be brighter than the rest."""
    examples = _examples(augment=LIVELY, imitate=NO_LOOKS, moves=STILL)
    wins = []
    for place in range(25):
        made = examples.make(0, place, row)
        if made.label and made.cells.any():
            light = made.picture[..., 0].reshape(GRID, SIDE // GRID, GRID, SIDE // GRID).mean(axis=(1, 3))
            empty = (made.cells == 0) & (made.cell_weights > 0) & (light > 10)
            wins.append(light[made.cells > 0].mean() > light[empty].mean())
    assert len(wins) > 15
    assert np.mean(wins) > 0.9


def test_hidden_lesions_make_empty_pictures() -> None:
    hidden = _examples(augment=NO_LOTS, imitate=NO_LOOKS, moves=replace(STILL, hidden=1.0))
    kept = _examples(augment=NO_LOTS, imitate=NO_LOOKS, moves=STILL)
    covered = 0
    for row in (2, 4, 8, 10):
        made, plain = hidden.make(0, 0, row), kept.make(0, 0, row)
        if made.label == 0:
            covered += 1
            assert made.weight == 1
            assert not made.cells.any()
            assert (made.cell_weights == 0).any(), "cells of the hidden lesion are ignored"
            assert not np.array_equal(made.picture, plain.picture)
        else:  # it reaches the midline
            assert np.array_equal(made.picture, plain.picture)
    assert covered


def test_a_plane_without_two_sides_is_not_mirrored_over() -> None:
    sagittal = [replace(source, plane="sagittal") for source in SOURCES]
    examples = _examples(sagittal, augment=NO_LOTS, imitate=NO_LOOKS, moves=replace(STILL, hidden=1.0))
    assert all(examples.make(0, 0, row).label == 1 for row in (2, 4, 8, 10))


def test_moved_lesions_make_tumors_and_decoys_do_not() -> None:
    plain = [np.array_equal(PICTURES[row], _examples().plain(row).picture) for row in (1, 3, 5)]
    assert all(plain)
    for moves, label in ((replace(STILL, moved=1.0), 1), (replace(STILL, decoy=1.0), 0)):
        examples = _examples(augment=NO_LOTS, imitate=NO_LOOKS, moves=moves)
        made = [(examples.make(0, place, row), row) for row in (1, 3, 5) for place in range(6)]
        changed = [one for one, row in made if not np.array_equal(one.picture, PICTURES[row])]
        assert len(changed) > 9
        assert all(one.label == label and one.weight == 1 for one in changed)
        assert all(one.cells.any() == bool(label) for one in changed)
    unboxed = [replace(source, box=None) for source in SOURCES]
    still = _examples(unboxed, augment=NO_LOTS, imitate=NO_LOOKS, moves=replace(STILL, moved=1.0))
    assert all(still.make(0, 0, row).label == 0 for row in (1, 3, 5))


def test_the_labels_of_a_source_of_one_class_do_not_count() -> None:
    mixed = [replace(source, name=source.label if i < 6 else "both") for i, source in enumerate(SOURCES)]
    examples = _examples(mixed, augment=NO_LOTS, imitate=NO_LOOKS, moves=STILL)
    weights = [examples.make(0, 0, row).weight for row in range(12)]
    assert weights == [0] * 6 + [1] * 6
    assert examples.make(0, 0, 2).cell_weights.any()
    assert examples.make(0, 0, 3).cell_weights.all()


def test_a_lesion_that_a_crop_leaves_out_makes_an_empty_picture() -> None:
    corner = [Source("tumor", "s", (0.01, 0.01, 0.06, 0.06), ""), Source("no_tumor", "s", None, "")]
    far = AugmentSettings(flip=0, rotation=0, zoom=0, brightness=0, contrast=0, shift=0.5, fill="black")
    examples = _examples(corner, augment=far, imitate=NO_LOOKS, moves=STILL)
    labels = Counter((one.label, one.weight) for one in (examples.make(0, i, 0) for i in range(60)))
    assert labels[0.0, 1.0] > 20
    assert labels[1.0, 1.0] > 5


@pytest.mark.parametrize("side", [64, 320])
def test_the_smallest_lesion_is_still_a_tumor(side: int) -> None:
    pictures = np.full((1, side, side, 3), 80, np.uint8)
    for box in ((0.5, 0.5, 0.2 / side, 0.2 / side), (0.5 - 0.1 / side, 0.3, 0.3 / side, 0.1)):
        sources = [Source("tumor", "s", box, "")]
        made = Examples(pictures, sources, GRID, NO_LOTS, EvidenceSettings(pictures=2)).plain(0)
        assert (made.label, made.weight, made.cells.sum()) == (1, 1, 1)
