"""From outlines of lesions to what the cells should say."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.data.cells import box_mask, cell_targets, oval_mask

BOXES = st.tuples(st.floats(0, 0.95), st.floats(0, 0.95), st.floats(1e-4, 1), st.floats(1e-4, 1)).map(
    lambda b: (b[0], b[1], min(b[2], 1 - b[0]), min(b[3], 1 - b[1]))
)


@settings(max_examples=150)
@given(BOXES, st.sampled_from([64, 96, 101]))
def test_an_oval_lies_in_its_box_and_is_never_empty(box, side: int) -> None:
    oval, around = oval_mask(box, side), box_mask(box, side)
    assert oval.shape == around.shape == (side, side)
    assert oval.any()
    assert around.any()
    outside = oval & ~around
    # A box thinner than a pixel has an oval of half a pixel's reach.
    assert not outside.any() or min(box[2], box[3]) * side < 1
    if min(box[2], box[3]) * side > 20:
        assert 0.7 < oval.sum() / (box[2] * box[3] * side**2) < 0.87  # pi / 4


@settings(max_examples=100)
@given(BOXES, st.sampled_from([(64, 8), (96, 6), (100, 7)]))
def test_every_lesion_has_a_cell(box, sizes: tuple[int, int]) -> None:
    side, grid = sizes
    lesion, around = oval_mask(box, side), box_mask(box, side)
    targets, weights = cell_targets(lesion, around, grid)
    assert targets.shape == weights.shape == (grid, grid)
    assert targets.dtype == weights.dtype == np.float32
    assert set(np.unique(targets)) <= {0, 1}
    assert set(np.unique(weights)) <= {0, 1}
    assert targets.any()
    assert weights[targets > 0].all(), "a tumor's cell is ignored"
    # What counts as empty has next to nothing of the box in it.
    small = (around | lesion).astype(float)
    for row, column in np.argwhere((targets == 0) & (weights > 0)):
        inner = small[
            -(-row * side // grid) : (row + 1) * side // grid,
            -(-column * side // grid) : (column + 1) * side // grid,
        ]
        assert inner.mean() < 0.05


def test_by_hand() -> None:
    lesion, around = np.zeros((2, 64, 64), np.bool_)
    lesion[16:32, 16:24] = True
    around[16:32, 16:40] = True
    targets, weights = cell_targets(lesion, around, 4)
    assert np.argwhere(targets).tolist() == [[1, 1]]  # half of it is covered
    assert np.argwhere(weights == 0).tolist() == [[1, 2]]  # the box reaches half way into the next


def test_nothing_there_is_empty_everywhere() -> None:
    nothing = np.zeros((64, 64), np.bool_)
    targets, weights = cell_targets(nothing, nothing, 4)
    assert not targets.any()
    assert weights.all()
