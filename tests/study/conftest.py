"""One short run on phantoms that all tests of the room share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tumorscan.config import PhaseSettings, Settings, preset
from tumorscan.data.phantom import write_phantoms
from tumorscan.errors import DataError
from tumorscan.evaluate import controls
from tumorscan.study import run
from tumorscan.study.run import train_run


@pytest.fixture(scope="session")
def short_settings() -> Settings:
    base = preset("quick")
    return replace(
        base,
        prepare=replace(base.prepare, frame=replace(base.prepare.frame, size=64)),
        train=replace(
            base.train,
            frozen=PhaseSettings(epochs=1, rate=1e-3, views=1),
            tuned=PhaseSettings(epochs=4, rate=2e-3, views=2),
        ),
    )


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantoms(folder, 60, 3, size=96, plain=True)
    return folder


@pytest.fixture
def nothing_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training ends with "far enough", in place of preparing its first picture."""

    def stop(*_: object, **__: object) -> None:
        raise DataError("far enough")

    monkeypatch.setattr(run, "load_part", stop)


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Controls for a test that does not ask how well they find: a forest of a hundred trees takes a third of a second."""
    monkeypatch.setattr(controls, "_TREES", 5)
    monkeypatch.setattr(controls, "_TREES_OF_CHANCE", 2)


@pytest.fixture(scope="session")
def phantom_run(phantoms: Path, short_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("keras")
    folder = tmp_path_factory.mktemp("runs") / "short"
    train_run([phantoms], short_settings, folder)
    return folder
