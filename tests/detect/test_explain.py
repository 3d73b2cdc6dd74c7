from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.detect.explain import Box, PooledHead, evidence_for, explain, read_head
from tumorscan.errors import BundleError
from tumorscan.model.bundle import HEAD, add_files, read_bundle
from tumorscan.types import Frame, Verdict

WHOLE = Frame(0, 0, 64, 64, 0, 0, 64, 64, 64)
# One channel that speaks for a tumor, one against.
HEAD_OF_TWO = PooledHead(
    np.eye(2, dtype=np.float32), np.zeros(2, np.float32), np.float32([1.0, -1.0]), np.float32(0.0)
)


def _map(**cells: list[tuple[int, int, float]]) -> np.ndarray:
    drawn = np.zeros((4, 4, 2), np.float32)
    for name, places in cells.items():
        for row, column, value in places:
            drawn[row, column, {"tumor": 0, "no_tumor": 1}[name]] = value
    return drawn


def _explain(feature_map, said=Verdict.TUMOR, frame=WHOLE):
    return explain(said, feature_map, feature_map.mean(axis=(0, 1)), HEAD_OF_TWO, frame)


@pytest.mark.parametrize("said", [Verdict.TUMOR, Verdict.NO_TUMOR])
def test_equal_to_the_gradient_tape(tiny_bundle, rng, said):
    tf = pytest.importorskip("tensorflow")
    from tumorscan.detect.engines.keras_engine import load
    from tumorscan.model.bundle import WEIGHTS
    from tumorscan.model.export import pooled_head
    from tumorscan.model.heads import NORM, POOL

    network = load(read_bundle(tiny_bundle), WEIGHTS).network
    for variable in network.get_layer(NORM).weights:  # fresh norms do nothing
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    head = PooledHead(**pooled_head(network))
    import keras

    pool = network.get_layer(POOL)
    below = keras.Model(network.input, pool.input)
    above = keras.Model(pool.input, network.output)
    feature_map = below(rng.integers(0, 256, (1, 96, 96, 3), dtype=np.uint8))
    with tf.GradientTape() as tape:
        tape.watch(feature_map)
        logit = above(feature_map, training=False)[0, 0]
    weights = tape.gradient(logit, feature_map).numpy()[0].mean(axis=(0, 1))
    feature_map = feature_map.numpy()[0]
    wanted = np.maximum((feature_map @ weights) * (1 if said is Verdict.TUMOR else -1), 0)
    found = evidence_for(said, feature_map, feature_map.mean(axis=(0, 1)), head)
    assert wanted.max() > 1e-4
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found / found.max(), wanted / wanted.max(), rtol=0, atol=1e-5)


def test_each_verdict_has_its_own_map():
    feature_map = _map(tumor=[(0, 1, 8.0)], no_tumor=[(3, 2, 4.0)])
    for_tumor, against = (_explain(feature_map, said) for said in (Verdict.TUMOR, Verdict.NO_TUMOR))
    assert np.argwhere(for_tumor.evidence).tolist() == [[0, 1]]
    assert np.argwhere(against.evidence).tolist() == [[3, 2]]
    assert for_tumor.peak == (24.0, 8.0)
    assert against.peak == (40.0, 56.0)


@pytest.mark.parametrize(
    ("cells", "said"),
    [({}, Verdict.TUMOR), ({}, Verdict.NO_TUMOR), ({"no_tumor": [(1, 1, 3.0)]}, Verdict.TUMOR)],
    ids=["dark, tumor", "dark, no tumor", "all against"],
)
def test_no_evidence_has_no_place(cells, said):
    found = _explain(_map(**cells), said)
    assert (found.peak, found.box) == (None, None)
    assert not found.evidence.any()


def test_the_box_holds_the_neighbourhood_of_the_peak_alone():
    # The far cell is strong too, but does not touch; the weak neighbour is under half.
    found = _explain(_map(tumor=[(1, 1, 8.0), (1, 2, 5.0), (2, 2, 1.0), (3, 0, 7.0)]))
    assert found.box == Box(16.0, 16.0, 32.0, 16.0)
    assert found.peak == pytest.approx((16 + 8 + 16 * 5 / 22, 24.0))  # drawn to its strong neighbour


def test_places_are_carried_back_to_the_scan():
    # A head of 80 x 40 at (10, 20), padded to a square.
    frame = Frame(10, 20, 80, 40, 0, 20, 80, 80, 64)
    found = _explain(_map(tumor=[(1, 2, 1.0)]), frame=frame)
    assert found.peak == (10 + 50, 20 + 10)
    assert found.box == Box(50.0, 20.0, 20.0, 20.0)
    in_the_padding = _explain(_map(tumor=[(0, 2, 1.0)]), frame=frame)
    assert in_the_padding.peak == (60, 20)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_evidence_is_what_it_says(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 8, 2)
    channels, hidden = rng.integers(1, 6, 2)
    feature_map = rng.normal(size=(*shape, channels)).astype(np.float32)
    head = PooledHead(
        rng.normal(size=(channels, hidden)).astype(np.float32),
        rng.normal(size=hidden).astype(np.float32),
        rng.normal(size=hidden).astype(np.float32),
        np.float32(0),
    )
    embedding = feature_map.mean(axis=(0, 1))
    yes, no = (evidence_for(said, feature_map, embedding, head) for said in (Verdict.TUMOR, Verdict.NO_TUMOR))
    assert yes.min() >= 0
    assert no.min() >= 0
    assert not np.any((yes > 0) & (no > 0))
    np.testing.assert_allclose((yes - no).sum(), embedding @ head.gradient(embedding), rtol=1e-3, atol=1e-4)
    found = explain(Verdict.TUMOR, feature_map, embedding, head, WHOLE)
    if found.peak is not None:
        x, y = found.peak
        box = found.box
        assert box.left <= x <= box.left + box.width
        assert box.top <= y <= box.top + box.height
        assert 0 <= box.left < box.left + box.width <= 64.0001


def test_read_head(tiny_bundle):
    head = read_head(read_bundle(tiny_bundle))
    assert head.kernel.shape == (128, 64)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"drop": (HEAD,)}, r"holds no head\.npz .*`tumorscan export`"),
        ({"files": {HEAD: b"a letter"}}, r"head\.npz: not the head of a network"),
        ({"files": {HEAD: "one array"}}, r"head\.npz: not the head of a network"),
        ({"files": {HEAD: "odd shapes"}}, r"a head of the shapes .* cannot be"),
    ],
    ids=["never exported", "damaged", "incomplete", "odd shapes"],
)
def test_a_head_that_cannot_be_read(tmp_path, tiny_bundle, change, cause):
    import shutil

    from tumorscan.model.checkpoint import npz_bytes

    odd = {"kernel": np.ones((3, 2)), "bias": np.ones(3), "out": np.ones(2), "offset": np.float32(1)}
    made = {"one array": npz_bytes({"kernel": np.ones(3)}), "odd shapes": npz_bytes(odd)}
    files = {name: made.get(value, value) for name, value in change.get("files", {}).items()}
    folder = tmp_path / "b"
    shutil.copytree(tiny_bundle, folder)
    bundle = add_files(read_bundle(folder), files, drop=change.get("drop", ()))
    with pytest.raises(BundleError, match=cause):
        read_head(bundle)
