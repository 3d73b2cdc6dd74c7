from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tumorscan.detect.peak import peak_of


@given(
    arrays(
        np.float32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.floats(-20, 20, width=32)
    )
)
def test_it_stays_in_the_strongest_cell(evidence):
    rows, columns = evidence.shape
    row, column = divmod(int(evidence.argmax()), columns)
    down, across = peak_of(evidence)
    assert row - 1e-6 <= down * rows <= row + 1 + 1e-6
    assert column - 1e-6 <= across * columns <= column + 1 + 1e-6


@given(st.floats(2, 12), st.floats(2, 12), st.floats(0.1, 5))
def test_the_top_of_a_paraboloid_is_found_wherever_it_lies_in_its_cell(row, column, steep):
    down, across = np.indices((14, 14)) + 0.5
    hill = (-steep * ((down - row) ** 2 + (across - column) ** 2)).astype(np.float32)
    assert peak_of(hill) == pytest.approx((row / 14, column / 14), abs=1e-3)


@given(arrays(np.float32, (5, 7), elements=st.floats(-20, 20, width=32), unique=True))
def test_a_mirrored_map_has_a_mirrored_peak(evidence):
    down, across = peak_of(evidence)
    assert peak_of(evidence[:, ::-1]) == pytest.approx((down, 1 - across), abs=1e-6)


@pytest.mark.parametrize("at", [(0, 0), (0, 6), (4, 0), (4, 6), (2, 3)])
def test_a_lone_cell_and_one_at_the_edge_give_their_middle(at):
    evidence = np.zeros((5, 7), np.float32)
    evidence[at] = 1
    assert peak_of(evidence) == pytest.approx(((at[0] + 0.5) / 5, (at[1] + 0.5) / 7))
