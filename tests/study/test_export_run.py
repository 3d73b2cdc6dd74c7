"""The export of a run on phantoms: what it writes, and what it refuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from tumorscan.app.cli import main
from tumorscan.detect.detector import load_detector
from tumorscan.errors import BundleError, DataError, EnvironmentProblem, MissingExtra
from tumorscan.evaluate.card import card_text
from tumorscan.model.bundle import HEAD, INT8, ONNX, PARITY, add_files, read_bundle
from tumorscan.study import export as export_module
from tumorscan.study import parity as parity_module
from tumorscan.study import part as part_module
from tumorscan.study import run as run_module
from tumorscan.study.export_run import export_run

pytest.importorskip("onnx")

EXACT_FILES = {ONNX, f"{ONNX}.data", HEAD, PARITY}
INT8_FILES = {INT8, f"{INT8}.data"}


@pytest.fixture
def run(phantom_run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(phantom_run, copy)
    return copy


def _files(run):
    return set(read_bundle(run).manifest.files)


def _parity(run):
    return json.loads((read_bundle(run).folder / PARITY).read_text())


def test_a_training_ends_with_an_export(phantom_run):
    assert _files(phantom_run) >= EXACT_FILES
    assert not INT8_FILES & _files(phantom_run)
    report = _parity(phantom_run)
    assert {row["batch"] for row in report["fp32"]} == {1, 7}
    assert "onnxruntime" in {row["engine"] for row in report["fp32"]}
    assert all(row["largest"] < 1e-4 for row in report["fp32"])
    assert report["real"] is True
    assert report["pictures"] < 200
    assert "fewer than the 200 wanted" in report["caveat"]
    assert load_detector(phantom_run).engine.name == "onnxruntime"
    bundle = read_bundle(phantom_run)
    assert (bundle.folder / "card.md").read_text() == card_text(bundle.manifest)


def test_export_with_int8(monkeypatch, run):
    # Whether int8 passes hangs on the training; that it is kept when it does is what is tested here.
    monkeypatch.setattr(parity_module, "MOST_DECISIONS", 1.0)
    monkeypatch.setattr(parity_module, "MOST_AUC", 1.0)
    exported = export_run(run)
    assert exported.int8_refused == ""
    assert _files(run) >= EXACT_FILES | INT8_FILES
    report = _parity(run)
    assert {row["engine"] for row in report["int8"]} >= {"onnxruntime-int8"}
    assert all(row["map_correlation"] > 0.9 for row in report["int8"])
    assert load_detector(run).engine.name == "onnxruntime"
    again = export_run(run, int8=False)
    assert again.int8_refused == "not asked for"
    assert not INT8_FILES & _files(run)


def test_int8_alone_is_refused(monkeypatch, run, capsys):
    monkeypatch.setattr(parity_module, "MOST_DECISIONS", -1.0)
    assert main(["export", str(run), "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert "changes 0 of" in table["int8_refused"] or "decisions" in table["int8_refused"]
    assert _files(run) >= EXACT_FILES
    assert not INT8_FILES & _files(run)
    assert _parity(run)["int8_refused"] == table["int8_refused"]


def test_an_export_that_says_something_else_is_refused(monkeypatch, run):
    real = export_module.to_onnx

    def moved(network, name, **named):
        bias = network.get_layer("head_logit").bias
        kept = np.asarray(bias)
        bias.assign(kept + 0.01)
        files = real(network, name, **named)
        bias.assign(kept)
        return files

    monkeypatch.setattr(export_module, "to_onnx", moved)
    before = {path.name: path.read_bytes() for path in (run / "bundle").iterdir()}
    with pytest.raises(BundleError, match=r"not exported: onnxruntime differs by 0\.01 in a logit, 0\.001"):
        export_run(run)
    assert {path.name: path.read_bytes() for path in (run / "bundle").iterdir()} == before


def test_a_bundle_alone_is_judged_on_drawings(run, tmp_path, capsys):
    alone = tmp_path / "elsewhere" / "bundle"
    shutil.copytree(run / "bundle", alone)
    add_files(read_bundle(alone), {}, drop=tuple(EXACT_FILES))
    assert main(["export", str(alone)]) == 0
    assert "judged on drawn pictures, no real ones: give --data" in capsys.readouterr().out
    assert _files(alone) >= EXACT_FILES
    report = _parity(alone)
    assert report["real"] is False
    assert "no pictures of the training split" in report["int8_refused"]


def test_a_bundle_with_data(run, tmp_path, phantoms):
    alone = tmp_path / "elsewhere" / "bundle"
    shutil.copytree(run / "bundle", alone)
    exported = export_run(alone, [phantoms], int8=False)
    assert len(exported.pictures.pictures) == 60
    assert exported.pictures.source == str(phantoms)
    assert exported.pictures.labels.sum() == 30


def test_pictures_that_are_gone_are_said_to_be(run, monkeypatch):
    monkeypatch.setenv("TUMORSCAN_CACHE", str(run / "no cache"))
    table = (run / "split.csv").read_text()
    (run / "split.csv").write_text(table.replace(".png", ".gone.png"))
    said = []
    exported = export_run(run, int8=False, say=said.append)
    assert not exported.pictures.real
    assert any("the run's own pictures are left out: " in line for line in said)


@pytest.mark.parametrize(
    ("change", "kind", "cause"),
    [
        (lambda run: shutil.rmtree(run / "bundle"), BundleError, "no bundle here"),
        (lambda run: (run / "bundle" / "weights.npz").write_bytes(b"x"), BundleError, "changed since"),
        (lambda run: (run / "empty").mkdir(), DataError, "empty"),
    ],
    ids=["no bundle", "damaged bundle", "no data"],
)
def test_refused(run, change, kind, cause):
    change(run)
    with pytest.raises(kind, match=cause):
        export_run(run, [run / "empty"] if (run / "empty").is_dir() else [])


def test_never_fitted(run):
    bundle = read_bundle(run)
    bundle._rewrite(replace(bundle.manifest, temperature=None))
    with pytest.raises(BundleError, match="never fitted"):
        export_run(run)


def test_no_engine_to_judge_with(run, monkeypatch):
    monkeypatch.setattr("tumorscan.detect.engines.find_spec", lambda _: None)
    with pytest.raises(EnvironmentProblem, match="pip install onnxruntime"):
        export_run(run)


@pytest.mark.parametrize(
    "error", [MissingExtra("onnx", "train"), BundleError("b: not exported")], ids=["no onnx", "not the same"]
)
def test_a_training_survives_an_export_that_fails(monkeypatch, run, error):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr(run_module, "export_bundle", fails)
    said = []
    bundle = read_bundle(run)
    parts = {"train": part_module.Part((), np.zeros((2, 64, 64, 3), np.uint8), np.array([0, 1]))}
    assert run_module._exported(bundle, parts, said.append) == bundle
    assert f"trained, but not exported to ONNX ({error}); `tumorscan export {run}` tries again" in said
