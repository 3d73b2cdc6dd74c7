"""The model that comes with tumorscan: small, whole, exact, and of its word on every example."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tumorscan import load_detector, read_scan
from tumorscan.config import SHIPPED
from tumorscan.detect.engines import ENGINES, load_engine
from tumorscan.detect.tumor_type import NOT_SURE
from tumorscan.model.bundle import PARITY, WEIGHTS, read_bundle
from tumorscan.types import Verdict

EXAMPLES = Path(__file__).parents[2] / "examples"
PINNED = EXAMPLES / "verdicts.csv"
MOST_BYTES = 40_000_000
MOST_LOGIT = 1e-3

pytestmark = pytest.mark.skipif(not SHIPPED.is_dir(), reason="no bundle is shipped with this checkout")


@pytest.fixture(scope="module")
def detector():
    return load_detector(engine="onnxruntime")


def _rows():
    with PINNED.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_it_is_small_and_whole():
    bundle = read_bundle(SHIPPED)
    files = [file for file in SHIPPED.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES
    assert {"bundle.json", "card.md", WEIGHTS, PARITY, "gate.npz", "tumor_type.npz"} <= {
        file.name for file in files
    }
    assert {point.name for point in bundle.manifest.operating_points} == {"screening", "balanced", "specific"}
    assert bundle.manifest.band is not None
    assert bundle.manifest.settings.preset == "evidence"


def test_it_names_no_folder_of_the_machine_it_was_made_on():
    text = (SHIPPED / "bundle.json").read_text(encoding="utf-8") + (SHIPPED / "card.md").read_text("utf-8")
    assert str(Path.home()) not in text or str(Path.home()) == "/"
    assert "/work/" not in text


@pytest.mark.parametrize("row", _rows() if PINNED.is_file() else [], ids=lambda row: row["file"])
def test_the_verdict_of_every_example_is_pinned(detector, row):
    finding = detector.find(read_scan(EXAMPLES / row["file"]))
    assert str(finding.verdict) == row["verdict"]
    if row["probability"]:
        assert finding.probability == pytest.approx(float(row["probability"]), abs=2e-3)
    else:
        assert finding.probability is None


def test_its_parity_report_holds_on_this_machine(detector):
    """The engines that are installed give the trained network's logits on the examples, batch 1 and 7."""
    pytest.importorskip("keras")
    pictures = np.stack([detector.prepare(read_scan(EXAMPLES / row["file"])).pixels for row in _rows()])
    trained = load_engine(detector.bundle, "keras").run(pictures)
    report = json.loads((SHIPPED / PARITY).read_text(encoding="utf-8"))
    assert report["pictures"] >= 200
    assert report["real"] is True
    assert max(row["largest"] for row in report["fp32"]) <= MOST_LOGIT
    for name in ("onnxruntime", "openvino"):
        if not ENGINES[name].installed:
            continue
        engine = load_engine(detector.bundle, name)
        for batch in (1, 7):
            parts = [engine.run(pictures[i : i + batch]) for i in range(0, len(pictures), batch)]
            logits = np.concatenate([part.logits for part in parts])
            np.testing.assert_allclose(logits, trained.logits, atol=MOST_LOGIT)
            maps = np.concatenate([part.map for part in parts])
            np.testing.assert_allclose(maps, trained.map, atol=1e-2)


@pytest.mark.data
def test_no_tensor_is_a_copy_of_the_weights_it_started_from(data_dir):
    start = data_dir.parent / "weights" / "resnet50v2_imagenet_conv1_conv4.npz"
    if not start.is_file():
        pytest.skip(f"{start} is not here")
    with np.load(start) as before, np.load(SHIPPED / WEIGHTS) as after:
        shared = sorted(set(before.files) & set(after.files))
        assert len(shared) > 190
        # In the precision that it ships in: rounding alone is no training.
        same = [n for n in shared if np.array_equal(before[n].astype(after[n].dtype), after[n])]
    assert same == []


def test_it_answers_without_a_network_or_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    load_detector().find(read_scan(EXAMPLES / "simulated_tumor_axial_1.png"))
    assert list(tmp_path.iterdir()) == []


def test_it_hints_at_a_type_where_it_reports_a_tumor_and_nowhere_else(detector):
    names = {"glioma", "meningioma", "pituitary"}
    for row in _rows():
        found = detector.find(read_scan(EXAMPLES / row["file"]))
        if row["verdict"] == str(Verdict.TUMOR):
            assert set(found.tumor_type) == names
            assert sum(found.tumor_type.values()) == pytest.approx(1)
            assert found.tumor_type_told in {*names, NOT_SURE}
        else:
            assert (found.tumor_type, found.tumor_type_told) == ({}, "")


@pytest.mark.data
def test_types_of_patients_that_nothing_was_fitted_on(detector, data_dir):
    """Every twentieth slice of fold 5: 34 slices; all of it is measured by `tumorscan tumor-type`."""
    with (data_dir / "figshare.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["fold"] == "5"][::20]
    found = [(row["tumor_type"], detector.find(read_scan(data_dir / row["file"]))) for row in rows]
    told = [(truth, one) for truth, one in found if one.tumor_type]
    assert len(told) > 0.4 * len(found)  # the others are CANNOT SAY, refused or missed
    assert np.mean([max(one.tumor_type, key=one.tumor_type.get) == truth for truth, one in told]) >= 0.85
    sure = [one.tumor_type_told == truth for truth, one in told if one.tumor_type_told != NOT_SURE]
    assert len(sure) > 0.6 * len(told)
    assert np.mean(sure) >= 0.9
