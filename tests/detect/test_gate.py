"""The distance and the contrast on drawn embeddings; saving, loading, damage; the order of verdicts."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.detect.bulk import predict_all
from tumorscan.detect.detector import Detector
from tumorscan.detect.gate import Gate, gate_bytes, read_gate
from tumorscan.detect.gate_fit import fit_gate
from tumorscan.detect.rows import Item, to_table
from tumorscan.errors import BundleError, DataError, SettingsError
from tumorscan.model.bundle import GATE, add_files, read_bundle
from tumorscan.read import read_scan
from tumorscan.types import Scores, Verdict

CHANNELS = 24


def rows(count: int, seed: int, axis: int = 0) -> np.ndarray:
    """A cluster of embeddings around one axis; heads lie around the first."""
    noise = np.random.default_rng(seed).normal(0, 0.12, (count, CHANNELS))
    return (np.abs(noise) + 3 * np.eye(CHANNELS)[axis]).astype(np.float32)


KINDS = {f"kind {axis}": rows(30, axis, axis) for axis in (1, 2, 3)}


@pytest.fixture(scope="module")
def gate() -> Gate:
    return fit_gate(rows(300, 10), rows(400, 11), negatives=KINDS)


def refused(gate: Gate, embeddings: np.ndarray) -> float:
    return float(np.mean([bool(gate.unfamiliar(one)) for one in embeddings]))


@pytest.mark.parametrize("negatives", [None, {"kind 1": KINDS["kind 1"]}, KINDS])
@pytest.mark.parametrize("most", [0.0, 0.005, 0.1])
def test_heads_come_in_and_kinds_known_or_not_stay_out(negatives, most):
    fitted = fit_gate(rows(300, 10), rows(400, 11), negatives=negatives, most_refused=most)
    assert refused(fitted, rows(400, 11)) <= most
    assert refused(fitted, rows(500, 12)) <= most + 0.03
    for axis in (1, 2, 3, 7):
        assert refused(fitted, rows(40, 20 + axis, axis)) == 1


def test_without_negatives_the_limit_refuses_as_many_as_it_may():
    fitted = fit_gate(rows(300, 10), rows(400, 11), most_refused=0.1)
    assert refused(fitted, rows(400, 11)) == pytest.approx(0.1, abs=0.003)


def test_a_brighter_embedding_is_the_same_embedding(gate):
    some = rows(20, 13)
    assert gate.scores(some) == pytest.approx(gate.scores(some * 7), rel=1e-4)


def test_nan_and_zeros_are_refused(gate):
    assert gate.unfamiliar(np.full(CHANNELS, np.nan, np.float32))
    assert gate.unfamiliar(np.zeros(CHANNELS, np.float32))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((rows(9, 1), rows(9, 2)), DataError, "at least 10 training pictures"),
        ((rows(20, 1), rows(0, 2)), DataError, "a calibration split"),
        ((rows(20, 1), rows(20, 2)[:, 1:]), DataError, "from one network"),
        ((rows(20, 1), np.full((5, CHANNELS), np.nan, np.float32)), DataError, "nan or infinity"),
        ((np.repeat(rows(1, 1), 20, 0), np.repeat(rows(1, 1), 20, 0)), DataError, "the gate needs others"),
    ],
)
def test_what_cannot_be_fitted(arguments, error, message):
    with pytest.raises(error, match=message):
        fit_gate(*arguments)


@pytest.mark.parametrize("most", [-0.1, 1.0, float("nan")])
def test_a_share_is_a_share(most):
    with pytest.raises(SettingsError, match="most_refused"):
        fit_gate(rows(20, 1), rows(20, 2), most_refused=most)


@pytest.fixture
def bundle(counting_bundle: Path, tmp_path: Path):
    shutil.copytree(counting_bundle, tmp_path / "bundle")
    return read_bundle(tmp_path / "bundle")


def test_saving_and_loading(bundle, gate):
    assert read_gate(bundle) is None
    again = read_gate(add_files(bundle, {GATE: gate_bytes(gate)}))
    some = np.concatenate([rows(50, 14), *KINDS.values()])
    assert again is not None
    assert (again.scores(some) == gate.scores(some)).all()


DAMAGED = {
    "no zip": lambda _: b"no zip",
    "cut off": lambda gate: gate_bytes(gate)[:300],
    "empty": lambda _: b"",
    "an array missing": lambda gate: npz(threshold=gate.threshold),
    "an array too many": lambda gate: npz(**vars(gate), more=np.zeros(2)),
    "a pickle": lambda gate: npz(**{**vars(gate), "bank": np.array([{}], dtype=object)}),
    "other shapes": lambda gate: npz(**{**vars(gate), "contrast": np.zeros(3)}),
    "nan": lambda gate: npz(**{**vars(gate), "threshold": np.float32("nan")}),
    "no scale": lambda gate: npz(**{**vars(gate), "scale": np.float32(0)}),
    "one neighbour": lambda gate: npz(**{**vars(gate), "bank": gate.bank[:1]}),
    "text": lambda gate: npz(**{**vars(gate), "centre": np.array("x")}),
}


def npz(**arrays) -> bytes:
    import io

    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize("name", list(DAMAGED))
def test_a_damaged_gate_is_named(name, bundle, gate):
    damaged = add_files(bundle, {GATE: DAMAGED[name](gate)})
    with pytest.raises(BundleError, match=r"gate\.npz: not a gate .*tumorscan gate --fit"):
        Detector(damaged, EmbeddingEngine())


class EmbeddingEngine:
    """Embeds pictures that are dark on the whole as heads, and all others as something else."""

    name = "embedding"

    def __init__(self) -> None:
        self.calls = 0

    def run(self, pictures: np.ndarray) -> Scores:
        self.calls += 1
        dark = pictures.reshape(len(pictures), -1).mean(1) < 120
        embedding = np.where(dark[:, None], rows(1, 50), rows(1, 51, 5)).astype(np.float32)
        return Scores(
            np.full(len(pictures), 2.0, np.float32),
            np.ones((len(pictures), 2, 2, CHANNELS), np.float32),
            embedding,
        )


def write(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    y, x = np.mgrid[0:128, 0:128]
    disc = ((x - 64) ** 2 + (y - 64) ** 2 < 45**2) * (40 + x // 2)
    return {
        "head": write(tmp_path / "head.png", disc.astype(np.uint8)),
        "strange": write(tmp_path / "strange.png", np.clip(110 + x, 0, 255).astype(np.uint8)),
        "blank": write(tmp_path / "blank.png", np.zeros((128, 128), np.uint8)),
    }


@pytest.fixture
def gated(bundle, gate) -> Detector:
    return Detector(add_files(bundle, {GATE: gate_bytes(gate)}), EmbeddingEngine())


def test_refusal_comes_before_the_verdict(gated, files):
    found = {name: gated.find(read_scan(file)) for name, file in files.items()}
    assert found["head"].verdict is Verdict.TUMOR
    assert found["head"].reasons == ()
    for name, reason in (("strange", "unfamiliar"), ("blank", "blank")):
        finding = found[name]
        assert (finding.verdict, finding.probability, finding.confidence) == (
            Verdict.NOT_BRAIN_MRI,
            None,
            None,
        )
        assert finding.reasons[0].startswith(reason)
        assert to_table(finding)["probability"] is None


def test_plain_checks_spare_the_network(gated, files):
    gated.find(read_scan(files["blank"]))
    assert gated.engine.calls == 0


def test_bulk_refuses_alike_in_every_format(gated, files, tmp_path):
    pytest.importorskip("pyarrow")
    items = [Item(name, str(file)) for name, file in files.items()] * 2
    for suffix in (".csv", ".jsonl", ".parquet"):
        summary = predict_all(gated, items, tmp_path / f"out{suffix}")
        assert summary.verdicts == {str(Verdict.TUMOR): 2, str(Verdict.NOT_BRAIN_MRI): 4}
        assert summary.errors == 0
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[3].startswith("blank,NOT A BRAIN MRI,,,")


def test_a_refused_picture_has_nothing_to_explain(gated, files):
    for name in ("strange", "blank"):
        scan = read_scan(files[name])
        finding, explanation = gated.explain(scan, gated.prepare(scan))
        assert finding.verdict is Verdict.NOT_BRAIN_MRI
        assert (explanation.peak, explanation.evidence.any()) == (None, False)


def test_without_a_gate_nothing_is_refused(bundle, files):
    detector = Detector(bundle, EmbeddingEngine())
    assert {detector.find(read_scan(file)).verdict for file in files.values()} == {Verdict.TUMOR}


def test_a_gate_needs_an_engine_that_embeds(gated, files):
    gated.engine.run = lambda pictures: Scores(np.zeros(len(pictures), np.float32))
    with pytest.raises(BundleError, match="keeps no embedding"):
        gated.find(read_scan(files["head"]))


def test_a_gate_of_another_network_is_refused(bundle, files):
    other = fit_gate(rows(30, 1)[:, :9], rows(30, 2)[:, :9])
    detector = Detector(add_files(bundle, {GATE: gate_bytes(other)}), EmbeddingEngine())
    with pytest.raises(BundleError, match="embeddings of 9"):
        detector.find(read_scan(files["head"]))


def test_shapes_that_do_not_fit_are_no_gate(gate):
    with pytest.raises(BundleError, match="do not fit"):
        replace(gate, basis=gate.basis[:, 1:])
