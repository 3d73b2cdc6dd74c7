from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.errors import DataError, SettingsError
from tumorscan.evaluate import blocks
from tumorscan.evaluate.controls import (
    METADATA,
    RIM,
    SHUFFLED,
    STATISTICS,
    Controls,
    controls_from,
    measure_controls,
    out_of_fold,
    shuffle_labels,
)
from tumorscan.types import Interval

N = 120
LABELS = np.arange(N) % 2
GROUPS = np.array([f"g{i // 4}{i % 2}" for i in range(N)])


@pytest.fixture(scope="module")
def planted() -> Controls:
    """The file gives the class away in part, statistics and rim know nothing."""
    rng = np.random.default_rng(3)
    return measure_controls(
        LABELS,
        GROUPS,
        metadata=(LABELS + rng.normal(0, 0.7, N))[:, None],
        statistics=rng.normal(size=(N, 10)),
        rim=rng.normal(size=(N, 30)),
        repeats=1,
        shuffles=8,
    )


def test_what_is_planted_is_found(planted: Controls) -> None:
    assert 0.7 < planted.aucs[METADATA].value < 0.95
    for name in (STATISTICS, RIM):
        assert planted.aucs[name].low < 0.5 < planted.aucs[name].high
    assert planted.strongest[1].value >= planted.aucs[METADATA].value
    assert planted.sound
    assert planted.aucs[SHUFFLED].method == "spread of 8 permutations"
    assert (planted.n, planted.n_groups, planted.folds) == (N, 60, 5)


def test_table_round_trip(planted: Controls) -> None:
    table = json.loads(json.dumps(planted.to_table(), allow_nan=False))
    again = controls_from(table)
    assert again.to_table() == planted.to_table()
    assert again.aucs[METADATA] == planted.aucs[METADATA]


def test_a_group_is_never_on_both_sides() -> None:
    """A feature that names the group is worth nothing when the group was not seen."""
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.permutation([0, 1] * 20), 5)
    groups = np.repeat(np.arange(40), 5).astype(str)
    name_of_group = np.repeat(rng.normal(size=(40, 3)), 5, axis=0)
    grouped = out_of_fold(name_of_group, labels, groups, "forest")
    alone = out_of_fold(name_of_group, labels, np.arange(200).astype(str), "forest")
    assert np.mean((alone > 0.5) == labels) > 0.95
    assert np.mean((grouped > 0.5) == labels) < 0.75


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), min_size=1, max_size=30), st.integers(0, 99))
def test_shuffled_labels_keep_to_the_groups(rows: list[tuple[int, int]], seed: int) -> None:
    groups = np.array([f"g{group}" for group, _ in rows])
    labels = np.array([label for _, label in rows])
    moved = shuffle_labels(labels, groups, np.random.default_rng(seed))
    before = sorted(np.mean(labels[groups == name]) for name in np.unique(groups))
    after = sorted(np.mean(moved[groups == name]) for name in np.unique(groups))
    assert before == after, "as many groups of each class, and mixed groups as mixed as before"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": np.zeros(N)}, DataError, "two groups of each class and one class has 0"),
        ({"groups": np.where(LABELS == 1, "one", GROUPS)}, DataError, "one class has 1: add pictures"),
        ({"labels": LABELS[:-1]}, DataError, "for 119 labels|features|groups"),
        (
            {"metadata": np.full((N, 1), np.nan)},
            DataError,
            r"features have the shape \(120, 1\) for 120 labels",
        ),
        ({"seed": -1}, SettingsError, "seed -1, shuffles 20, repeats 3: at least 0, 2 and 1 are needed"),
        ({"shuffles": 1}, SettingsError, "shuffles 1"),
    ],
)
def test_refusals(change: dict[str, object], error: type[Exception], message: str) -> None:
    features = np.random.default_rng(1).normal(size=(N, 3))
    given_ = {
        "labels": LABELS,
        "groups": GROUPS,
        "metadata": features,
        "statistics": features,
        "rim": features,
    }
    given_ |= change
    labels, groups = given_.pop("labels"), given_.pop("groups")
    with pytest.raises(error, match=message):
        measure_controls(labels, groups, **given_)


@pytest.mark.parametrize(
    ("model", "best", "said"),
    [
        (Interval(0.95, 0.92, 0.98, "m"), (0.8, 0.7, 0.9), "interval lies above those of all controls"),
        (Interval(0.93, 0.85, 0.98, "m"), (0.8, 0.7, 0.9), "overlaps that of the strongest control"),
        (Interval(0.75, 0.65, 0.85, "m"), (0.8, 0.7, 0.9), "does no better than that"),
        (
            Interval(np.nan, np.nan, np.nan, "m"),
            (0.55, 0.45, 0.65),
            "No control is clearly better than chance",
        ),
    ],
)
def test_what_they_mean(planted: Controls, model: Interval, best: tuple[float, ...], said: str) -> None:
    aucs = {**dict.fromkeys(planted.aucs, Interval(*best, "m")), SHUFFLED: Interval(0.5, 0.4, 0.6, "m")}
    controls = replace(planted, aucs=aucs)
    assert said in blocks.controls_meaning(controls, ("the model", model))
    broken = replace(controls, aucs={**aucs, SHUFFLED: Interval(0.7, 0.6, 0.8, "m")})
    assert "Shuffled labels do not come out at 0.5" in blocks.controls_meaning(broken)


def test_the_section_has_the_model_first(planted: Controls) -> None:
    section = blocks.controls_section(planted, ("our model", Interval(0.9, 0.8, 0.95, "m")))
    _, table, images = section.blocks
    assert [row[0] for row in table.rows] == ["our model", *planted.aucs]
    assert "our model 0.900 (0.800 to 0.950)" in images.images[0].alt
