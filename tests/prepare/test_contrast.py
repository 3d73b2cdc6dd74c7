from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.config import ContrastSettings
from tumorscan.errors import SettingsError
from tumorscan.prepare.contrast import clahe_on_lab, contrast
from tumorscan.types import Picture

seeds = st.integers(0, 999)
CLAHE = ContrastSettings()


def random_picture(seed: int, height: int, width: int, channels: int = 3) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return np.broadcast_to(pixels, (height, width, 3)).copy()


@given(seed=seeds, height=st.integers(1, 70), width=st.integers(1, 70), tiles=st.sampled_from([1, 2, 8, 64]))
@settings(max_examples=60, deadline=None)
def test_a_and_b_stay_to_the_last_bit(seed: int, height: int, width: int, tiles: int) -> None:
    lab = random_picture(seed, height, width)
    before = lab.copy()
    raised = clahe_on_lab(lab, ContrastSettings(tiles=tiles))
    assert raised.dtype == np.uint8
    assert raised.shape == lab.shape
    assert np.array_equal(raised[..., 1:], lab[..., 1:])
    assert np.array_equal(lab, before)


def test_l_is_opencvs_clahe() -> None:
    lab = random_picture(1, 64, 64)
    wanted = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(lab[..., 0].copy())
    assert np.array_equal(clahe_on_lab(lab, CLAHE)[..., 0], wanted)


@given(seed=seeds, height=st.integers(1, 70), width=st.integers(1, 70))
@settings(max_examples=40, deadline=None)
def test_grey_stays_exactly_grey(seed: int, height: int, width: int) -> None:
    pixels = random_picture(seed, height, width, channels=1)
    raised = contrast(pixels, CLAHE)
    assert raised.shape == pixels.shape
    assert np.ptp(raised, axis=2).max() == 0
    assert (cv2.cvtColor(raised, cv2.COLOR_RGB2LAB)[..., 1:] == 128).all()


def test_every_grey_level_keeps_its_neutral_colour() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    assert (cv2.cvtColor(ramp, cv2.COLOR_RGB2LAB)[..., 1:] == 128).all()


def test_muted_colours_come_back_within_rounding() -> None:
    rng = np.random.default_rng(1)
    pixels = np.clip(rng.normal(110, 12, (96, 96, 1)) + rng.normal(0, 6, (96, 96, 3)), 0, 255).astype(
        np.uint8
    )
    before = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[..., 1:].astype(int)
    after = cv2.cvtColor(contrast(pixels, CLAHE), cv2.COLOR_RGB2LAB)[..., 1:]
    assert np.percentile(np.abs(after - before), 99) <= 1


def test_contrast_rises_where_it_is_low() -> None:
    flat = np.clip(np.random.default_rng(1).normal(100, 5, (128, 128, 1)), 0, 255).astype(np.uint8)
    pixels = np.repeat(flat, 3, axis=2)
    assert contrast(pixels, CLAHE).std() > 1.3 * pixels.std()


@pytest.mark.parametrize("value", [0, 1, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (224, 224)])
def test_blank_pictures_stay_blank(value: int, shape: tuple[int, int]) -> None:
    raised = contrast(np.full((*shape, 3), value, np.uint8), CLAHE)
    assert int(np.ptp(raised)) == 0


def test_off_is_a_copy() -> None:
    pixels = random_picture(1, 30, 30)
    same = contrast(pixels, ContrastSettings(method="off"))
    assert np.array_equal(same, pixels)
    assert not np.shares_memory(same, pixels)


@pytest.mark.parametrize("method", ["", "CLAHE", "equalize"])
def test_unknown_contrasts_are_refused(method: str) -> None:
    wrong = ContrastSettings(method=method)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=f"no contrast.method '{method}': choose off or clahe"):
        contrast(random_picture(1, 8, 8), wrong)


@pytest.mark.parametrize(
    ("field", "value"), [("clip_limit", 0.0), ("clip_limit", 101.0), ("tiles", 0), ("tiles", 65)]
)
def test_contrasts_out_of_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(SettingsError, match=rf"ContrastSettings\.{field} is {value}: it must lie in"):
        ContrastSettings(**{field: value})  # type: ignore[arg-type]
