"""The evidence head: monotone, the same in Keras and in ONNX with float16 kernels; its losses; its norm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tumorscan.config import EvidenceSettings, ModelSettings
from tumorscan.errors import BundleError, SettingsError
from tumorscan.model.heads import CELLS, GATHER, LOGIT, NORM, seams
from tumorscan.model.network import build_network

keras = pytest.importorskip("keras")
onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.usefixtures("without_graphs")

from tumorscan.detect.engines.keras_engine import KerasEngine  # noqa: E402 - behind the skips
from tumorscan.model.evidence_loss import cells_loss, image_auc, image_loss  # noqa: E402 - behind the skips
from tumorscan.model.export import LESION, OUTPUTS, load_onnx, to_onnx  # noqa: E402 - behind the skips
from tumorscan.model.halve import halve, halved  # noqa: E402 - behind the skips
from tumorscan.model.heads import gather_layer, highest_layer  # noqa: E402 - behind the skips
from tumorscan.model.weights import fill, named_weights  # noqa: E402 - behind the skips

SETTINGS = ModelSettings(trunk="Small", weights="none", head="evidence", dense=8)
FLOATS = st.floats(-60, 60, width=32)
GRIDS = arrays(np.float32, (1, 8, 8, 1), elements=FLOATS)


def _network(settings: ModelSettings = SETTINGS):
    """Fresh kernels, and norms that do something."""
    keras.utils.set_random_seed(5)
    network = build_network(settings, 64)
    rng = np.random.default_rng(5)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for variable in (layer.gamma, layer.moving_variance):
                variable.assign(rng.uniform(0.7, 1.3, variable.shape))
            for variable in (layer.beta, layer.moving_mean):
                variable.assign(rng.normal(0, 0.1, variable.shape))
    cells = network.get_layer(CELLS).kernel
    cells.assign(5 * np.asarray(cells))  # so that pictures differ
    network.get_layer(LOGIT).kernel.assign([[1.7]])
    network.get_layer(LOGIT).bias.assign([0.3])
    return network


def _pictures(count: int = 9) -> np.ndarray:
    small = np.random.default_rng(2).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return small.repeat(8, axis=1).repeat(8, axis=2)


def _looking(network):
    inside = seams(network)
    mean = keras.layers.GlobalAveragePooling2D()(inside.features)
    return keras.Model(network.input, [network.output, inside.map, mean])


@pytest.fixture(scope="module")
def halves():
    """A halved network, what it said before and says now, its ONNX files."""
    network = _network()
    before = _looking(network).predict_on_batch(_pictures())
    halve(network, _pictures())
    return (
        network,
        before,
        _looking(network).predict_on_batch(_pictures()),
        to_onnx(network, "m.onnx", half=True),
    )


def _session(files, folder):
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return runtime.InferenceSession(str(folder / min(files)), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def last_part(halves):
    """From the cells of the exported network to its logit, as a function."""
    model = load_onnx(halves[3])
    cells = next(one.input[0] for one in model.graph.node if one.name == f"{GATHER}/highest")
    extractor = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(model))
    part = extractor.extract_model([cells], ["logit"])
    session = runtime.InferenceSession(part.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda grid: session.run(None, {cells: grid.transpose(0, 3, 1, 2).copy()})[0]


@settings(max_examples=60)
@given(GRIDS, st.integers(0, 63), st.floats(0, 80, width=32), st.sampled_from([0.01, 1.0, 5.0, 100.0]))
def test_raising_a_cell_never_lowers_what_is_gathered(grid, cell: int, by: float, sharpness: float) -> None:
    layer = gather_layer()(sharpness)
    raised = grid.copy()
    raised.flat[cell] += np.float32(by)
    low, high = (float(np.asarray(layer(one))[0, 0]) for one in (grid, raised))
    assert high >= low - 1e-4 * (1 + abs(low)) / min(sharpness, 1)
    assert grid.min() - 1e-2 <= low <= grid.max() + 1e-2
    if sharpness == 100:
        assert low == pytest.approx(grid.max(), abs=0.05)


@settings(max_examples=60)
@given(GRIDS, st.integers(0, 63), st.floats(0, 80, width=32), st.sampled_from([1, 4, 64]))
def test_the_mean_of_the_highest_cells(grid, cell: int, by: float, count: int) -> None:
    layer = highest_layer()(count)
    raised = grid.copy()
    raised.flat[cell] += np.float32(by)
    low, high = (float(np.asarray(layer(one))[0, 0]) for one in (grid, raised))
    assert low == pytest.approx(np.sort(grid, axis=None)[-count:].mean(), abs=1e-4)
    assert high >= low - 1e-4


def test_no_more_cells_than_there_are() -> None:
    with pytest.raises(SettingsError, match=r"model.highest=17 is more than the 4 x 4 cells there are"):
        build_network(replace(SETTINGS, highest=17), 64)


@settings(max_examples=60)
@given(arrays(np.float32, (1, 4, 4, 1), elements=FLOATS), st.integers(0, 15), st.floats(0, 80, width=32))
def test_raising_a_cell_never_lowers_the_exported_logit(last_part, grid, cell: int, by: float) -> None:
    raised = grid.copy()
    raised.flat[cell] += np.float32(by)
    assert last_part(raised)[0] >= last_part(grid)[0] - 1e-4


def test_the_exported_end_is_keras_own(last_part, halves) -> None:
    network = halves[0]
    end = keras.Model(network.get_layer(CELLS).output, network.output)
    for scale in (0.1, 5, 60, 500):
        grid = np.random.default_rng(3).normal(0, scale, (7, 4, 4, 1)).astype(np.float32)
        np.testing.assert_allclose(last_part(grid), end.predict_on_batch(grid)[:, 0], rtol=1e-5, atol=1e-4)


def test_a_logit_weight_below_zero_is_put_back() -> None:
    network = _network()
    layer = network.get_layer(LOGIT)
    layer.kernel.assign([[0.01]])
    network.compile(keras.optimizers.SGD(5.0), loss=lambda _, z: keras.ops.sum(z))
    network.fit(_pictures(2), np.zeros((2, 1)), verbose=0)
    assert np.asarray(layer.kernel).min() >= 0


def test_seams() -> None:
    network = _network()
    inside = seams(network)
    assert inside.map.shape[1:] == (4, 4, 1)
    assert inside.features is network.get_layer(NORM).input
    pooled = build_network(replace(SETTINGS, head="pooled"), 64)
    assert seams(pooled).map is seams(pooled).features


def test_halving_changes_next_to_nothing(halves) -> None:
    network, before, after, _ = halves
    np.testing.assert_allclose(after[0], before[0], atol=0.01)
    np.testing.assert_allclose(after[1], before[1], atol=0.02)
    for name, values in named_weights(network.layers).items():
        if name.endswith("/kernel"):
            assert np.array_equal(values, values.astype(np.float16).astype(np.float32)), name
    kept = halved(named_weights(network.layers))
    kinds = {values.dtype for name, values in kept.items() if name.endswith("/kernel")}
    assert kinds == {np.dtype(np.float16)}
    other = build_network(SETTINGS, 64)
    fill(other.layers, kept, "kept")
    assert np.array_equal(other.predict_on_batch(_pictures()), network.predict_on_batch(_pictures()))


def test_halving_twice_is_halving_once(halves) -> None:
    network = build_network(SETTINGS, 64)
    fill(network.layers, named_weights(halves[0].layers), "halved")
    halve(network, _pictures())
    np.testing.assert_allclose(network.predict_on_batch(_pictures()), halves[2][0], atol=1e-4)


@pytest.mark.parametrize("batch", [1, 7])
def test_openvino_says_the_same(halves, batch: int) -> None:
    openvino = pytest.importorskip("openvino")
    core, pictures = openvino.Core(), _pictures()[:batch]
    model = core.read_model(load_onnx(halves[3]).SerializeToString())
    request = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    request.infer({"pixels": pictures})
    found = np.array(request.get_tensor("logit").data)
    np.testing.assert_allclose(found, halves[2][0][:batch, 0], atol=1e-3)


@pytest.mark.parametrize("batch", [1, 7])
def test_keras_and_onnx_with_float16_kernels_say_the_same(halves, tmp_path, batch: int) -> None:
    _, _, wanted, files = halves
    found = _session(files, tmp_path).run(list(OUTPUTS), {"pixels": _pictures()[:batch]})
    np.testing.assert_allclose(found[0], wanted[0][:batch, 0], atol=1e-3)
    for one, other in zip(found[1:], wanted[1:], strict=True):
        np.testing.assert_allclose(one, other[:batch], atol=1e-3)
    assert np.ptp(wanted[0]) > 0.01, "the pictures all look the same to it"


def test_a_linear_head_and_the_highest_cells_are_exported(tmp_path) -> None:
    network = _network(replace(SETTINGS, dense=0, highest=3))
    assert not [layer for layer in network.layers if layer.name in ("head_narrow", "head_around")]
    halve(network, _pictures())
    wanted = _looking(network).predict_on_batch(_pictures())
    session = _session(to_onnx(network, "m.onnx", half=True), tmp_path)
    for batch in (1, 7):
        found = session.run(list(OUTPUTS), {"pixels": _pictures()[:batch]})
        np.testing.assert_allclose(found[0], wanted[0][:batch, 0], atol=1e-3)
        np.testing.assert_allclose(found[1], wanted[1][:batch], atol=1e-3)
    assert np.ptp(wanted[0]) > 0.01, "the pictures all look the same to it"


def test_the_lesion_is_the_features_weighed_by_the_cells(halves, tmp_path) -> None:
    network, _, _, files = halves
    inside = seams(network)
    features, cells = keras.Model(network.input, [inside.features, inside.map]).predict_on_batch(_pictures())
    likely = 1 / (1 + np.exp(-np.asarray(cells, np.float64)))
    wanted = (features * likely).sum((1, 2)) / likely.sum((1, 2))
    (found,) = _session(files, tmp_path).run([LESION], {"pixels": _pictures()})
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    np.testing.assert_allclose(KerasEngine(network).run(_pictures()).lesion, wanted, atol=1e-3)


def test_float16_takes_half_the_bytes(halves) -> None:
    full = to_onnx(halves[0], "m.onnx")
    assert sum(map(len, halves[3].values())) < 0.62 * sum(map(len, full.values()))
    kernels = [
        one for one in load_onnx(halves[3]).graph.initializer if one.data_type == onnx.TensorProto.FLOAT16
    ]
    assert len(kernels) == 6 + 4 + 1
    assert to_onnx(halves[0], "m.onnx", half=True) == halves[3]


def test_a_network_that_was_not_halved_is_refused() -> None:
    with pytest.raises(BundleError, match=r"/kernel is no array of float16 numbers: export it in float32"):
        to_onnx(_network(), "m.onnx", half=True)


def test_the_embedding_is_what_stands_before_the_norm(tmp_path) -> None:
    """A trunk that ends in a convolution: the head's norm must not be folded into what is shown."""
    network = _network(replace(SETTINGS, cut="conv6"))
    wanted = _looking(network).predict_on_batch(_pictures())
    found = _session(to_onnx(network, "m.onnx"), tmp_path).run(list(OUTPUTS), {"pixels": _pictures()})
    np.testing.assert_allclose(found[0], wanted[0][:, 0], atol=1e-4)
    np.testing.assert_allclose(found[2], wanted[2], atol=1e-4)


