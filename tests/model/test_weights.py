from __future__ import annotations

import pickle

import numpy as np
import pytest

from tumorscan.config import ModelSettings
from tumorscan.errors import BundleError, SettingsError
from tumorscan.model import weights as source
from tumorscan.model.network import build_network, trunk_layers
from tumorscan.model.weights import fill, load_trunk_weights, named_weights, read_npz

keras = pytest.importorskip("keras")

pytestmark = pytest.mark.usefixtures("without_graphs")


@pytest.fixture(scope="module")
def network():
    return build_network(ModelSettings(weights="none"), 64)


@pytest.fixture(scope="module")
def bare():
    """A trunk as a user would have it from Keras."""
    keras.utils.set_random_seed(3)
    return keras.applications.ResNet50V2(include_top=False, weights=None)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".npz"])
def test_every_file_kind_fills_the_whole_trunk(tmp_path, network, bare, suffix):
    path = tmp_path / f"trunk{suffix}"
    if suffix == ".npz":
        np.savez(path, **named_weights(bare.layers))
    elif suffix == ".keras":
        bare.save(path)
    else:
        bare.save_weights(path)
    report = load_trunk_weights(network, ModelSettings(weights=str(path)))
    assert len(report.filled) == 270
    assert not report.fresh
    assert len(report.sha256) == 64
    ours, theirs = named_weights(trunk_layers(network)), named_weights(bare.layers)
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value)


def test_part_of_a_trunk_says_what_is_fresh(tmp_path, network, bare):
    named = {k: v for k, v in named_weights(bare.layers).items() if not k.startswith("conv5_block3_3_conv")}
    np.savez(tmp_path / "part.npz", **named)
    report = load_trunk_weights(network, ModelSettings(weights=str(tmp_path / "part.npz")))
    assert report.fresh == ("conv5_block3_3_conv/bias", "conv5_block3_3_conv/kernel")
    assert report.fresh_layers == {"conv5_block3_3_conv"}
    assert "268 of 270" in str(report)


def test_none_fills_nothing(network):
    report = load_trunk_weights(network, ModelSettings(weights="none"))
    assert not report.filled
    assert len(report.fresh) == 270


def test_failed_download_names_the_way_out(network, monkeypatch):
    def no_network(name, weights):
        raise Exception("URL fetch failure")  # noqa: TRY002 - what Keras raises

    monkeypatch.setattr(source, "bare_trunk", no_network)
    with pytest.raises(BundleError, match=r"could not be fetched.*give --weights default"):
        load_trunk_weights(network, ModelSettings(weights="imagenet"))


def test_the_small_trunk_has_no_imagenet_weights():
    settings = ModelSettings(trunk="Small", weights="imagenet")
    with pytest.raises(SettingsError, match="this project's own"):
        load_trunk_weights(build_network(settings, 64), settings)


def test_efficientnet_from_imagenet_equals_keras_own_graph(monkeypatch, rng):
    """Keras scales EfficientNet's input once more when it loads ImageNet weights; we fold that in."""
    std = [0.229, 0.224, 0.225]
    trunk = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(64, 64, 3))
    norm = next(layer for layer in trunk.layers if type(layer).__name__ == "Normalization")
    norm.weights[0].assign(np.float32([0.485, 0.456, 0.406]))
    norm.weights[1].assign(np.float32(std))
    norm.finalize_state()
    again = keras.layers.Rescaling([1 / np.sqrt(s) for s in std])(norm.output)
    upper = keras.Model(norm.output, trunk.output)
    with_extra = keras.Model(trunk.input, upper(again))
    monkeypatch.setattr(source, "bare_trunk", lambda *_: trunk)
    settings = ModelSettings(trunk="EfficientNetB0", weights="imagenet")
    ours = build_network(settings, 64)
    load_trunk_weights(ours, settings)
    top = keras.Model(ours.input, trunk_layers(ours)[-1].output)
    pictures = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    np.testing.assert_allclose(
        np.asarray(top.predict_on_batch(pictures)),
        np.asarray(with_extra.predict_on_batch(pictures.astype(np.float32))),
        atol=1e-4,
    )


def _garbage(path):
    path.write_bytes(b"not an archive at all")


def _pickled(path):
    np.savez(path, conv=np.array([{"a": 1}], dtype=object))


def _pickle_itself(path):
    path.write_bytes(pickle.dumps({"conv1_conv/kernel": 1}))


def _other_network(path):
    np.savez(path, **{"some_layer/kernel": np.zeros((3, 3), np.float32)})


def _wrong_shape(path):
    np.savez(path, **{"conv1_conv/kernel": np.zeros((3, 3, 3, 64), np.float32)})


def _not_finite(path):
    np.savez(path, **{"conv1_conv/bias": np.full(64, np.nan, np.float32)})


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("absent.npz", None, "there is no such weights file"),
        ("weights.pth", _garbage, "weights are read from .npz, .weights.h5, .h5 and .keras"),
        ("garbage.npz", _garbage, "not a readable .npz"),
        ("garbage.keras", _garbage, "not a Keras model that can be loaded safely"),
        ("garbage.weights.h5", _garbage, "does not fit ResNet50V2"),
        ("objects.npz", _pickled, "not a readable .npz of plain arrays"),
        ("pickle.npz", _pickle_itself, "not a readable .npz of plain arrays"),
        ("other.npz", _other_network, "holds no variable of ResNet50V2"),
        (
            "shape.npz",
            _wrong_shape,
            r"conv1_conv/kernel has shape \(3, 3, 3, 64\), the network \(7, 7, 3, 64\)",
        ),
        ("nan.npz", _not_finite, "conv1_conv/bias holds nan or infinity"),
    ],
)
def test_refused(tmp_path, network, name, make, message):
    path = tmp_path / name
    if make:
        make(path)
    with pytest.raises(BundleError, match=message) as caught:
        load_trunk_weights(network, ModelSettings(weights=str(path)))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_lambda_layer_is_refused(tmp_path, network):
    """A model file must not be a way to run code."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x + 1)])
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(BundleError, match="loaded safely"):
        load_trunk_weights(network, ModelSettings(weights=str(tmp_path / "lambda.keras")))


def test_fill_reports_only_what_fits(network):
    name = "conv1_conv/bias"
    assert fill(network.layers, {name: np.zeros(64, np.float32), "x/y": np.zeros(1)}, "test") == [name]


def test_read_npz_round_trip(tmp_path, rng):
    arrays = {"a/b": rng.normal(size=(2, 3)).astype(np.float32), "c": np.arange(4)}
    np.savez(tmp_path / "a.npz", **arrays)
    back = read_npz(tmp_path / "a.npz")
    assert set(back) == set(arrays)
    for name, value in arrays.items():
        np.testing.assert_array_equal(back[name], value)


@pytest.mark.data
def test_the_shared_file_fills_237(data_dir, network):
    path = data_dir.parent / "weights" / "resnet50v2_imagenet_conv1_conv4.npz"
    report = load_trunk_weights(network, ModelSettings(weights=str(path)))
    assert len(report.filled) == 237
    assert len(report.fresh) == 33
    assert all(name.startswith("conv5_") for name in report.fresh)


def test_a_filled_normalization_computes_with_what_was_filled():
    layer = keras.layers.Normalization(axis=-1)
    layer.build((None, 4, 4, 3))
    fill([layer], {"normalization/mean": np.full(3, 2.0), "normalization/variance": np.full(3, 4.0)}, "x")
    np.testing.assert_allclose(np.asarray(layer(np.full((1, 4, 4, 3), 6.0, np.float32))), 2.0, rtol=1e-6)
