from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscan.errors import DataError
from tumorscan.evaluate.abstention import abstention_section, answered, is_correct
from tumorscan.types import Verdict

YES, NO, UNSAID = Verdict.TUMOR, Verdict.NO_TUMOR, Verdict.CANNOT_SAY


def test_shares_by_hand():
    found = answered([1, 1, 1, 1, 0, 0], [YES, YES, NO, UNSAID, NO, YES], list("abcdef"))
    values = {name: figure.value for name, figure in found.figures.items()}
    assert values == pytest.approx(
        {"cannot_say": 1 / 6, "accuracy": 3 / 5, "missed": 1 / 4, "false_alarms": 1 / 2}
    )
    assert (found.n, found.said) == (6, 5)
    assert {name: one.value for name, one in found.over_groups.items()} == pytest.approx(values)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([YES, NO, UNSAID])), min_size=1, max_size=20))
def test_what_is_said_is_right_or_wrong(rows):
    labels, verdicts = [int(label) for label, _ in rows], [said for _, said in rows]
    found = answered(labels, verdicts, np.arange(len(rows)))
    right = [is_correct(said, "tumor" if label else "no_tumor") for label, said in rows]
    assert found.said == sum(one is not None for one in right)
    if found.said:
        assert found.figures["accuracy"].value == pytest.approx(right.count(True) / found.said)
    json.dumps(found.to_table(), allow_nan=False)


def test_nothing_said_is_undefined_and_not_wrong():
    found = answered([1, 0], [UNSAID, UNSAID], ["a", "b"])
    assert np.isnan(found.figures["accuracy"].value)
    assert found.figures["missed"].value == 0
    assert found.to_table()["figures"]["accuracy"]["value"] is None


def test_tumors_alone_have_no_false_alarms_to_speak_of():
    lines = answered([1, 1], [YES, YES], ["a", "b"]).lines()
    assert [line.split()[-1] for line in lines if line.startswith("Others")] == ["undefined"]
    assert not any("nan" in line for line in lines)


def test_a_patient_is_drawn_whole():
    labels, groups = np.ones(60, int), np.repeat(np.arange(6), 10)
    verdicts = [UNSAID if group < 2 else YES for group in groups]
    found = answered(labels, verdicts, groups, unit="patients")
    exact, drawn = found.figures["cannot_say"], found.over_groups["cannot_say"]
    assert drawn.high - drawn.low > 1.5 * (exact.high - exact.low)
    assert "patients" in drawn.method


def test_the_section_has_a_row_a_part():
    one = answered([1, 0], [YES, UNSAID], ["a", "b"])
    section = abstention_section({"All pictures": one, "somewhere": one})
    assert [len(block.rows) for block in section.blocks[1:]] == [2, 2]
    assert "CANNOT SAY - please review" in section.blocks[0].text


@pytest.mark.parametrize(
    ("labels", "verdicts", "groups", "message"),
    [
        ([], [], [], "labels have the shape"),
        ([1, 2], [YES, NO], ["a", "b"], "labels hold 2"),
        ([1, 0], [YES], ["a", "b"], "1 verdicts and 2 groups for 2 labels"),
        ([1, 0], [YES, NO], ["a"], "2 verdicts and 1 groups for 2 labels"),
    ],
)
def test_refusals(labels, verdicts, groups, message):
    with pytest.raises(DataError, match=message):
        answered(labels, verdicts, groups)
