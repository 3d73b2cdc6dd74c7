"""The stages of the evidence training on a network of seconds: what trains, and how a kill is gone on from."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from tumorscan.config import (
    AugmentSettings,
    EvidenceSettings,
    ImitateSettings,
    ModelSettings,
    StageSettings,
)
from tumorscan.data.examples import Examples, Source
from tumorscan.data.phantom import draw_phantom
from tumorscan.errors import BundleError, SettingsError
from tumorscan.model.checkpoint import Checkpoints, InMemory
from tumorscan.model.heads import LOGIT, NORM
from tumorscan.model.network import build_network
from tumorscan.model.weights import fill, load_trunk_weights, named_weights

keras = pytest.importorskip("keras")

from tumorscan.model.evidence import _BEFORE, EvidenceTraining  # noqa: E402 - behind the skip
from tumorscan.model.halve import halve, halved  # noqa: E402 - behind the skip

pytestmark = pytest.mark.usefixtures("without_graphs")

MODEL = ModelSettings(trunk="Small", weights="none", head="evidence", dense=8)
SHORT = EvidenceSettings(
    pictures=8,
    batch=4,
    averaging=0.7,
    top="conv6",
    head=StageSettings(1, 1e-3),
    upper=StageSettings(1, 1e-3),
    whole=StageSettings(2, 1e-3),
    plain=StageSettings(2, 1e-3),
    back=0.5,
    imitate=ImitateSettings(**{one.name: 0.0 for one in fields(ImitateSettings)}),
)


def _drawn() -> tuple[np.ndarray, list[Source]]:
    pictures, sources = [], []
    for i in range(8):
        phantom = draw_phantom(np.random.default_rng([6, i]), tumor=i % 2 == 0, size=64, plain=True)
        pictures.append(np.repeat(phantom.pixels[..., None], 3, axis=2))
        label = "tumor" if i % 2 == 0 else "no_tumor"
        sources.append(Source(label, "drawn", phantom.box, "axial"))
    return np.stack(pictures), sources


PICTURES, SOURCES = _drawn()


def _network(seed: int = 3):
    keras.utils.set_random_seed(seed)
    return build_network(MODEL, 64)


def _training(state, settings=SHORT, network=None, **more) -> EvidenceTraining:
    examples = Examples(PICTURES, SOURCES, 4, AugmentSettings(fill="black"), settings)
    judge = lambda: (0.5, 0.5, 0.5)  # noqa: E731 - a figure of nothing
    return EvidenceTraining(network or _network(), examples, settings, state, judge, **more)


@pytest.fixture(scope="module")
def unbroken(without_graphs, tmp_path_factory):
    """The weights and history of a training that nobody killed."""
    training = _training(Checkpoints(tmp_path_factory.mktemp("whole")))
    history = training.run()
    return named_weights(training.network.layers), history


def _differ(first, second) -> set[str]:
    return {name.partition("/")[0] for name in first if not np.array_equal(first[name], second[name])}


@pytest.mark.slow
@pytest.mark.usefixtures("with_graphs")
def test_the_stages_train_what_they_should() -> None:
    seen: list[tuple[str, dict]] = []

    class Watching(EvidenceTraining):
        def _keep(self, stage, history):
            super()._keep(stage, history)
            seen.append((stage.name, named_weights(self.network.layers)))

    plain = _training(InMemory())
    training = Watching(plain.network, plain.examples, SHORT, plain.state, plain.judge)
    start = named_weights(training.network.layers)
    history = training.run()
    assert [(row.phase, row.epoch) for row in history] == [
        ("head", 0), ("upper", 0), ("whole", 0), ("whole", 1), ("plain", 0), ("plain", 1)
    ]  # fmt: skip
    assert all(np.isfinite([row.loss, row.accuracy, row.auc]).all() for row in history)
    head = {"head_norm", "head_narrow", "head_around", "head_farther", "head_cells", "head_logit"}
    assert _differ(start, seen[0][1]) == head
    assert _differ(seen[0][1], seen[1][1]) == head - {NORM} | {"conv6"}
    trunk = {f"{kind}{i}" for kind in ("conv", "norm") for i in range(1, 7)}
    assert _differ(seen[1][1], seen[2][1]) == head - {NORM} | trunk
    assert _differ(seen[3][1], seen[4][1]) == head - {NORM} | {"conv6"}
    for name, values in seen[-1][1].items():
        if name.startswith("norm") and "moving" in name:
            assert np.array_equal(values, start[name]), "a norm of the trunk left inference mode"
    assert seen[-1][1][f"{LOGIT}/kernel"].min() >= 0


@pytest.mark.slow
def test_the_stage_of_all_layers_keeps_the_running_mean() -> None:
    stages = {
        "head": StageSettings(0, 1e-3),
        "upper": StageSettings(0, 1e-3),
        "whole": StageSettings(1, 1e-2),
        "plain": StageSettings(0, 1e-3),
    }
    mean = _training(InMemory(), replace(SHORT, averaging=0.9, **stages))
    last = _training(InMemory(), replace(SHORT, averaging=0.0, **stages))
    start = named_weights(mean.network.layers)
    mean.run()
    last.run()
    name = "conv1/kernel"
    ends = [np.abs(named_weights(one.network.layers)[name] - start[name]).mean() for one in (mean, last)]
    assert 0 < ends[0] < ends[1], "the mean lags behind the last step"


@pytest.mark.slow
def test_the_last_stage_goes_part_of_its_way_back() -> None:
    stages = {name: StageSettings(0, 1e-3) for name in ("head", "upper", "whole")}
    ends = {}
    for back in (0.0, 0.25, 1.0):
        training = _training(InMemory(), replace(SHORT, back=back, plain=StageSettings(1, 1e-2), **stages))
        training.run()
        ends[back] = named_weights(training.network.layers)["conv6/kernel"]
    assert not np.allclose(ends[0.0], ends[1.0])
    np.testing.assert_allclose(ends[0.25], 0.75 * ends[0.0] + 0.25 * ends[1.0], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("killed_after", [3, 5, 6])
def test_a_killed_training_ends_with_the_weights_of_an_unbroken_one(
    unbroken, tmp_path, monkeypatch, killed_after
):
    """In the stage with a running mean; in the last one, which goes back to its begin; and when all is done."""
    done, real = [], EvidenceTraining._keep

    def kill(self, stage, history):
        real(self, stage, history)
        done.append(1)
        if len(done) == killed_after:
            raise KeyboardInterrupt

    monkeypatch.setattr(EvidenceTraining, "_keep", kill)
    with pytest.raises(KeyboardInterrupt):
        _training(Checkpoints(tmp_path)).run()
    monkeypatch.undo()
    again = _training(Checkpoints(tmp_path), network=_network(seed=99))
    history = again.run()
    _same(again, history, unbroken)


@pytest.mark.slow
def test_a_stage_begins_where_the_one_before_ended(unbroken, tmp_path) -> None:
    """Killed after the arrays of its first epoch were written, and before the history says so."""

    class Dying(Checkpoints):
        def write_history(self, history):
            if len(history) == 2:
                raise KeyboardInterrupt
            super().write_history(history)

    with pytest.raises(KeyboardInterrupt):
        _training(Dying(tmp_path)).run()
    assert len(Checkpoints(tmp_path).history()) == 1
    again = _training(Checkpoints(tmp_path), network=_network(seed=99))
    _same(again, again.run(), unbroken)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "history.json", "last-evidence-5.npz", "weights-5.npz"
    ]  # fmt: skip


def _same(training, history, unbroken) -> None:
    weights, wanted = unbroken
    assert [(row.phase, row.epoch, row.rate) for row in history] == [
        (row.phase, row.epoch, row.rate) for row in wanted
    ]
    np.testing.assert_allclose([row.loss for row in history], [row.loss for row in wanted], rtol=1e-4)
    for name, values in named_weights(training.network.layers).items():
        np.testing.assert_allclose(values, weights[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_trained_head_goes_on_as_it_was(tmp_path) -> None:
    """Its norm was folded when it was kept, and gets statistics again without another answer."""
    first = _training(InMemory())
    first._settle()
    rng = np.random.default_rng(1)
    norm = first.network.get_layer(NORM)
    norm.gamma.assign(rng.uniform(0.5, 1.5, norm.gamma.shape))
    norm.beta.assign(rng.normal(0, 0.5, norm.beta.shape))
    halve(first.network, PICTURES)
    np.savez(tmp_path / "w.npz", **halved(named_weights(first.network.layers)))
    network = _network(seed=8)
    report = load_trunk_weights(network, replace(MODEL, weights=str(tmp_path / "w.npz")))
    assert report.head
    assert not report.fresh
    wanted = first.network.predict_on_batch(PICTURES)
    np.testing.assert_allclose(network.predict_on_batch(PICTURES), wanted, atol=1e-5)
    folded = np.asarray(network.get_layer(NORM).moving_variance).copy()
    _training(InMemory(), network=network, goes_on=True)._settle()
    assert not np.allclose(folded, np.asarray(network.get_layer(NORM).moving_variance))
    np.testing.assert_allclose(network.predict_on_batch(PICTURES), wanted, atol=1e-3)


def test_a_fresh_norm_is_settled_on_what_it_gets() -> None:
    training = _training(InMemory(), replace(SHORT, pictures=64))
    norm = training.network.get_layer(NORM)
    training._settle()
    rows = training.examples.rows(_BEFORE)
    seen = np.stack([training.examples.make(_BEFORE, i, row).picture for i, row in enumerate(rows)])
    source = np.asarray(keras.Model(training.network.input, norm.input).predict_on_batch(seen))
    np.testing.assert_allclose(norm.moving_mean, source.mean(axis=(0, 1, 2)), rtol=1e-3, atol=1e-4)
    variance = source.reshape(8, -1, source.shape[-1]).var(axis=1).mean(axis=0)
    np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-3, atol=1e-5)
    assert float(norm.momentum) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({name: StageSettings(0, 1e-3) for name in EvidenceSettings().stages}, "there is nothing to train"),
        ({"batch": 16}, "an epoch of 8 pictures does not fill a batch of 16: raise evidence.pictures"),
        ({"top": "block9"}, "no layer of the trunk has a name that begins with evidence.top = 'block9'"),
    ],
)
def test_trainings_that_would_do_nothing(changes, cause) -> None:
    with pytest.raises(SettingsError, match=cause):
        _training(InMemory(), replace(SHORT, **changes)).run()


@pytest.mark.parametrize(
    ("table", "cause"),
    [
        ({"pictures": 0}, "pictures is 0"),
        ({"batch": 1}, "batch is 1"),
        ({"seed": -1}, "seed is -1"),
        ({"decay": -0.1}, "decay is -0.1"),
        ({"averaging": 1.0}, "averaging is 1.0"),
        ({"hardest": 0}, "hardest is 0"),
        ({"image_weight": 101}, "image_weight is 101"),
    ],
)
def test_limits(table, cause) -> None:
    with pytest.raises(SettingsError, match=rf"EvidenceSettings\.{cause}: it must lie in"):
        EvidenceSettings(**table)


@pytest.mark.parametrize(("epochs", "rate"), [(-1, 1e-3), (1, 0), (1001, 1e-3), (1, 2)])
def test_limits_of_a_stage(epochs, rate) -> None:
    with pytest.raises(SettingsError, match=r"StageSettings\..*it must lie in"):
        StageSettings(epochs, rate)


def test_there_is_no_shipped_bundle_yet(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("tumorscan.model.weights.SHIPPED", tmp_path / "default")
    with pytest.raises(
        BundleError, match=r"no bundle is shipped with this tumorscan: give --weights imagenet"
    ):
        load_trunk_weights(_network(), replace(MODEL, weights="default"))


def test_weights_of_another_head_are_refused() -> None:
    named = named_weights(_network().layers)
    named["head_narrow/kernel"] = np.zeros((1, 1, 3, 8), np.float32)
    with pytest.raises(BundleError, match=r"w.npz: head_narrow/kernel has shape \(1, 1, 3, 8\)"):
        fill(_network().layers, named, "w.npz")
