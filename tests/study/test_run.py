from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tumorscan.config import read_settings
from tumorscan.data.split import PARTS, read_split
from tumorscan.detect.detector import load_detector
from tumorscan.errors import BundleError, DataError, SettingsError
from tumorscan.evaluate.card import card_text
from tumorscan.model import phase as phase_module
from tumorscan.model.bundle import read_bundle
from tumorscan.model.weights import read_npz
from tumorscan.prepare.pipeline import prepare
from tumorscan.read import read_scan
from tumorscan.study import evaluation as evaluation_module
from tumorscan.study.decision import fit_operating_point
from tumorscan.study.evaluation import evaluate_run
from tumorscan.study.part import load_part
from tumorscan.study.run import train_run


def test_a_run_leaves_what_it_should(phantom_run, short_settings):
    names = sorted(path.name for path in phantom_run.iterdir() if path.name != "report")
    assert names == [
        "bundle",
        "catalog.csv",
        "history.json",
        "phases",
        "settings.toml",
        "sources.json",
        "split.csv",
    ]
    assert read_settings(phantom_run / "settings.toml") == short_settings
    assert sorted(path.name for path in (phantom_run / "phases").iterdir()) == ["frozen.npz", "tuned.npz"]
    manifest = read_bundle(phantom_run).manifest
    assert manifest.lineage["data"]["splits"]["test"].startswith("6 tumor + 6 no tumor")
    assert manifest.lineage["weights"]["source"] == "none"


def test_temperature_and_threshold_come_from_the_calibration_split(phantom_run, short_settings):
    detector = load_detector(phantom_run)
    part = load_part(read_split(phantom_run / "split.csv").parts["calibration"], short_settings)
    probabilities = detector.probabilities(part.pictures)
    again = fit_operating_point(probabilities, part.labels, 0.97, "the calibration split")
    assert again.threshold == pytest.approx(detector.operating_point.threshold, abs=1e-6)
    assert "calibration split" in detector.operating_point.fitted_on


def test_serving_equals_training(phantom_run, short_settings):
    """A file through the reader gives the probability of its prepared picture in the training's cache."""
    detector = load_detector(phantom_run)
    records = read_split(phantom_run / "split.csv").parts["train"][:4]
    part = load_part(records, short_settings)
    for record, picture, p in zip(records, part.pictures, detector.probabilities(part.pictures), strict=True):
        scan = read_scan(record.file)
        np.testing.assert_array_equal(prepare(scan, short_settings.prepare).pixels, picture)
        assert detector.find(scan).probability == pytest.approx(p, abs=1e-5)


@pytest.mark.parametrize("count", [1, 7])
def test_an_answer_does_not_depend_on_its_company(phantom_run, short_settings, count):
    detector = load_detector(phantom_run)
    part = load_part(read_split(phantom_run / "split.csv").parts["train"][:7], short_settings)
    together = detector.engine.run_all(part.pictures)[:count]
    np.testing.assert_allclose(detector.engine.run(part.pictures[:count]).logits, together, atol=1e-4)


def test_chosen_weights_are_those_of_their_phase(phantom_run):
    bundle = read_bundle(phantom_run)
    kept = read_npz(phantom_run / "phases" / f"{bundle.manifest.lineage['chosen']['phase']}.npz")
    shipped = read_npz(bundle.weights)
    assert set(kept) == set(shipped)
    assert all(np.array_equal(kept[name], shipped[name]) for name in kept)


def test_a_complete_run_is_not_done_again(phantom_run, phantoms, short_settings):
    with pytest.raises(SettingsError, match="this run is complete"):
        train_run([phantoms], short_settings, phantom_run)


def test_a_folder_of_another_run_is_refused(phantom_run, phantoms, short_settings):
    other = replace(short_settings, train=replace(short_settings.train, seed=99))
    with pytest.raises(SettingsError, match="holds a run with other settings"):
        train_run([phantoms], other, phantom_run)


