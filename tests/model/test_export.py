from __future__ import annotations

import importlib

import numpy as np
import pytest

from tumorscan.config import ModelSettings
from tumorscan.errors import BundleError, DataError, MissingExtra
from tumorscan.model.heads import POOL
from tumorscan.model.network import build_network

keras = pytest.importorskip("keras")
onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.usefixtures("without_graphs")

from tumorscan.model.export import OUTPUTS, load_onnx, onnx_files, pooled_head, to_onnx  # noqa: E402 - behind the skips
from tumorscan.model.quantise import to_int8  # noqa: E402 - behind the skips


def _network(trunk: str, size: int):
    """Fresh kernels, and norms that do something."""
    keras.utils.set_random_seed(5)
    network = build_network(ModelSettings(trunk=trunk, weights="none", dense=16), size)
    rng = np.random.default_rng(5)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for variable in (layer.gamma, layer.moving_variance):
                variable.assign(rng.uniform(0.7, 1.3, variable.shape))
            for variable in (layer.beta, layer.moving_mean):
                variable.assign(rng.normal(0, 0.1, variable.shape))
        elif isinstance(layer, keras.layers.Normalization):
            layer.adapt_mean.assign(np.full(layer.adapt_mean.shape, 0.4, np.float32))
            layer.adapt_variance.assign(np.full(layer.adapt_variance.shape, 0.05, np.float32))
            layer.finalize_state()
    return network


@pytest.fixture(scope="module")
def small():
    return _network("Small", 64)


def _answers(files, tmp_path, pictures):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    session = runtime.InferenceSession(str(tmp_path / min(files)), providers=["CPUExecutionProvider"])
    return session.run(list(OUTPUTS), {"pixels": pictures})


@pytest.mark.parametrize(
    ("trunk", "size"),
    [
        ("Small", 64),
        # An odd side: "same" padding is lopsided there.
        ("Small", 65),
        pytest.param("ResNet50V2", 64, marks=pytest.mark.slow),
        pytest.param("EfficientNetB0", 65, marks=pytest.mark.slow),
    ],
)
def test_the_export_is_the_network(tmp_path, rng, trunk, size):
    network = _network(trunk, size)
    files = to_onnx(network, "model.onnx")
    assert sorted(files) == ["model.onnx", "model.onnx.data"]
    pool = network.get_layer(POOL)
    looking = keras.Model(network.input, [network.output, pool.input, pool.output])
    for batch in (1, 7):
        pictures = rng.integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
        logit, feature_map, embedding = _answers(files, tmp_path, pictures)
        wanted = looking.predict_on_batch(pictures)
        np.testing.assert_allclose(logit, wanted[0][:, 0], rtol=1e-4, atol=1e-5)
        for found, one in ((feature_map, wanted[1]), (embedding, wanted[2])):
            np.testing.assert_allclose(found, one, rtol=1e-3, atol=1e-4 * np.abs(one).max())
        head = pooled_head(network)
        by_hand = np.maximum(embedding @ head["kernel"] + head["bias"], 0) @ head["out"] + head["offset"]
        np.testing.assert_allclose(by_hand, logit, rtol=1e-4, atol=1e-5)


def test_norms_and_paddings_are_folded_away(small):
    kinds = {node.op_type for node in load_onnx(to_onnx(small, "m.onnx")).graph.node}
    assert not {"BatchNormalization", "Pad", "Dropout"} & kinds


def test_the_same_weights_give_the_same_bytes(small):
    assert to_onnx(small, "m.onnx") == to_onnx(small, "m.onnx")


def test_files_come_together_again(small):
    model = load_onnx(to_onnx(small, "m.onnx"))
    onnx.checker.check_model(model, full_check=True)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert onnx_files(model, "m.onnx") == to_onnx(small, "m.onnx")


def test_arrays_begin_at_pages(small):
    model = onnx.load_model_from_string(to_onnx(small, "m.onnx")["m.onnx"])
    places = [
        {entry.key: entry.value for entry in one.external_data}
        for one in model.graph.initializer
        if one.external_data
    ]
    assert places
    assert all(int(place["offset"]) % 4096 == 0 for place in places)
    assert {place["location"] for place in places} == {"m.onnx.data"}


@pytest.mark.parametrize(
    ("layer", "cause"),
    [
        (lambda: keras.layers.Conv2D(4, 3, dilation_rate=2, name="odd"), "dilation"),
        (lambda: keras.layers.DepthwiseConv2D(3, depth_multiplier=2, name="odd"), "a depth multiplier"),
        (lambda: keras.layers.Conv2D(4, 3, activation="gelu", name="odd"), "the activation gelu"),
        (lambda: keras.layers.ReLU(6.0, name="odd"), "a ReLU with a limit"),
        (lambda: keras.layers.MaxPooling2D(2, padding="same", name="odd"), "a padding other than"),
        (lambda: keras.layers.AveragePooling2D(2, name="odd"), "no rule for AveragePooling2D"),
        (lambda: keras.layers.Reshape((32, 32, 12), name="odd"), "a reshape to"),
    ],
)
def test_a_layer_without_a_counterpart(layer, cause):
    pixels = keras.Input((64, 64, 3), dtype="uint8", name="pixels")
    x = layer()(keras.layers.Rescaling(1 / 255, name="scale")(pixels))
    x = keras.layers.GlobalAveragePooling2D(name=POOL)(x)
    network = keras.Model(pixels, keras.layers.Dense(1)(x))
    with pytest.raises(
        BundleError, match=rf"layer 'odd' cannot be exported to ONNX \(.*{cause}.*--engine keras"
    ):
        to_onnx(network, "m.onnx")


def test_onnx_is_not_installed(monkeypatch, small):
    real = importlib.import_module

    def without(name, *more):
        if name.partition(".")[0] == "onnx":
            raise ModuleNotFoundError(name)
        return real(name, *more)

    monkeypatch.setattr("tumorscan.errors.import_module", without)
    with pytest.raises(MissingExtra, match=r"onnx is not installed: pip install 'tumorscan\[train\]'"):
        to_onnx(small, "m.onnx")


def test_int8_is_small_close_and_silent(tmp_path, small, rng, capfd, caplog):
    pictures = rng.integers(0, 256, (13, 8, 8, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    exact = to_onnx(small, "m.onnx")
    capfd.readouterr()
    twin = to_int8(exact, pictures, "m.int8.onnx")
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert sum(map(len, twin.values())) < 0.5 * sum(map(len, exact.values()))
    logit, feature_map, _ = _answers(twin, tmp_path, pictures)
    wanted, wanted_map, _ = _answers(exact, tmp_path, pictures)
    assert np.abs(logit - wanted).max() < 0.1 * np.ptp(wanted) + 0.05
    assert np.corrcoef(feature_map.ravel(), wanted_map.ravel())[0, 1] > 0.99


def test_int8_needs_pictures(small):
    with pytest.raises(DataError, match=r"int8 needs pictures of the training split.*--no-int8"):
        to_int8(to_onnx(small, "m.onnx"), np.empty((0, 64, 64, 3), np.uint8), "m.int8.onnx")
