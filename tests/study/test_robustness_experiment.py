"""The robustness experiment on phantoms and a bundle with fresh weights."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tumorscan.app.cli import main
from tumorscan.data.catalog import build_catalog
from tumorscan.data.corrupt import CORRUPTIONS, STRENGTHS
from tumorscan.data.phantom import write_phantoms
from tumorscan.data.records import Record
from tumorscan.errors import DataError, SettingsError
from tumorscan.evaluate.robustness import MEAN
from tumorscan.model.bundle import read_bundle
from tumorscan.study import robustness
from tumorscan.study.opened import Trial, drawn
from tumorscan.study.robustness import measure_robustness

FEW = ("blur", "resaving", "crop")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("drawn"), 8, 5, size=64)


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "run" / "bundle"))


@pytest.mark.slow
def test_every_form_is_scored_once_and_reported(
    bundle: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = measure_robustness(Trial(bundle, [table]), names=FEW, most=4)
    folder = bundle.resolve().parent / "robustness" / "phantoms"
    assert result.folder == folder
    assert {"report.html", "metrics.json", "curves.png", "examples.png"} <= {p.name for p in folder.iterdir()}
    metrics = json.loads((folder / "metrics.json").read_text())
    assert list(metrics["curves"]) == [*FEW, MEAN]
    assert all(len(rows) == STRENGTHS + 1 for rows in metrics["curves"].values())
    assert metrics["pictures"] == 4
    assert "data:image/png" in (folder / "report.html").read_text()
    assert list(read_bundle(bundle).manifest.looks.values()) == [1]

    (scores,) = folder.glob("scores-*.jsonl")
    lines = scores.read_text().splitlines(keepends=True)
    scores.write_text("".join(lines[:-1]) + lines[-1][:40])  # a kill in the middle of a line
    asked: list[str] = []
    forms = robustness._forms

    def counted(detector: object, record: Record, **more: object) -> object:
        asked.append(record.pixels_sha256)
        return forms(detector, record, **more)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(robustness, "_forms", counted)
    again = measure_robustness(Trial(bundle, [table]), names=FEW, most=4)
    assert asked == [json.loads(lines[-1])["pixels"]]
    assert [one.to_table() for one in again.curves] == [one.to_table() for one in result.curves]
    assert scores.read_text().splitlines(keepends=True) == lines


@pytest.mark.slow
def test_the_command_prints_a_row_a_corruption(
    bundle: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["experiment", "robustness", bundle, "--sets", table, "--most", 4, "--only", "blur", "crop"]
    assert main([str(one) for one in arguments]) == 0
    out = capsys.readouterr().out
    assert "NOT CHECKED FOR LEAKS" in out
    assert [line.split("  ")[1] for line in out.splitlines() if line.startswith(("  blur", "  crop"))] == [
        "blur",
        "crop",
    ]


def test_tumors_alone_have_no_column_of_specificity(
    bundle: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--sets", table, "--where", "label=tumor", "--most", 2, "--only", "blur"]
    assert main(["experiment", "robustness", str(bundle), *map(str, arguments)]) == 0
    (head,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("strength 1 to")]
    assert head.split()[-1] == "sensitivity"


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        ({"names": ["snow"]}, SettingsError, "no corruption 'snow'"),
        ({"most": 1}, SettingsError, "--most 1"),
    ],
)
def test_refusals(
    bundle: Path, table: Path, more: dict[str, object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        measure_robustness(Trial(bundle, [table]), **more)  # type: ignore[arg-type]  # a table of cases


def test_a_column_that_is_not_there_is_refused(bundle: Path, table: Path) -> None:
    with pytest.raises(DataError, match="no column 'fold'"):
        measure_robustness(Trial(bundle, [table], where={"fold": "9"}))


def test_all_corruptions_are_tried_unless_some_are_named() -> None:
    assert robustness._chosen(()) == tuple(CORRUPTIONS)
    assert robustness._chosen(["crop", "blur"]) == ("blur", "crop")


def test_no_sets_are_refused(bundle: Path) -> None:
    with pytest.raises(SettingsError, match="no set is named"):
        measure_robustness(Trial(bundle, []))


def test_scores_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores-1.jsonl"
    path.write_text('{"pixels": "a"}\n')
    with pytest.raises(DataError, match="line 1: no scores: delete the file"):
        robustness._read_scores(path)


@pytest.fixture(scope="module")
def records(table: Path) -> tuple[Record, ...]:
    found = build_catalog([table], near=False).records
    return tuple(replace(one, source=f"hospital{i % 2}") for i, one in enumerate(found))


@pytest.mark.parametrize(("most", "tumors", "others"), [(2, 1, 1), (4, 2, 2), (7, 4, 3), (100, 4, 4)])
def test_the_draw_takes_both_classes(
    records: tuple[Record, ...], most: int, tumors: int, others: int
) -> None:
    taken = drawn(records, most, 1)
    assert Counter(one.label for one in taken) == {"tumor": tumors, "no_tumor": others}
    assert len(set(taken)) == len(taken)
    assert taken == drawn(records[::-1], most, 1)


def test_the_draw_fills_up_with_the_larger_class(records: tuple[Record, ...]) -> None:
    few = [one for one in records if one.label == "no_tumor"][:1]
    many = [one for one in records if one.label == "tumor"]
    assert Counter(one.label for one in drawn([*few, *many], 4, 1)) == {"tumor": 3, "no_tumor": 1}
    assert Counter(one.label for one in drawn(many, 3, 1)) == {"tumor": 3}


def test_sources_take_turns(records: tuple[Record, ...]) -> None:
    tumors = [replace(one, source="rare" if i == 3 else "common") for i, one in enumerate(records)]
    for seed in range(5):
        assert {one.source for one in drawn([replace(one, label="tumor") for one in tumors], 2, seed)} == {
            "rare",
            "common",
        }
