"""What all tests share: where the real images are, and small pictures made on the spot."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tumorscan.detect.detector import Detector

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as tumorscan does, for tests that import it themselves

if "PYTEST_XDIST_WORKER" in os.environ:
    # Files run side by side, one a core: frameworks with a thread for every core would wait for each other.
    for _name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(_name, "1")

# A busy machine is no reason for a property to fail, and the same tree gives the same result each time;
# HYPOTHESIS_PROFILE=explore draws other examples.
_calm = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("tumorscan", derandomize=True, **_calm)
settings.register_profile("explore", **_calm)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tumorscan"))

DATA = Path(os.environ.get("TUMORSCAN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """No name of a test from bytes: a zip holds the time it was made, and the workers must find the same names."""
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if DATA.is_dir():
        return
    skip = pytest.mark.skip(reason=f"no real images at {DATA} (set TUMORSCAN_DATA)")
    for item in items:
        # Not item.keywords: those hold the names of folders too, and tests/data is one.
        if item.get_closest_marker("data"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real images; tests that use it carry the mark `data`."""
    return DATA


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.fixture(scope="module")
def without_graphs() -> Iterator[None]:
    """Keras takes each step as it comes: to build the graph of a step takes longer than a test's few steps."""
    yield from _stepping(eagerly=True)


@pytest.fixture
def with_graphs() -> Iterator[None]:
    """In a module `without_graphs`: this test trains as users do."""
    yield from _stepping(eagerly=False)


def _stepping(*, eagerly: bool) -> Iterator[None]:
    config = pytest.importorskip("tensorflow").config
    before = config.functions_run_eagerly()
    config.run_functions_eagerly(eagerly)
    yield
    config.run_functions_eagerly(before)


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the preset `quick` with fresh weights: its answers mean nothing, its doors all work.

    Its ONNX comes straight from the writer, so that tests which need no parity report do not wait for one.
    """
    keras = pytest.importorskip("keras")
    from tumorscan.config import preset
    from tumorscan.model.bundle import HEAD, ONNX, WEIGHTS, Manifest, write_bundle
    from tumorscan.model.checkpoint import npz_bytes
    from tumorscan.model.export import pooled_head, to_onnx
    from tumorscan.model.network import build_network
    from tumorscan.model.weights import named_weights
    from tumorscan.types import Interval, OperatingPoint

    keras.utils.set_random_seed(7)
    settings = preset("quick")
    network = build_network(settings.model, settings.prepare.frame.size)
    rate = Interval(0.9, 0.8, 0.95, "exact binomial")
    point = OperatingPoint("screening", 0.5, 0.97, rate, rate, "nothing: fresh weights")
    manifest = Manifest(
        "tiny", "", "2026-01-01T00:00:00+00:00", "0", settings, temperature=1.0, operating_points=(point,)
    )
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    files = {WEIGHTS: npz_bytes(named_weights(network.layers)), HEAD: npz_bytes(pooled_head(network))}
    write_bundle(folder, manifest, {**files, **to_onnx(network, ONNX)})
    return folder


@pytest.fixture(scope="session")
def tiny_detector(tiny_bundle: Path) -> Detector:
    from tumorscan.detect.detector import load_detector

    return load_detector(tiny_bundle)
