"""`train --preset evidence` on drawn slices, and what is held out."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.app.cli import main
from tumorscan.config import preset, to_toml
from tumorscan.data.lesions import Lesion
from tumorscan.data.phantom import draw_phantom, write_phantoms
from tumorscan.data.records import Catalog, Record
from tumorscan.data.sources import selected_files
from tumorscan.data.split import PARTS, make_source_split, read_split
from tumorscan.errors import DataError, SettingsError
from tumorscan.study import held_out as module
from tumorscan.study.evidence_fit import described, judged, lesions_of
from tumorscan.study.held_out import folds_of, leave_one_out, run_fits, sources_experiment
from tumorscan.study.held_out_result import HeldOut, row_of, rows_of

EVIDENCE = preset("evidence")


def _record(number: int, label: str, source: str, group: str = "", patient: str = "") -> Record:
    return Record(
        file=Path(f"/pictures/{source}/{number}.png"),
        label=label,
        pixels_sha256=hashlib.sha256(f"{source}{number}".encode()).hexdigest(),
        group=group or f"{source}-{number}",
        source=source,
        patient=patient,
        width=24,
        height=20,
        mode="L",
        format="PNG",
        file_bytes=500,
    )


def _catalog(**sources: tuple[int, int]) -> Catalog:
    """Pictures with and without a tumor, by source."""
    records = [
        _record(i, "tumor" if i < tumor else "no_tumor", name)
        for name, (tumor, empty) in sources.items()
        for i in range(tumor + empty)
    ]
    return Catalog(tuple(records), ())


def test_each_part_has_its_share_of_every_source() -> None:
    split = make_source_split(_catalog(a=(40, 0), b=(0, 60), c=(20, 20)), EVIDENCE.split)
    for name, size in (("a", 40), ("b", 60), ("c", 40)):
        have = {part: sum(r.source == name for r in split.parts[part]) for part in PARTS}
        for part in PARTS:
            assert have[part] == pytest.approx(size * getattr(EVIDENCE.split, part), abs=2)


def test_groups_that_are_held_out_are_the_test() -> None:
    catalog = _catalog(a=(40, 0), b=(0, 60))
    wanted = {"a-3", "b-7", "b-8"}
    split = make_source_split(catalog, EVIDENCE.split, wanted)
    assert {record.group for record in split.parts["test"]} == wanted
    assert len(split.parts["train"]) == pytest.approx(
        97 * (EVIDENCE.split.train + EVIDENCE.split.test), abs=3
    )


def test_a_source_of_few_groups_is_named() -> None:
    with pytest.raises(
        DataError, match=r"source b: 3 groups of pictures, and each of the 4 splits needs one"
    ):
        make_source_split(_catalog(a=(40, 40), b=(0, 3)), EVIDENCE.split)


def test_leave_one_out() -> None:
    catalog = _catalog(a=(30, 0), b=(0, 30), c=(15, 15))
    fits = leave_one_out(catalog, EVIDENCE)
    assert [fit.name for fit in fits] == ["a", "b", "c"]
    for fit in fits:
        assert {record.source for record in fit.split.parts["test"]} == {fit.name}
        assert len(fit.split.parts["test"]) == 30
        for part in ("train", "validation", "calibration"):
            assert fit.name not in {record.source for record in fit.split.parts[part]}
    assert [fit.name for fit in leave_one_out(catalog, EVIDENCE, ["b"])] == ["b"]
    (both,) = leave_one_out(catalog, EVIDENCE, ["a+b"])
    assert {record.source for record in both.split.parts["test"]} == {"a", "b"}
    assert {record.source for record in both.split.parts["train"]} == {"c"}


@pytest.mark.parametrize(
    ("sources", "only", "cause"),
    [
        ({"a": (20, 0), "b": (20, 20)}, ["x"], "there is no source x: the sources are a, b"),
        ({"a": (20, 20)}, [], "there is one source only, a: add another, or leave out the folds of this one"),
        ({"a": (20, 0), "b": (20, 20)}, ["b"], "source b: the other sources hold tumor only"),
        ({"a": (0, 20), "b": (20, 20)}, [], "source b: the other sources hold no_tumor only"),
    ],
)
def test_what_cannot_be_left_out(sources, only, cause) -> None:
    with pytest.raises(DataError, match=cause):
        leave_one_out(_catalog(**sources), EVIDENCE, only)


def test_folds_of_a_source() -> None:
    catalog = _catalog(a=(30, 0), b=(20, 20))
    fits = folds_of(catalog, "b", EVIDENCE, 4)
    assert [fit.name for fit in fits] == [f"b fold {k}" for k in (1, 2, 3, 4)]
    tests = [record for fit in fits for record in fit.split.parts["test"]]
    assert len(tests) == 40
    assert {record.pixels_sha256 for record in tests} == {
        record.pixels_sha256 for record in catalog.records if record.source == "b"
    }
    for fit in fits:
        assert "b" in {record.source for record in fit.split.parts["train"]}


@pytest.mark.parametrize(
    ("source", "folds", "error", "cause"),
    [
        ("x", 4, DataError, "there is no source x"),
        ("a", 4, DataError, "label no_tumor: 0 groups"),
        ("b", 1, SettingsError, "folds is 1"),
    ],
)
def test_what_has_no_folds(source, folds, error, cause) -> None:
    with pytest.raises(error, match=cause):
        folds_of(_catalog(a=(30, 0), b=(20, 20)), source, EVIDENCE, folds)


def test_only_an_evidence_head_is_left_out(tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"the preset quick has no evidence head: give --preset evidence"):
        sources_experiment([tmp_path], preset("quick"), tmp_path / "out")


def _held(labels, probabilities, threshold=0.5) -> HeldOut:
    groups = [f"g{i}" for i in range(len(labels))]
    said = ["TUMOR DETECTED" if p >= 0.7 else "NO TUMOR" if p < 0.2 else "CANNOT SAY" for p in probabilities]
    return HeldOut(groups, labels, groups, groups, probabilities, threshold, said, ["s"] * len(labels))


def test_rows_of_the_table() -> None:
    row = row_of("a", [_held([1, 1, 0, 0], [0.9, 0.4, 0.6, 0.1])])
    assert (row.tumor, row.no_tumor) == (2, 2)
    figures = {name: figure.value for name, figure in row.figures.items()}
    assert figures["AUC"] == 0.75
    assert figures["sensitivity"] == figures["specificity"] == 0.5
    assert figures["specificity at sensitivity 0.97"] == pytest.approx(0.5)
    assert (figures["CANNOT SAY"], figures["accuracy of the rest"]) == (0.5, 1)
    assert 0 < figures["ECE"] < 0.5
    empty = row_of("b", [_held([0, 0, 0, 0], [0.9, 0.4, 0.6, 0.1])])
    assert {name: figure.value for name, figure in empty.figures.items()} == {
        "specificity": 0.5,
        "CANNOT SAY": 0.5,
    }
    assert "b: 0 tumor, 4 none" in empty.to_text()
    full = row_of("t", [_held([1, 1], [0.9, 0.4])])
    assert full.figures["sensitivity"].value == 0.5
    pooled = row_of("c", [_held([1], [0.4], 0.3), _held([0], [0.4], 0.5)])
    assert (pooled.figures["sensitivity"].value, pooled.figures["specificity"].value) == (1, 1)


def test_sources_left_out_together_have_a_row_each() -> None:
    result = replace(_held([1, 0, 0], [0.9, 0.1, 0.8]), sources=["a", "a", "b"])
    first, second = rows_of("a+b", result)
    assert (first.name, first.tumor, first.no_tumor) == ("a (without a+b)", 1, 1)
    assert (second.name, second.tumor, second.no_tumor) == ("b (without a+b)", 0, 1)
    assert second.figures["specificity"].value == 0
    assert [row.name for row in rows_of("a", result.of("a"))] == ["a"]


def test_a_study_of_other_settings_is_refused(tmp_path) -> None:
    out = tmp_path / "out"
    (out / "kaggle").mkdir(parents=True)
    (out / "settings.toml").write_text(to_toml(preset("quick")), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"holds fits with other settings; choose another --out"):
        sources_experiment([_drawn(tmp_path / "drawn")], EVIDENCE, out)


def test_a_fit_that_is_done_is_not_done_again(tmp_path) -> None:
    fit = module.Fit("lab/2021 b", leave_one_out(_catalog(a=(30, 5), b=(5, 30)), EVIDENCE)[0].split, EVIDENCE)
    known = _held([1, 0], [0.9, 0.1])
    (tmp_path / "lab-2021-b.json").write_text(json.dumps(vars(known)))
    said: list[str] = []
    assert run_fits([fit], {}, tmp_path, say=said.append) == {"lab/2021 b": known}
    assert len(said) == 1


def test_judged_by_hand() -> None:
    loss, accuracy, auc = judged(np.array([2.0, -1.0, 0.5], np.float32), np.array([1, 0, 0]))
    assert loss == pytest.approx((np.logaddexp(0, -2) + np.logaddexp(0, -1) + np.logaddexp(0, 0.5)) / 3)
    assert (accuracy, auc) == (pytest.approx(2 / 3), 1)


def _drawn(folder: Path, *, masks: bool = False) -> Path:
    """Drawn slices of two sources and three folds in one csv."""
    phantom_csv = write_phantoms(folder, 48, 3, size=64, plain=True)
    with phantom_csv.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for i, row in enumerate(rows):
        row |= {"source": "one" if i < 24 else "two", "fold": str(i // 2 % 3)}
        if masks:
            phantom = draw_phantom(np.random.default_rng([3, i + 1]), tumor=i % 2 == 0, size=64, plain=True)
            name = f"mask_{i}.png"
            Image.fromarray(phantom.mask.astype(np.uint8) * 255).save(folder / name)
            row["mask"] = name
            for column in ("box_x", "box_y", "box_w", "box_h"):
                row[column] = ""
    table = folder / "slices.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return table


def test_masks_and_boxes_give_the_same_places(tmp_path) -> None:
    boxed, masked = _drawn(tmp_path / "boxes"), _drawn(tmp_path / "masks", masks=True)
    places = []
    for table in (boxed, masked):
        lesions = lesions_of([table, tmp_path])
        assert len(lesions) == 24
        records = [replace(_record(i, "tumor", "s"), file=file) for i, file in enumerate(sorted(lesions))]
        settings = replace(
            EVIDENCE, prepare=replace(EVIDENCE.prepare, frame=replace(EVIDENCE.prepare.frame, size=64))
        )
        found = described(records, lesions, settings)
        assert {(one.label, one.name, one.plane) for one in found} == {("tumor", "s", "")}
        places.append(np.array([one.box for one in found]))
    np.testing.assert_allclose(places[0], places[1], atol=1.5 / 64)
    none = described(records, {records[0].file: Lesion(None, None)}, settings)
    assert all(one.box is None for one in none)


def test_selected_files(tmp_path) -> None:
    table = _drawn(tmp_path / "drawn")
    chosen = selected_files(table, {"fold": "2"})
    assert len(chosen) == 16
    assert all(path.is_absolute() and path.is_file() for path in chosen)
    assert selected_files(tmp_path / "drawn", {"fold": "2"}) == set()
    assert selected_files(table, {"hospital": "2"}) == set()
    with pytest.raises(DataError, match="no row with fold = 9"):
        selected_files(table, {"fold": "9"})


SHORT = [
    "--preset", "evidence", "--weights", "none",
    "--set", "model.trunk=Small", "--set", "model.cut=", "--set", "model.dense=8",
    "--set", "prepare.frame.size=64", "--set", "evidence.pictures=16", "--set", "evidence.batch=8",
    "--set", "evidence.head.epochs=1", "--set", "evidence.upper.epochs=1", "--set", "evidence.whole.epochs=1",
    "--set", "evidence.plain.epochs=0",
    "--set", "decide.calibration=temperature", "--set", "split.calibration=0.3",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("without_graphs")
def test_train_evidence_end_to_end(tmp_path, capsys) -> None:
    pytest.importorskip("keras")
    table = _drawn(tmp_path / "drawn", masks=True)
    run = tmp_path / "run"
    assert main(["train", str(table), "--out", str(run), *SHORT, "--test-where", "fold=2", "--json"]) == 0
    told = capsys.readouterr()
    assert "with its place" in told.err
    answer = json.loads(told.out)
    chosen = selected_files(table, {"fold": "2"})
    split = read_split(run / "split.csv")
    assert chosen <= {record.file for record in split.parts["test"]}
    assert {record.group for record in split.parts["test"]} == {
        record.group for part in split.parts.values() for record in part if record.file in chosen
    }
    kept = np.load(run / "bundle" / "weights.npz")
    assert kept["conv1/kernel"].dtype == np.float16
    parity = json.loads((run / "bundle" / "parity.json").read_text())
    assert all(row["largest"] < 1e-3 for row in parity["fp32"])
    assert 0 <= answer["threshold"] <= 1
    # Its training goes on in another run, of one stage.
    more = ["--weights", str(run / "bundle" / "weights.npz")]
    more += ["--set", "evidence.head.epochs=0", "--set", "evidence.upper.epochs=0"]
    again = [one for one in SHORT if one not in {"--weights", "none"}]
    assert main(["train", str(table), "--out", str(tmp_path / "more"), *again, *more]) == 0
    assert main(["predict", str(next(iter(chosen))), "--model", str(run), "--json"]) == 0
    assert "no picture has hospital=2" in _refused(
        ["train", str(table), "--out", str(tmp_path / "x"), *SHORT, "--test-where", "hospital=2"], capsys
    )


def test_there_is_no_default_to_start_from(tmp_path, capsys, monkeypatch) -> None:
    pytest.importorskip("keras")
    monkeypatch.setattr("tumorscan.model.weights.SHIPPED", tmp_path / "none")
    table = _drawn(tmp_path / "drawn")
    options = [one if one != "none" else "default" for one in SHORT]
    told = _refused(["train", str(table), "--out", str(tmp_path / "run"), *options], capsys)
    assert "no bundle is shipped with this tumorscan: give --weights" in told


def _refused(arguments: list[str], capsys) -> str:
    capsys.readouterr()
    assert main(arguments) != 0
    return capsys.readouterr().err
