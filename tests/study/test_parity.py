from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tumorscan.detect.engine import Engine
from tumorscan.errors import DataError
from tumorscan.study.parity import Parity, compare, scores_of
from tumorscan.types import Calibration, Scores

SAME = Parity("e", 1, 1000, 0.0, 0.0, 0, 0.9, 0.9, 1.0, 1.0)


class Scripted(Engine):
    """Says what its pictures' first pixels say, moved by some amount."""

    name = "scripted"

    def __init__(self, moved: float = 0.0, *, keeps_maps: bool = True) -> None:
        super().__init__(8)
        self.moved = moved
        self.keeps_maps = keeps_maps
        self.batches: list[int] = []

    def _run(self, pictures):
        self.batches.append(len(pictures))
        logits = pictures[:, 0, 0, 0].astype(np.float32) / 32 - 4 + np.float32(self.moved)
        maps = pictures[:, ::4, ::4].astype(np.float32)
        return Scores(logits, maps, maps.mean(axis=(1, 2))) if self.keeps_maps else Scores(logits)


@pytest.fixture
def pictures(rng):
    pictures = rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    pictures[:, 0, 0, 0] = np.arange(20) * 12
    return pictures


def _compare(engine, pictures, labels=None, batch=7):
    labels = np.arange(20) >= 10 if labels is None else labels
    trained = scores_of(Scripted(), pictures, 5)
    return compare(
        engine,
        trained,
        pictures,
        np.asarray(labels, np.int64),
        batch=batch,
        calibration=Calibration("temperature", {"slope": (0.5,)}),
        threshold=0.5,
    )


def test_the_same_network_is_the_same(pictures):
    engine = Scripted()
    found = _compare(engine, pictures)
    assert engine.batches == [7, 7, 6]
    assert (found.largest, found.mean, found.decisions_differ, found.auc_difference) == (0, 0, 0, 0)
    assert found.map_correlation == pytest.approx(1)
    assert found.auc == 1.0
    assert found.inexact() == found.unfaithful() == ""


def test_a_moved_logit_is_counted(pictures):
    found = _compare(Scripted(0.5), pictures)
    assert found.largest == pytest.approx(0.5)
    assert found.mean == pytest.approx(0.5)
    # Logits lie 0.375 apart: one or two of them change sides.
    assert found.decisions_differ == 1
    assert found.auc_difference == 0
    assert "scripted differs by 0.5 in a logit, 0.001 is allowed" in found.inexact()
    assert "scripted changes 1 of 20 decisions, 0.5% are allowed" in found.unfaithful()


def test_one_label_has_no_auc(pictures):
    found = _compare(Scripted(), pictures, labels=np.ones(20))
    assert (found.auc, found.auc_trained, found.auc_difference) == (None, None, 0.0)


def test_flat_maps_correlate_if_they_are_equal(pictures):
    pictures[0, ::4, ::4] = 5
    pictures[0, 0, 0, 0] = 5
    assert _compare(Scripted(), pictures).lowest_map_correlation == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "exact", "faithful"),
    [
        ({}, True, True),
        ({"largest": 1e-3}, True, True),
        ({"largest": 1.1e-3}, False, True),
        ({"largest": 1.0, "decisions_differ": 5}, False, True),
        ({"largest": 1.0, "decisions_differ": 6}, False, False),
        ({"largest": 1.0, "auc": 0.8979}, False, False),
        ({"largest": 1.0, "auc": 0.8985}, False, True),
    ],
)
def test_limits(change, exact, faithful):
    row = replace(SAME, **change)
    assert (row.inexact() == "") is exact
    assert (row.unfaithful() == "") is faithful


def test_an_engine_without_maps(pictures):
    with pytest.raises(DataError, match="the engine scripted gives no map"):
        scores_of(Scripted(keeps_maps=False), pictures, 4)