def test_a_killed_run_goes_on(phantoms, phantom_run, short_settings, tmp_path, monkeypatch):
    real, done = phase_module.Phase._keep, []

    def kill(self, history, earlier):
        real(self, history, earlier)
        done.append(1)
        if len(done) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(phase_module.Phase, "_keep", kill)
    with pytest.raises(KeyboardInterrupt):
        train_run([phantoms], short_settings, tmp_path / "run")
    monkeypatch.undo()
    with pytest.raises(BundleError, match="no bundle here"):
        evaluate_run(tmp_path / "run")
    said: list[str] = []
    train_run([phantoms], short_settings, tmp_path / "run", say=said.append)
    assert any("going on with" in line for line in said)
    whole = json.loads((phantom_run / "history.json").read_text())
    resumed = json.loads((tmp_path / "run" / "history.json").read_text())
    assert [row["epoch"] for row in resumed] == [row["epoch"] for row in whole]
    np.testing.assert_allclose(
        [row["val_loss"] for row in resumed], [row["val_loss"] for row in whole], rtol=0.05, atol=0.02
    )


@pytest.mark.usefixtures("few_trees")
def test_evaluate_writes_everything(phantom_run):
    before = read_bundle(phantom_run).manifest.looks.get("test", 0)
    result = evaluate_run(phantom_run)
    report = phantom_run / "report"
    names = {path.name for path in report.iterdir()}
    assert {
        "report.html", "metrics.json", "predictions.csv", "confusion.png", "roc.png", "training.png",
        "preparation.png", "augmented.png", "reliability.png", "precision_recall.png",
    } <= names  # fmt: skip
    assert {"right.png", "wrong.png"} & names
    metrics = json.loads((report / "metrics.json").read_text())
    assert metrics["n"] == 12
    rows = (report / "predictions.csv").read_text().splitlines()
    assert len(rows) == 13
    assert result.looks == before + 1
    manifest = read_bundle(phantom_run).manifest
    assert manifest.looks["test"] == before + 1
    assert "roc_auc" in manifest.metrics["test"]
    assert "roc_auc" in result.to_text()


def test_a_look_that_was_cut_short_stands_on_the_card(phantom_run, monkeypatch):
    def kill(*_args, **_more):
        raise KeyboardInterrupt

    before = read_bundle(phantom_run).manifest.looks.get("test", 0)
    monkeypatch.setattr(evaluation_module, "evaluate", kill)
    with pytest.raises(KeyboardInterrupt):
        evaluate_run(phantom_run)
    bundle = read_bundle(phantom_run)
    assert bundle.manifest.looks["test"] == before + 1
    assert (bundle.folder / "card.md").read_text(encoding="utf-8") == card_text(bundle.manifest)


def test_test_pictures_are_opened_by_evaluate_only(phantoms, short_settings, tmp_path, monkeypatch):
    """Training must not even prepare them."""
    from tumorscan.study import part as part_module
    from tumorscan.study import run as run_module

    loaded: list[str] = []
    real = part_module.load_part

    def watch(records, settings, **more):
        loaded.extend(record.pixels_sha256 for record in records)
        return real(records, settings, **more)

    monkeypatch.setattr(run_module, "load_part", watch)
    train_run([phantoms], short_settings, tmp_path / "run")
    parts = read_split(tmp_path / "run" / "split.csv").parts
    assert not {record.pixels_sha256 for record in parts["test"]} & set(loaded)
    assert set(PARTS) <= set(parts)


def test_a_tampered_split_is_refused(phantoms, short_settings, tmp_path):
    from tumorscan.data.catalog import build_catalog
    from tumorscan.data.split import make_split, write_split

    split = make_split(build_catalog([phantoms]), short_settings.split)
    run = tmp_path / "run"
    write_split(replace(split, parts=split.parts), run / "split.csv")
    rows = (run / "split.csv").read_text().splitlines()
    train_row = next(row for row in rows[1:] if ",train," in row)
    (run / "split.csv").write_text("\n".join([*rows, train_row.replace(",train,", ",test,")]) + "\n")
    with pytest.raises(DataError, match=r"split\.csv"):
        train_run([phantoms], short_settings, run)
