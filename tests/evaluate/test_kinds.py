"""Figures of telling kinds apart, against a case small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tumorscan.errors import DataError
from tumorscan.evaluate.kinds import kind_figures, kind_title, pooled_by_patient

NAMES = ("a", "b")
# p1 is right on two of three slices, p2 and p3 on all, p4 on none.
P = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3], [0.8, 0.2]])
KINDS = np.array([0, 0, 0, 1, 0, 1])
PATIENTS = np.array(["p1", "p1", "p1", "p2", "p3", "p4"])


def test_slices_and_patients_are_counted_apart():
    found = kind_figures(P, KINDS, PATIENTS, NAMES)
    value = {name: one.value for name, one in found.figures.items()}
    assert (found.slices, found.patients) == (6, 4)
    assert value["slice_accuracy"] == pytest.approx(4 / 6)
    assert value["patient_accuracy"] == pytest.approx(3 / 4)
    assert value["slice_recall a"] == pytest.approx(3 / 4)
    assert value["patient_recall a"] == 1
    assert value["patient_recall b"] == pytest.approx(1 / 2)
    assert found.confusion == ((3, 1), (1, 1))
    assert "slice_said" not in value


def test_all_right_has_an_exact_interval_over_patients():
    figure = kind_figures(P, KINDS, PATIENTS, NAMES).figures["patient_recall a"]
    assert (figure.value, figure.high) == (1, 1)
    assert figure.low == pytest.approx(0.025 ** (1 / 2))
    assert "exact" in figure.method


def test_what_is_told_is_a_share_and_has_an_accuracy():
    told = {"p1": True, "p2": True, "p3": False, "p4": False}
    found = kind_figures(
        P, KINDS, PATIENTS, NAMES, said=np.array([True, True, False, True, False, False]), patient_said=told
    )
    value = {name: one.value for name, one in found.figures.items()}
    assert value["slice_said"] == pytest.approx(1 / 2)
    assert value["slice_said_accuracy"] == 1
    assert value["patient_said"] == pytest.approx(1 / 2)
    assert value["patient_said_accuracy"] == 1
    assert len(found.lines()) == len(value)
    assert found.to_table()["figures"]["slice_said"]["value"] == pytest.approx(1 / 2)


def test_a_patient_is_the_mean_of_its_slices_logs():
    pooled = pooled_by_patient(P, PATIENTS)
    assert sorted(pooled) == ["p1", "p2", "p3", "p4"]
    assert all(one.sum() == pytest.approx(1) for one in pooled.values())
    assert pooled["p1"][0] / pooled["p1"][1] == pytest.approx((9 * 9 * 4 / 6) ** (1 / 3))


def test_the_order_of_the_slices_plays_no_part():
    order = np.random.default_rng(1).permutation(len(KINDS))
    one = kind_figures(P, KINDS, PATIENTS, NAMES)
    other = kind_figures(P[order], KINDS[order], PATIENTS[order], NAMES)
    assert one.confusion == other.confusion
    for name, figure in one.figures.items():
        assert other.figures[name].value == pytest.approx(figure.value)


def test_titles_read_as_text():
    assert kind_title("slice_recall glioma") == "recall glioma, slices"
    assert kind_title("patient_said") == "told, not unsure, patients"


@pytest.mark.parametrize(
    "cut", [(P[:, :1], KINDS, PATIENTS), (P, KINDS[:-1], PATIENTS), (P, KINDS, PATIENTS[1:])]
)
def test_shapes_that_do_not_fit(cut):
    with pytest.raises(DataError, match="do not fit"):
        kind_figures(*cut, NAMES)
