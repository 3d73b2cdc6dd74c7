"""The volume's benchmark at its smallest: every stage is in the table, and a busy machine is not judged."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

pytest.importorskip("pydicom")


@pytest.mark.slow
def test_every_stage_is_in_the_table(tmp_path: Path, tiny_bundle: Path) -> None:
    import volume

    from tumorscan.data.phantom_study import write_study

    study = write_study(tmp_path / "head", seed=1, slices=4, size=96)
    spent = volume._stages(tiny_bundle, study, 1)
    table = volume._table(spent, argparse.Namespace(slices=4, turns=1), load=0.0)
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:-2]] == [
        "read 4 files",
        "all slices, one finding",
        "explain the key slice",
        "`tumorscan predict STUDY`, cold",
    ]


@pytest.mark.parametrize(
    ("clock", "load", "says"),
    [(9.0, 0.5, "met"), (16.0, 0.5, "**missed**"), (60.0, 99.0, "not judged at this load")],
)
def test_a_busy_machine_is_not_judged(clock: float, load: float, says: str) -> None:
    import volume

    assert says in volume._judged(clock, 12.0, load)
