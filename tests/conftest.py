"""What all tests share: where the real images are, and small pictures made on the spot."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

DATA = Path(os.environ.get("TUMORSCAN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


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
