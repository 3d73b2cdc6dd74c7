"""A drawn series on disk with its answer."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("highdicom")

import drawn_series as drawn
import pytest

from tumorscan.deliver.told import Told


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return drawn.told(drawn.volume(drawn.write(tmp_path / "series", [drawn.header(i) for i in range(5)])))