def _loss(made, truth, logits) -> float:
    return float(np.asarray(made(keras.ops.convert_to_tensor(truth), keras.ops.convert_to_tensor(logits))))


def test_cells_loss_by_hand() -> None:
    targets, weights = np.zeros((2, 1, 4, 5), np.float32)
    targets[0, 0, 0], weights[:] = 1, 1
    weights[0, 3, 4] = 0
    z = np.random.default_rng(1).normal(0, 2, (1, 4, 5)).astype(np.float32)
    entropy = np.logaddexp(0, z) - targets * z
    empty = np.sort(entropy[(targets == 0) & (weights > 0)])
    wanted = 0.5 * entropy[0, 0, 0] + 0.25 * empty.mean() + 0.25 * empty[-2:].mean()
    truth, nothing = np.stack([targets, weights], axis=-1), np.zeros((1, 4, 5, 2), np.float32)
    moved = z.copy()
    moved[0, 3, 4] = 50  # ignored
    for cells, by_hand in (("halves", wanted), ("mean", entropy[weights > 0].mean())):
        made = cells_loss(EvidenceSettings(hardest=0.1, cells=cells))
        assert _loss(made, truth, z[..., None]) == pytest.approx(by_hand, rel=1e-5)
        assert _loss(made, truth, moved[..., None]) == pytest.approx(by_hand, rel=1e-5)
        assert _loss(made, nothing, z[..., None]) == 0


def test_image_loss_and_metrics_heed_weights() -> None:
    truth = np.array([[1, 1], [0, 1], [1, 0], [0, 0]], np.float32)
    z = np.array([[2.0], [-1.0], [-9.0], [9.0]], np.float32)
    wanted = (np.logaddexp(0, -2) + np.logaddexp(0, -1)) / 4
    assert _loss(image_loss(), truth, z) == pytest.approx(wanted, rel=1e-5)
    assert _loss(image_loss(), truth * np.float32([1, 0]), z) == 0
    for metric in (image_auc(), image_auc(accuracy=True)):
        metric.update_state(truth, z)
        assert float(metric.result()) == pytest.approx(1, abs=1e-3)
