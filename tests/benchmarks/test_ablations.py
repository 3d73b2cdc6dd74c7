"""The ablations' arms can be trained, each changes something, and a gain is paired by picture."""

from __future__ import annotations

import pytest

from tumorscan.config import changed, preset
from tumorscan.study.held_out_result import HeldOut


def test_each_arm_changes_one_thing() -> None:
    import ablations

    base = preset("evidence")
    made = [changed(base, arm.changes) for arm in ablations.ARMS]
    assert made[0] == base
    for arm, settings in zip(ablations.ARMS[1:], made[1:], strict=True):
        assert (settings != base) == (not arm.without), arm.name
        assert not arm.without or arm.without in ablations.SOURCES
    assert len({arm.name for arm in ablations.ARMS}) == len(made)


def test_a_gain_is_paired_by_picture() -> None:
    import ablations

    def said(files: list[str], probabilities: list[float]) -> HeldOut:
        labels = [int(file.startswith("tumor")) for file in files]
        return HeldOut(
            files, labels, files, files, probabilities, 0.5, ["NO TUMOR"] * len(files), ["s"] * len(files)
        )

    files = [f"{kind} {i}" for kind in ("tumor", "none") for i in range(6)]
    base = said(files, [0.9, 0.8, 0.7, 0.2, 0.9, 0.3, 0.1, 0.6, 0.2, 0.4, 0.1, 0.5])
    again = said(files[::-1], base.probabilities[::-1])
    assert ablations.gain(again, base).value == 0
    better = said(files, [0.9] * 6 + [0.1] * 6)
    found = ablations.gain(better, base)
    assert 0 < found.value == pytest.approx(6.5 / 36), "six pairs lost and a tie"
    assert found.low <= found.value <= found.high
