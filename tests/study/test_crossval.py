from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tumorscan.app.cli import main
from tumorscan.config import changed, preset
from tumorscan.data.batches import augmented_view
from tumorscan.errors import DataError, SettingsError
from tumorscan.model.bank import FeatureBank
from tumorscan.model.checkpoint import InMemory
from tumorscan.model.phase import Inputs
from tumorscan.model.train import start_network, train_network
from tumorscan.study import fits as fits_module
from tumorscan.study.crossval import Repeats, cross_validate
from tumorscan.study.crossval_report import report_crossval
from tumorscan.study.leak_experiment import leak_experiment

pytestmark = pytest.mark.usefixtures("without_graphs")


@pytest.fixture(scope="module")
def recipe(short_settings):
    """The frozen phase and a short second one that leaves a part of the trunk shared."""
    train = short_settings.train
    tuned = replace(train.tuned, epochs=2, views=2)
    return replace(short_settings, train=replace(train, tuned=tuned, unfrozen=6))


@pytest.fixture(scope="module")
def validated(without_graphs, phantoms, recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("crossval")
    return cross_validate(Repeats([phantoms], recipe, folder, 1, 2)), folder


def test_every_picture_is_predicted_once_a_repeat(validated):
    result, folder = validated
    assert result.probabilities.shape == (1, 60)
    assert np.isfinite(result.probabilities).all()
    assert len((folder / "predictions.csv").read_text().splitlines()) == 61
    assert sorted(path.name for path in (folder / "fits").iterdir()) == ["r0f0.json", "r0f1.json"]
    assert not (folder / "features").exists()


@pytest.mark.usefixtures("few_trees")
def test_report(validated, recipe):
    result, folder = validated
    summary = report_crossval(result, recipe, folder)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["groups"] == 60
    assert set(metrics["figures"]) >= {"roc_auc", "sensitivity", "specificity", "ece", "specificity_at_0.97"}
    assert "2 folds" in summary.to_text()
    page = (folder / "report.html").read_text()
    assert "first repeat" in page
    assert "Shuffled labels" in page


def test_fits_that_are_there_are_not_done_again(validated, phantoms, recipe, monkeypatch):
    result, folder = validated

    def never(*arguments):
        raise AssertionError("a finished fit was done again")

    monkeypatch.setattr(fits_module, "fit", never)
    again = cross_validate(Repeats([phantoms], recipe, folder, 1, 2))
    np.testing.assert_array_equal(again.probabilities, result.probabilities)


def test_an_interrupted_run_goes_on(validated, phantoms, recipe, tmp_path, monkeypatch):
    real, done = fits_module.fit, []

    def interrupted(*arguments):
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(1)
        return real(*arguments)

    monkeypatch.setattr(fits_module, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(Repeats([phantoms], recipe, tmp_path, 1, 2))
    monkeypatch.undo()
    resumed = cross_validate(Repeats([phantoms], recipe, tmp_path, 1, 2))
    np.testing.assert_allclose(resumed.probabilities, validated[0].probabilities, atol=0.02)


@pytest.mark.parametrize(
    "text", ["", "{}", '{"rows": [1], "probabilities": [0.5], "threshold": 0.5, "validation_auc": 1}']
)
def test_a_damaged_fit_is_named(validated, phantoms, recipe, tmp_path, text):
    for file in validated[1].rglob("*"):
        if file.is_file():
            target = tmp_path / file.relative_to(validated[1])
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(file.read_bytes())
    (tmp_path / "fits" / "r0f1.json").write_text(text)
    with pytest.raises(DataError, match=r"r0f1\.json.*delete it and run again"):
        cross_validate(Repeats([phantoms], recipe, tmp_path, 1, 2))


def test_other_settings_or_folds_are_refused(validated, phantoms, recipe):
    with pytest.raises(SettingsError, match="other settings"):
        cross_validate(Repeats([phantoms], recipe, validated[1], 1, 4))
    with pytest.raises(SettingsError, match="other settings"):
        cross_validate(Repeats([phantoms], preset("quick"), validated[1], 1, 2))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--repeats", "0"], 2, "repeats is 0"),
        (["--folds", "1"], 2, "folds is 1"),
        (["--folds", "40"], 4, "too few"),
    ],
)
def test_refused_on_the_command_line(capsys, phantoms, tmp_path, arguments, code, message):
    assert (
        main(["crossval", str(phantoms), "--preset", "quick", "--out", str(tmp_path / "o"), *arguments])
        == code
    )
    assert message in capsys.readouterr().err


def test_shared_features_change_nothing(recipe, rng, tmp_path):
    """A fit on the bank's features ends like one on the pictures themselves."""
    pictures = rng.integers(0, 256, (16, 64, 64, 3), dtype=np.uint8)
    labels = (np.arange(16) % 2).astype(np.int64)
    rows, held_out = list(range(10)), list(range(10, 16))
    partly = replace(recipe, model=replace(recipe.model, trunk="Small"))
    bank = FeatureBank.make(pictures, partly, tmp_path)
    network, report, inputs = bank.start(labels, rows, held_out, 5)
    shared = train_network(network, report, inputs, partly, InMemory())
    plain_network, plain_report = start_network(partly, 5)
    seed = partly.train.seed
    plain_inputs = Inputs(
        entry=plain_network.layers[0],
        view=lambda v: augmented_view(pictures, partly.augment, seed=seed, view=v)[rows],
        plain=pictures[rows],
        labels=labels[rows],
        validation=pictures[held_out],
        validation_labels=labels[held_out],
    )
    plain = train_network(plain_network, plain_report, plain_inputs, partly, InMemory())
    for ours, theirs in zip(shared.history, plain.history, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=0.02)


@pytest.mark.slow
def test_fits_in_other_processes_are_the_same_fits(validated, phantoms, recipe, tmp_path, monkeypatch):
    """Those build graphs, and end where the steps alone do."""
    monkeypatch.setattr(fits_module, "FITS_PER_PROCESS", 1)
    apart = cross_validate(Repeats([phantoms], recipe, tmp_path, 1, 2))
    np.testing.assert_allclose(apart.probabilities, validated[0].probabilities, atol=0.02)


def test_a_bank_that_is_gone_is_named(tmp_path, recipe):
    with pytest.raises(DataError, match="shared features are absent or damaged"):
        FeatureBank.open(tmp_path / "nothing", recipe)


def test_leak_experiment_tests_every_file_in_both_arms(tmp_path, recipe, phantoms):
    frozen = changed(recipe, ["train.tuned.epochs=0"])
    result = leak_experiment(Repeats([phantoms], frozen, tmp_path / "leak", 1, 2))
    table = json.loads((tmp_path / "leak" / "metrics.json").read_text())
    assert table["pictures"] == 60
    assert result.inflation.value == pytest.approx(result.random.value - result.grouped.value)
    assert "random - grouped" in result.to_text()
