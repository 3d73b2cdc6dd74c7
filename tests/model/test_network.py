from __future__ import annotations

import numpy as np
import pytest

from tumorscan.config import ModelSettings
from tumorscan.model.network import (
    behind_fresh_kernels,
    build_network,
    cut_below,
    head_layers,
    inputs_of,
    train_only,
    trunk_layers,
)
from tumorscan.model.train import unfrozen_layers

keras = pytest.importorskip("keras")

pytestmark = pytest.mark.usefixtures("without_graphs")

# The kernels that ../shared/weights does not hold, as its README says.
FRESH = {
    "conv5_block1_0_conv", "conv5_block1_2_conv", "conv5_block1_3_conv", "conv5_block2_1_conv",
    "conv5_block2_2_conv", "conv5_block2_3_conv", "conv5_block3_1_conv", "conv5_block3_2_conv",
    "conv5_block3_3_conv",
}  # fmt: skip


@pytest.fixture(scope="module")
def resnet():
    return build_network(ModelSettings(weights="none"), 64)


@pytest.mark.parametrize("trunk", ["ResNet50V2", "EfficientNetB0", "Small"])
@pytest.mark.parametrize("count", [1, 7])
def test_uint8_pictures_in_one_logit_out(trunk, count):
    network = build_network(ModelSettings(trunk=trunk, weights="none"), 64)
    logits = np.asarray(network.predict_on_batch(np.zeros((count, 64, 64, 3), np.uint8)))
    assert logits.shape == (count, 1)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def test_resnet_sees_minus_one_to_one(resnet):
    scaled = keras.Model(resnet.input, resnet.get_layer("scale").output)
    ends = np.stack([np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)])
    out = np.asarray(scaled.predict_on_batch(ends))
    np.testing.assert_allclose([out.min(), out.max()], [-1, 1], atol=1e-6)


def test_head_is_the_originals(resnet):
    kinds = [type(layer).__name__ for layer in head_layers(resnet)]
    assert kinds == ["GlobalAveragePooling2D", "Dense", "BatchNormalization", "ReLU", "Dropout", "Dense"]
    assert resnet.get_layer("head_dense").units == 256
    assert resnet.get_layer("head_dropout").rate == 0.5


def test_graph_is_flat(resnet):
    assert not [layer for layer in resnet.layers if isinstance(layer, keras.Model)]
    assert (
        len(trunk_layers(resnet))
        == len(keras.applications.ResNet50V2(include_top=False, weights=None).layers) - 1
    )


def test_norms_that_train_are_those_behind_fresh_kernels(resnet):
    names = [layer.name for layer in behind_fresh_kernels(resnet, FRESH)]
    assert names == [
        "conv5_block1_2_bn", "conv5_block2_preact_bn", "conv5_block2_1_bn", "conv5_block2_2_bn",
        "conv5_block3_preact_bn", "conv5_block3_1_bn", "conv5_block3_2_bn", "post_bn",
    ]  # fmt: skip


def test_no_norm_trains_when_all_is_filled(resnet):
    assert behind_fresh_kernels(resnet, set()) == []
    layers = unfrozen_layers(resnet, 40, [])
    assert layers
    assert not [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def test_top_forty_are_counted_from_the_trunks_end(resnet):
    norms = behind_fresh_kernels(resnet, FRESH)
    names = {layer.name for layer in unfrozen_layers(resnet, 40, norms)}
    top = {layer.name for layer in trunk_layers(resnet)[-40:]}
    assert names <= top
    assert {"conv4_block6_3_conv", "conv5_block1_0_conv", "post_bn", "conv5_block3_3_conv"} <= names
    assert "conv4_block6_2_conv" not in names
    assert unfrozen_layers(resnet, 0, norms) == []


@pytest.mark.parametrize(
    ("above", "cut"),
    [
        ({"head_pool"}, "post_relu"),
        ({"head_dense"}, "head_pool"),
        # Inside a residual block two tensors cross, so the cut goes down to the block's entrance.
        ({"conv4_block6_2_relu"}, "conv4_block5_out"),
        ({"conv5_block1_3_conv"}, "conv5_block1_preact_relu"),
    ],
)
def test_cut_is_the_highest_single_tensor(resnet, above, cut):
    assert cut_below(resnet, above).name == cut


def test_two_halves_make_the_whole(resnet, rng):
    cut = resnet.get_layer("conv4_block5_out")
    below, tail = keras.Model(resnet.input, cut.output), keras.Model(cut.output, resnet.output)
    pictures = rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    whole = np.asarray(resnet.predict_on_batch(pictures))
    halves = np.asarray(tail.predict_on_batch(np.asarray(below.predict_on_batch(pictures))))
    np.testing.assert_allclose(halves, whole, atol=1e-5)


def test_train_only_puts_other_norms_in_inference_mode(resnet):
    train_only(resnet, [resnet.get_layer("head_dense")])
    assert [layer.name for layer in resnet.layers if layer.trainable and layer.weights] == ["head_dense"]
    norm = resnet.get_layer("post_bn")
    before = np.asarray(norm.moving_mean)
    resnet(np.full((2, 64, 64, 3), 200, np.uint8), training=True)
    np.testing.assert_array_equal(np.asarray(norm.moving_mean), before)


def test_mixed_precision_leaves_the_logit_and_the_policy_alone():
    network = build_network(ModelSettings(weights="none"), 64, mixed_precision=True)
    assert network.output.dtype == "float32"
    assert network.get_layer("conv2_block1_1_conv").compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"
    assert inputs_of(network.get_layer("head_pool"))[0].shape[-1] == 2048
