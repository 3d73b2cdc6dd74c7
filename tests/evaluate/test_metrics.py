"""Every figure against scikit-learn, under changes that must not matter, and where it is undefined."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.errors import DataError, SettingsError
from tumorscan.evaluate.metrics import PROPORTIONS, evaluate

FIGURES = [
    *("accuracy", "sensitivity", "specificity", "precision", "f1", "roc_auc"),
    *("average_precision", "brier", "ece", "log_loss"),
]


@st.composite
def predicted(draw):
    size = draw(st.integers(1, 60))
    labels = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    # Steps of 1/16 make ties and are exact in binary.
    steps = draw(st.lists(st.integers(0, 16), min_size=size, max_size=size))
    threshold = draw(st.integers(0, 16)) / 16
    return np.array(labels), np.array(steps) / 16, threshold


def values(labels, probabilities, threshold, **others):
    found = evaluate(labels, probabilities, threshold=threshold, resamples=100, **others)
    return {name: figure.value for name, figure in found.figures.items()}


@settings(max_examples=60, deadline=None)
@given(predicted())
def test_figures_agree_with_scikit_learn(case):
    from sklearn import metrics

    labels, probabilities, threshold = case
    found = values(labels, probabilities, threshold)
    said = (probabilities >= threshold).astype(int)
    both = 0 < labels.sum() < labels.size
    expected = {
        "accuracy": metrics.accuracy_score(labels, said),
        "sensitivity": metrics.recall_score(labels, said, zero_division=np.nan),
        "specificity": metrics.recall_score(labels, said, pos_label=0, zero_division=np.nan),
        "precision": metrics.precision_score(labels, said, zero_division=np.nan),
        "f1": metrics.f1_score(labels, said, zero_division=np.nan),
        "roc_auc": metrics.roc_auc_score(labels, probabilities) if both else np.nan,
        "average_precision": metrics.average_precision_score(labels, probabilities)
        if labels.sum()
        else np.nan,
        "brier": metrics.brier_score_loss(labels, probabilities, pos_label=1),
        "log_loss": metrics.log_loss(labels, probabilities, labels=[0, 1]),
    }
    assert list(found) == FIGURES
    assert {name: found[name] for name in expected} == pytest.approx(expected, nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(predicted())
def test_curves_agree_with_scikit_learn(case):
    from sklearn import metrics

    labels, probabilities, threshold = case
    curves = evaluate(labels, probabilities, threshold=threshold, resamples=100).curves
    if 0 < labels.sum() < labels.size:
        fall, hit, cuts = metrics.roc_curve(labels, probabilities, drop_intermediate=False)
        assert curves.roc.false_alarms == pytest.approx(fall)
        assert curves.roc.sensitivity == pytest.approx(hit)
        assert curves.roc.thresholds[1:] == pytest.approx(cuts[1:])
        precision, recall, _ = metrics.precision_recall_curve(labels, probabilities)
        assert curves.precision_recall.recall == pytest.approx(recall[-2::-1])
        assert curves.precision_recall.precision == pytest.approx(precision[-2::-1])
    assert sum(step.count for step in curves.reliability) == labels.size
    assert curves.histogram.tumors.sum() == labels.sum()
    assert curves.histogram.others.sum() == labels.size - labels.sum()
    assert curves.risk_coverage.coverage[-1] == 1
    wrong = ((probabilities >= threshold) != labels).mean()
    assert curves.risk_coverage.risk[-1] == pytest.approx(wrong)


@settings(max_examples=30, deadline=None)
@given(predicted(), st.randoms())
def test_the_order_of_pictures_plays_no_part(case, random):
    labels, probabilities, threshold = case
    order = list(range(labels.size))
    random.shuffle(order)
    groups = np.arange(labels.size) // 2
    one = evaluate(labels, probabilities, threshold=threshold, groups=groups, resamples=100)
    two = evaluate(
        labels[order], probabilities[order], threshold=threshold, groups=groups[order], resamples=100
    )
    assert one.counts == two.counts
    for name in FIGURES:
        bounds = [(f.value, f.low, f.high) for f in (one.figures[name], two.figures[name])]
        assert bounds[0] == pytest.approx(bounds[1], nan_ok=True, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(predicted())
def test_a_mirror_of_labels_and_scores_swaps_sensitivity_and_specificity(case):
    labels, probabilities, threshold = case
    # Off the steps, so that no score lies on the threshold: the mirror turns "at or above" round.
    threshold = min(threshold, 15 / 16) + 1 / 32
    found = values(labels, probabilities, threshold)
    mirror = values(1 - labels, 1 - probabilities, 1 - threshold)
    assert found["sensitivity"] == pytest.approx(mirror["specificity"], nan_ok=True)
    assert found["specificity"] == pytest.approx(mirror["sensitivity"], nan_ok=True)
    for name in ("accuracy", "roc_auc", "brier", "log_loss"):
        assert found[name] == pytest.approx(mirror[name], nan_ok=True), name


@settings(max_examples=30, deadline=None)
@given(predicted())
def test_only_labels_flipped_turns_sensitivity_into_false_alarms(case):
    labels, probabilities, threshold = case
    found, flipped = (values(truth, probabilities, threshold) for truth in (labels, 1 - labels))
    assert found["sensitivity"] == pytest.approx(1 - flipped["specificity"], nan_ok=True)
    assert found["roc_auc"] == pytest.approx(1 - flipped["roc_auc"], nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(predicted())
def test_ranks_are_all_that_an_area_sees(case):
    labels, probabilities, threshold = case
    found, bent = (values(labels, p, threshold) for p in (probabilities, probabilities**3 / 2))
    assert found["roc_auc"] == pytest.approx(bent["roc_auc"], nan_ok=True)
    assert found["average_precision"] == pytest.approx(bent["average_precision"], nan_ok=True)


def test_the_calibration_error_by_hand():
    # Two bins of ten: 0.2 said and 0.4 found; 0.9 said and 0.8 found.
    labels = [1] * 4 + [0] * 6 + [1] * 8 + [0] * 2
    found = evaluate(labels, [0.2] * 10 + [0.9] * 10, threshold=0.5)
    assert found.bins == 2
    assert found.figures["ece"].value == pytest.approx((0.2 + 0.1) / 2)
    assert [(b.probability, b.share.value, b.count) for b in found.curves.reliability] == [
        (pytest.approx(0.2), pytest.approx(0.4), 10),
        (pytest.approx(0.9), pytest.approx(0.8), 10),
    ]


def test_the_least_certain_are_left_unsaid_first():
    # At 0.3 the nearest in logits is 0.35, which is wrong; then 0.2.
    curve = evaluate([0, 1, 0, 1], [0.35, 0.2, 0.01, 0.99], threshold=0.3).curves.risk_coverage
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert curve.risk == pytest.approx([0, 0, 1 / 3, 1 / 2])


def test_a_group_of_copies_widens_the_bootstrap_but_not_the_binomial(rng):
    labels, probabilities = rng.integers(0, 2, 40), rng.random(40)
    groups = np.arange(40)
    once = evaluate(labels, probabilities, threshold=0.5, groups=groups)
    thrice = evaluate(
        *(np.repeat(c, 3) for c in (labels, probabilities)), threshold=0.5, groups=groups.repeat(3)
    )
    assert (thrice.n, thrice.n_groups) == (120, 40)
    for name in PROPORTIONS:
        one, three = once.alternatives[name], thrice.alternatives[name]
        assert (one.low, one.high) == pytest.approx((three.low, three.high))
        exact, tight = once.figures[name], thrice.figures[name]
        assert tight.high - tight.low < 0.75 * (exact.high - exact.low)
    assert once.figures["roc_auc"].low == pytest.approx(thrice.figures["roc_auc"].low)


@pytest.mark.parametrize(
    ("labels", "undefined"),
    [
        ([1] * 12, {"specificity", "roc_auc"}),
        ([0] * 12, {"sensitivity", "roc_auc", "average_precision"}),
        ([1], {"specificity", "roc_auc"}),
    ],
)
def test_one_class_is_undefined_in_silence(labels, undefined):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = evaluate(labels, np.linspace(0.1, 0.9, len(labels)), threshold=0.5)
        table = json.dumps(found.to_table(), allow_nan=False)
    assert {name for name, figure in found.figures.items() if np.isnan(figure.value)} - {
        "precision",
        "f1",
    } == undefined
    assert json.loads(table)["figures"]["roc_auc"]["value"] is None
    assert found.curves.roc.band_low.size == 0


def test_a_perfect_area_is_measured_in_groups():
    found = evaluate([0] * 8 + [1] * 8, [0.1] * 8 + [0.9] * 8, threshold=0.5, groups=np.arange(16) // 4)
    area = found.figures["roc_auc"]
    assert (area.value, area.high) == (1, 1)
    # Two groups a class say little, however many pictures they hold.
    assert area.low < 0.5
    assert "counting groups" in area.method


def test_the_table_holds_everything_in_plain_values(rng):
    found = evaluate(rng.integers(0, 2, 30), rng.random(30), threshold=0.4)
    table = json.loads(json.dumps(found.to_table(), allow_nan=False))
    assert list(table["figures"]) == FIGURES
    assert table["figures"]["accuracy"]["method"] == "exact binomial"
    assert sum(table["counts"].values()) == table["n"] == 30
    assert table["threshold"] == 0.4
    assert table["curves"]["roc"]["thresholds"][0] is None
    assert len(table["curves"]["roc"]["band_low"]) == 101


def test_the_band_holds_the_curve(rng):
    labels = rng.integers(0, 2, 200)
    roc = evaluate(labels, np.clip(labels * 0.2 + rng.random(200) * 0.8, 0, 1), threshold=0.4).curves.roc
    curve = np.interp(roc.band_false_alarms, roc.false_alarms, roc.sensitivity)
    assert ((roc.band_low <= curve + 1e-9) & (curve <= roc.band_high + 1e-9)).all()
    assert 0.05 < (roc.band_high - roc.band_low).mean() < 0.4


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"labels": [0, 1, 3]}, DataError, "labels hold 3"),
        ({"labels": ["0", "1", "1"]}, DataError, "labels hold 0: each must be 0"),
        ({"labels": [[0, 1, 1]]}, DataError, r"labels have the shape \(1, 3\)"),
        ({"probabilities": [0.1, 0.2]}, DataError, r"probabilities have the shape \(2,\) for 3 labels"),
        ({"probabilities": [0.1, 0.2, 1.2]}, DataError, r"probabilities reach from 0.1 to 1.2"),
        ({"probabilities": [0.1, np.nan, 1]}, DataError, "probabilities are not finite at picture 1"),
        ({"groups": ["a"]}, DataError, r"groups have the shape \(1,\) for 3 labels"),
        ({"threshold": 1.5}, SettingsError, "threshold is 1.5"),
        ({"threshold": np.nan}, SettingsError, "threshold is nan"),
        ({"bins": 0}, SettingsError, "bins is 0"),
        ({"resamples": 10}, SettingsError, "resamples is 10"),
        ({"level": 1.0}, SettingsError, "level is 1.0"),
    ],
)
def test_evaluate_refuses(change, kind, message):
    arguments = {"labels": [0, 1, 1], "probabilities": [0.1, 0.5, 0.9], "threshold": 0.5} | change
    with pytest.raises(kind, match=message):
        evaluate(arguments.pop("labels"), arguments.pop("probabilities"), **arguments)
