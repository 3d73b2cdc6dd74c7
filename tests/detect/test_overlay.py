from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tumorscan.detect.overlay import COLOURS, overlay
from tumorscan.errors import SettingsError
from tumorscan.read.png import png_bytes
from tumorscan.types import Frame

FRAME = Frame(0, 0, 80, 60, 0, 10, 80, 80, 64)


@pytest.fixture
def scan(rng):
    return rng.integers(0, 200, (60, 80, 3), dtype=np.uint8)


def _spot(row: int, column: int) -> np.ndarray:
    evidence = np.zeros((8, 8), np.float32)
    evidence[row, column] = 0.02
    return evidence


def _changed(before, after):
    return np.argwhere((before != after).any(axis=2))


def test_the_colour_lies_on_the_cell(scan):
    # Cell (3, 6) of 8 covers x 60..70 and, behind 10 rows of padding, y 20..30.
    rows, columns = _changed(scan, overlay(scan, _spot(3, 6), FRAME, opacity=1.0)).T
    assert abs(columns.mean() - 64.5) < 1
    assert abs(rows.mean() - 24.5) < 1
    assert rows.min() >= 15
    assert columns.min() >= 55


@pytest.mark.parametrize("opacity", [0.0, 0.5, 1.0])
def test_opacity(scan, opacity):
    # One cell for the whole: every pixel has the strongest evidence.
    drawn = overlay(scan, np.ones((1, 1), np.float32), FRAME, opacity=opacity)
    top = overlay(np.zeros_like(scan), np.ones((1, 1), np.float32), FRAME, opacity=1.0)[0, 0]
    np.testing.assert_allclose(drawn, scan * (1 - opacity) + top * opacity, atol=0.51)


def test_no_evidence_leaves_the_scan(scan):
    drawn = overlay(scan, np.zeros((7, 7), np.float32), FRAME)
    np.testing.assert_array_equal(drawn, scan)
    assert drawn is not scan


def test_what_the_network_did_not_see_stays(scan):
    frame = Frame(20, 10, 40, 30, 0, 5, 40, 40, 64)
    drawn = overlay(scan, np.ones((7, 7), np.float32), frame)
    changed = _changed(scan, drawn)
    assert changed.min(axis=0).tolist() == [10, 20]
    assert changed.max(axis=0).tolist() == [39, 59]


@pytest.mark.parametrize("colours", COLOURS)
def test_colours_rise_in_lightness(colours):
    """So they read in grey, and with any colour vision."""
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None]
    frame = Frame(0, 0, 64, 1, 0, 0, 64, 1, 64)
    drawn = overlay(np.zeros((1, 64, 3), np.uint8), ramp, frame, opacity=1.0, colours=colours)[0]
    lightness = drawn @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > -1).all()
    assert lightness[-1] > lightness[0] + 100


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ({"opacity": 1.5}, "an opacity of 1.5: it must lie in"),
        ({"opacity": -0.1}, "an opacity of -0.1"),
        ({"opacity": float("nan")}, "an opacity of nan"),
        ({"colours": "jet"}, "there are no colours 'jet': choose one of viridis, cividis"),
    ],
)
def test_refused(scan, arguments, cause):
    with pytest.raises(SettingsError, match=cause):
        overlay(scan, _spot(1, 1), FRAME, **arguments)


def test_png_gives_the_pixels_back(scan):
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(png_bytes(scan)))), scan)
