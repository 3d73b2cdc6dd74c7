from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscan.config import PhaseSettings
from tumorscan.model.schedule import Epoch, best_epoch, next_rate, should_stop


def history(*val_auc: float, val_loss: float = 0.5) -> list[Epoch]:
    return [Epoch("p", i, 1e-3, 0.5, 0.5, 0.5, val_loss, 0.5, auc) for i, auc in enumerate(val_auc)]


SETTINGS = PhaseSettings(epochs=10, rate=1e-3, patience=3, plateau=2)


@pytest.mark.parametrize(
    ("auc", "stops"),
    [
        ([], False),
        ([0.5], False),
        ([0.9, 0.8, 0.8], False),
        ([0.9, 0.8, 0.8, 0.8], True),  # three epochs without a better one
        ([0.9, 0.8, 0.8, 0.95], False),
        ([0.5 + i / 100 for i in range(10)], True),  # all epochs done
    ],
)
def test_stop(auc, stops):
    assert should_stop(history(*auc), SETTINGS) is stops


def test_a_phase_of_no_epochs_is_over_at_once():
    assert should_stop([], PhaseSettings(epochs=0, rate=1.0))


@pytest.mark.parametrize(
    ("auc", "rate"),
    [
        ([], 1e-3),
        ([0.9], 1e-3),
        ([0.9, 0.8], 1e-3),
        ([0.9, 0.8, 0.8], 5e-4),
        ([0.9, 0.8, 0.95, 0.9], 1e-3),
        ([0.9, 0.8, 0.8, 0.8, 0.8], 2.5e-4),
    ],
)
def test_rate_is_halved_on_plateaus(auc, rate):
    assert next_rate(history(*auc), SETTINGS) == pytest.approx(rate)


def test_ties_go_to_the_lower_loss_then_to_the_earlier():
    rows = history(0.9, 0.9, 0.9)
    lower = Epoch("p", 3, 1e-3, 0.5, 0.5, 0.5, 0.4, 0.5, 0.9)
    assert best_epoch([*rows, lower]) is lower
    assert best_epoch(rows) is rows[0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_rate_never_rises_and_the_best_is_the_highest(auc):
    rows = history(*auc)
    rates = [next_rate(rows[:i], SETTINGS) for i in range(len(rows) + 1)]
    assert rates == sorted(rates, reverse=True)
    assert round(best_epoch(rows).val_auc, 4) == max(round(a, 4) for a in auc)
