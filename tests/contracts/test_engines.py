"""One suite for every engine: the same pictures, the same answers, the same refusals."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tumorscan.detect import engines
from tumorscan.detect.engine import usable_cores
from tumorscan.detect.engines import CHOICES, ENGINES, load_engine
from tumorscan.errors import BundleError, DataError, EnvironmentProblem, MissingExtra, SettingsError
from tumorscan.model.bundle import INT8, ONNX, Bundle, add_files, read_bundle

pytest.importorskip("keras")
pytest.importorskip("onnx")

EXACT = [name for name in ENGINES if not name.endswith("int8")]
EXPORTED = [name for name, runtime in ENGINES.items() if runtime.file in {ONNX, INT8}]
# Of a logit of about 0.5 with fresh weights.
TOLERANCE = dict.fromkeys(EXACT, 1e-5) | {"onnxruntime-int8": 0.05, "openvino-int8": 0.05}


@pytest.fixture(scope="module")
def pictures():
    smooth = np.random.default_rng(3).integers(0, 256, (33, 12, 12, 3), dtype=np.uint8)
    return smooth.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture(scope="module")
def bundle(tiny_bundle, tmp_path_factory, pictures) -> Bundle:
    from tumorscan.model.quantise import to_int8

    folder = tmp_path_factory.mktemp("engines") / "tiny"
    shutil.copytree(tiny_bundle, folder)
    made = read_bundle(folder)
    exact = {name: (folder / name).read_bytes() for name in (ONNX, f"{ONNX}.data")}
    return add_files(made, to_int8(exact, pictures[:16], INT8))


@pytest.fixture(scope="module")
def trained(bundle, pictures):
    return load_engine(bundle, "keras").run(pictures)


@pytest.fixture(scope="module", params=list(ENGINES))
def engine(request, bundle):
    pytest.importorskip(ENGINES[request.param].package)
    return load_engine(bundle, request.param, threads=2), TOLERANCE[request.param]


@pytest.mark.parametrize("name", list(ENGINES))
def test_an_engine_is_called_what_was_asked_for(bundle, name):
    """A journal tells runs apart by it: rows in float32 and in int8 must not be mixed."""
    pytest.importorskip(ENGINES[name].package)
    assert load_engine(bundle, name).name == name


@pytest.mark.parametrize("batch", [1, 7])
def test_it_says_what_the_trained_network_says(engine, pictures, trained, batch):
    engine, tolerance = engine
    scores = engine.run(pictures[:batch])
    np.testing.assert_allclose(scores.logits, trained.logits[:batch], rtol=0, atol=tolerance)
    assert scores.map.shape == trained.map[:batch].shape
    assert scores.embedding.shape == trained.embedding[:batch].shape
    largest = np.abs(trained.map).max()
    np.testing.assert_allclose(scores.map, trained.map[:batch], rtol=0, atol=4 * tolerance * largest)
    np.testing.assert_allclose(scores.embedding, scores.map.mean(axis=(1, 2)), rtol=0, atol=0.02 * largest)
    assert {one.dtype for one in (scores.logits, scores.map, scores.embedding)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("count", [0, 1, 31, 33])
def test_any_number_of_pictures(engine, pictures, trained, count):
    engine, tolerance = engine
    logits = engine.run_all(pictures[:count])
    assert logits.shape == (count,)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, trained.logits[:count], rtol=0, atol=tolerance)


def test_a_picture_does_not_hang_on_its_company(engine, pictures):
    engine, _ = engine
    together = engine.run(pictures[:7])
    for i in range(7):
        alone = engine.run(pictures[i : i + 1])
        assert alone.logits[0] == pytest.approx(together.logits[i], abs=2e-6)


def test_views_in_memory_are_read_right(engine, pictures):
    engine, _ = engine
    view = pictures[:3, ::-1, :, ::-1]
    np.testing.assert_array_equal(engine.run(view).logits, engine.run(view.copy()).logits)


def test_answers_stay_when_the_next_are_asked_for(engine, pictures):
    engine, _ = engine
    first = engine.run(pictures[:2])
    kept = [first.logits.copy(), first.map.copy(), first.embedding.copy()]
    engine.run(pictures[2:4])
    for before, now in zip(kept, (first.logits, first.map, first.embedding), strict=True):
        np.testing.assert_array_equal(before, now)


def test_askers_do_not_disturb_each_other(engine, pictures):
    engine, _ = engine
    alone = [engine.run(pictures[i : i + 2]).logits for i in range(0, 16, 2)]
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda i: engine.run(pictures[i : i + 2]).logits, range(0, 16, 2)))
    np.testing.assert_allclose(at_once, alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda p: p.astype(np.float32), "float32 2 x 96 x 96 x 3"),
        (lambda p: p[:, :64], "uint8 2 x 64 x 96 x 3"),
        (lambda p: p[..., 0], "uint8 2 x 96 x 96:"),
        (lambda p: p[0], "uint8 96 x 96 x 3:"),
        (lambda p: p[:0], "uint8 0 x 96 x 96 x 3"),
    ],
    ids=["floats", "another size", "grey", "no batch", "none"],
)
def test_other_pictures_are_refused(engine, pictures, spoil, found):
    engine, _ = engine
    with pytest.raises(DataError, match=f"pictures are {found}.*takes uint8 N x 96 x 96 x 3"):
        engine.run(spoil(pictures[:2]))


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _another_size(_: bytes) -> bytes:
    from tumorscan.config import ModelSettings
    from tumorscan.model.export import to_onnx
    from tumorscan.model.network import build_network

    return to_onnx(build_network(ModelSettings(trunk="Small", dense=64), 64), ONNX)[ONNX]


@pytest.mark.parametrize("name", [one for one in EXPORTED if ENGINES[one].file == ONNX])
@pytest.mark.parametrize(
    ("file", "spoil", "cause"),
    [
        (ONNX, lambda _: b"this is a letter", "not a network that can be opened"),
        (ONNX, lambda _: b"", "not a network that can be opened|takes nothing"),
        (ONNX, _cut, "not a network that can be opened"),
        (f"{ONNX}.data", lambda _: b"\0" * 64, "not a network that can be opened"),
        (ONNX, _another_size, "takes pixels 64x64x3 .*needs pixels 96x96x3"),
    ],
    ids=["text", "empty", "cut short", "arrays gone", "another network"],
)
def test_a_damaged_export_is_refused(tmp_path, tiny_bundle, name, file, spoil, cause):
    pytest.importorskip(ENGINES[name].package)
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_bundle, folder)
    damaged = add_files(read_bundle(folder), {file: spoil((folder / file).read_bytes())})
    with pytest.raises(BundleError, match=rf"model\.onnx: (?:{cause}).*export it anew"):
        load_engine(damaged, name)


def _without(monkeypatch, *packages: str) -> None:
    real = engines.find_spec
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name in packages else real(name))


@pytest.mark.parametrize(
    ("name", "package", "kind", "line"),
    [
        ("onnxruntime", "onnxruntime", EnvironmentProblem, "pip install onnxruntime"),
        ("openvino", "openvino", MissingExtra, "pip install 'tumorscan[openvino]'"),
        ("keras", "keras", MissingExtra, "pip install 'tumorscan[train]'"),
    ],
)
def test_an_engine_that_is_not_installed(monkeypatch, bundle, name, package, kind, line):
    _without(monkeypatch, package)
    with pytest.raises(kind) as caught:
        load_engine(bundle, name)
    assert str(caught.value) == f"{package} is not installed: {line}"


def _bare(tmp_path: Path, tiny_bundle: Path) -> Bundle:
    folder = tmp_path / "bare"
    shutil.copytree(tiny_bundle, folder)
    return add_files(read_bundle(folder), {}, drop=(ONNX, f"{ONNX}.data"))


@pytest.mark.parametrize("name", EXPORTED)
def test_a_bundle_that_was_never_exported(tmp_path, tiny_bundle, name):
    with pytest.raises(BundleError, match=r"holds no model\..*onnx for the engine .*`tumorscan export`"):
        load_engine(_bare(tmp_path, tiny_bundle), name)


@pytest.mark.parametrize(
    ("missing", "chosen"),
    [((), "onnxruntime"), (("onnxruntime",), "openvino"), (("onnxruntime", "openvino"), "keras")],
)
def test_auto_takes_the_first_exact_engine(monkeypatch, bundle, missing, chosen):
    pytest.importorskip("openvino")
    _without(monkeypatch, *missing)
    assert load_engine(bundle).name == chosen


def test_auto_without_an_export_falls_back_to_keras(tmp_path, tiny_bundle):
    assert load_engine(_bare(tmp_path, tiny_bundle)).name == "keras"


def test_auto_with_nothing_that_runs(monkeypatch, tmp_path, tiny_bundle, bundle):
    _without(monkeypatch, "keras", "onnxruntime", "openvino")
    with pytest.raises(BundleError, match=r"bare: holds no model.onnx, .*`tumorscan export`"):
        load_engine(_bare(tmp_path, tiny_bundle))
    with pytest.raises(EnvironmentProblem, match="pip install onnxruntime"):
        load_engine(bundle)


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ({"name": "fast"}, f"no engine 'fast': choose one of {', '.join(CHOICES)}"),
        ({"threads": 0}, "an engine on 0 threads: give 1 or more"),
    ],
)
def test_unknown_choices(bundle, arguments, cause):
    with pytest.raises(SettingsError, match=cause):
        load_engine(bundle, **arguments)


_WATCHED = """
import sys
import numpy as np

def watch(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.posix_spawn")):
        raise SystemExit(f"{event} {arguments}")

sys.addaudithook(watch)
from pathlib import Path
from tumorscan.detect.engines import load_engine
from tumorscan.model.bundle import read_bundle

load_engine(read_bundle(Path(sys.argv[1])), sys.argv[2]).run(np.zeros((1, 96, 96, 3), np.uint8))
assert not any(one.startswith("openvino_telemetry.") for one in sys.modules)
"""


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_nothing_is_told_to_anyone(tmp_path, bundle, name):
    """Both report to their makers when they are imported, unless they are kept from it."""
    pytest.importorskip(name)
    home = tmp_path / "home"
    home.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", _WATCHED, str(bundle.folder), name],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
        | {"HOME": str(home)},
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not list(home.iterdir())


def test_usable_cores_are_those_granted(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 5, 7}, raising=False)
    assert usable_cores() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert usable_cores() == 1
