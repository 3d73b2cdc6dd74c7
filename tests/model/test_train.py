from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tumorscan.config import PhaseSettings, preset
from tumorscan.errors import DataError
from tumorscan.model import phase as phase_module
from tumorscan.model.checkpoint import Checkpoints
from tumorscan.model.network import behind_fresh_kernels, build_network
from tumorscan.model.phase import Inputs, class_weights
from tumorscan.model.train import TrainingData, settle, train
from tumorscan.model.weights import named_weights

keras = pytest.importorskip("keras")


def settings(**train_changes):
    base = preset("quick")
    small = replace(base.prepare, frame=replace(base.prepare.frame, size=32))
    phases = {
        "batch": 8,
        "unfrozen": 6,
        "frozen": PhaseSettings(epochs=3, rate=1e-2, views=2),
        "tuned": PhaseSettings(epochs=2, rate=1e-4, views=2),
    }
    return replace(base, prepare=small, train=replace(base.train, **{**phases, **train_changes}))


@pytest.fixture(scope="module")
def data():
    """Bright pictures are tumors: learnable by any network."""
    rng = np.random.default_rng(5)

    def draw(count):
        labels = np.arange(count) % 2
        pictures = rng.integers(0, 100, (count, 32, 32, 3)) + labels[:, None, None, None] * 120
        return pictures.astype(np.uint8), labels.astype(np.int64)

    return TrainingData(*draw(20), *draw(10))


@pytest.fixture(scope="module")
def unbroken(data, tmp_path_factory):
    return train(data, settings(), tmp_path_factory.mktemp("unbroken"))


def test_both_phases_are_in_the_history(unbroken):
    assert [row.phase for row in unbroken.history] == ["frozen"] * 3 + ["tuned"] * 2
    assert set(unbroken.by_phase) == {"frozen", "tuned"}
    assert unbroken.chosen.merit == max(row.merit for row in unbroken.history)
    assert all(np.isfinite([row.loss, row.val_loss]).all() for row in unbroken.history)


def test_phase_one_moves_the_head_alone_and_phase_two_the_top(unbroken, data, tmp_path):
    start = Checkpoints(tmp_path)
    train(data, settings(tuned=PhaseSettings(epochs=0, rate=1e-4)), tmp_path)
    before, frozen, tuned = start.read("start"), unbroken.by_phase["frozen"], unbroken.by_phase["tuned"]

    def moved(a, b):
        return {name.rpartition("/")[0] for name in a if not np.array_equal(a[name], b[name])}

    assert moved(before, frozen) == {"head_dense", "head_norm", "head_logit"}
    in_second = moved(frozen, tuned)
    assert in_second == {"conv5", "norm5", "conv6", "norm6", "head_dense", "head_norm", "head_logit"}


@pytest.mark.parametrize("killed_after", [1, 3, 4])
def test_a_killed_run_ends_like_an_unbroken_one(unbroken, data, tmp_path, monkeypatch, killed_after):
    real, done = phase_module.Phase._keep, []

    def kill(self, history, earlier):
        real(self, history, earlier)
        done.append(1)
        if len(done) == killed_after:
            raise KeyboardInterrupt

    monkeypatch.setattr(phase_module.Phase, "_keep", kill)
    with pytest.raises(KeyboardInterrupt):
        train(data, settings(), tmp_path)
    monkeypatch.undo()
    assert len(Checkpoints(tmp_path).history()) == killed_after
    resumed = train(data, settings(), tmp_path)
    assert resumed.chosen.epoch == unbroken.chosen.epoch
    assert [row.epoch for row in resumed.history] == [0, 1, 2, 0, 1]
    ours, theirs = resumed.by_phase["tuned"], unbroken.by_phase["tuned"]
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_it_learns(unbroken, data):
    logits = np.asarray(unbroken.network.predict_on_batch(data.validation))[:, 0]
    tumors, others = logits[data.validation_labels == 1], logits[data.validation_labels == 0]
    assert tumors.min() > others.max()


def test_nothing_large_is_left(data, tmp_path):
    train(data, settings(tuned=PhaseSettings(epochs=0, rate=1e-4)), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best-frozen.npz", "history.json", "last-frozen-2.npz", "start.npz",
    ]  # fmt: skip


def test_no_epochs_at_all_is_refused(data, tmp_path):
    none = PhaseSettings(epochs=0, rate=1e-4)
    with pytest.raises(DataError, match="nothing to train"):
        train(data, settings(frozen=none, tuned=none), tmp_path)


@pytest.mark.parametrize("part", ["training", "validation"])
def test_one_class_is_refused(data, part):
    labels = np.zeros(10, np.int64)
    pictures = np.zeros((10, 32, 32, 3), np.uint8)
    good = (data.validation, data.validation_labels)
    arguments = (pictures, labels, *good) if part == "training" else (*good, pictures, labels)
    with pytest.raises(DataError, match=f"the {part} split holds one class only"):
        TrainingData(*arguments)


def test_settled_norms_describe_what_they_get(rng):
    network = build_network(settings().model, 32)
    norms = behind_fresh_kernels(network, {"conv4"})
    assert [norm.name for norm in norms] == ["norm4", "norm5", "norm6"]
    pictures = rng.integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
    untouched = named_weights([network.get_layer("norm3")])
    labels = np.zeros(24, np.int64)
    inputs = Inputs(network.layers[0], lambda _: pictures, pictures, labels, pictures, labels)
    settle(network, norms, inputs, 8)
    for name, value in named_weights([network.get_layer("norm3")]).items():
        np.testing.assert_array_equal(value, untouched[name])
    for norm in norms:
        given = keras.Model(network.input, norm.input)
        seen = np.asarray(given.predict_on_batch(pictures)).mean((0, 1, 2))
        np.testing.assert_allclose(np.asarray(norm.moving_mean), seen, atol=0.05 * np.abs(seen).max())
        assert norm.momentum == pytest.approx(0.9)


def test_balanced_weights_give_both_classes_the_same_say():
    labels = np.array([1, 1, 1, 0])
    weights = class_weights(labels, balanced=True)
    assert weights[labels == 1].sum() == pytest.approx(weights[labels == 0].sum())
    assert weights.mean() == pytest.approx(1)
    np.testing.assert_array_equal(class_weights(labels, balanced=False), 1)
