from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.config import DenoiseSettings
from tumorscan.errors import MissingExtra, SettingsError
from tumorscan.prepare.denoise import denoise, noise_sigma
from tumorscan.prepare.frame import resize
from tumorscan.types import Picture

ORIGINAL = DenoiseSettings(method="original")
FAST = DenoiseSettings(method="fast")
both = pytest.mark.parametrize("method", [ORIGINAL, FAST], ids=["original", "fast"])


def noisy(seed: int, sigma: float = 6.0, channels: int = 1, height: int = 64, width: int = 72) -> Picture:
    """A disc and a bar in noise."""
    clean = np.full((height, width), 20, np.float64)
    cv2.circle(clean, (width // 2, height // 2), height // 3, 120.0, -1)
    clean[height // 2 : height // 2 + 4, width // 4 :] = 200
    noise = np.random.default_rng(seed).normal(0, sigma, (height, width, channels))
    return np.broadcast_to(
        np.clip(clean[..., None] + noise, 0, 255).astype(np.uint8), (height, width, 3)
    ).copy()


def by_scikit_image(pixels: Picture) -> np.ndarray[Any, Any]:
    restoration = pytest.importorskip("skimage.restoration")
    pytest.importorskip("pywt")
    rgb = pixels / 255.0
    h = 1.15 * np.mean(restoration.estimate_sigma(rgb, channel_axis=-1))
    options = {"fast_mode": True, "patch_size": 5, "patch_distance": 3, "channel_axis": -1}
    return 255.0 * np.asarray(restoration.denoise_nl_means(rgb, h=h, **options))


def difference(one: Picture, other: Picture) -> np.ndarray[Any, Any]:
    return np.abs(one.astype(int) - other)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", [0.5, 3.0, 25.0])
def test_original_is_scikit_image(channels: int, sigma: float) -> None:
    pixels = noisy(1, sigma, channels)
    assert np.abs(denoise(pixels, ORIGINAL) - by_scikit_image(pixels)).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("channels", [1, 3])
@given(seed=st.integers(0, 99), height=st.integers(5, 60), width=st.integers(5, 60), dark=st.booleans())
@settings(max_examples=25, deadline=None)
def test_noise_sigma_is_scikit_images(channels: int, seed: int, height: int, width: int, dark: bool) -> None:
    restoration = pytest.importorskip("skimage.restoration")
    pytest.importorskip("pywt")
    pixels = noisy(seed, 9.0, channels, height, width)
    pixels[:, : width // 2] = 0 if dark else 255  # flat: exactly 0, or what is left of 1.0 by rounding
    theirs = np.mean(restoration.estimate_sigma(pixels / 255.0, channel_axis=-1))
    assert noise_sigma(pixels) / 255.0 == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("sigma", [2.0, 8.0, 20.0])
def test_noise_sigma_measures_the_noise(sigma: float) -> None:
    pixels = np.clip(np.random.default_rng(1).normal(128, sigma, (200, 200, 1)), 0, 255).astype(np.uint8)
    assert noise_sigma(pixels) == pytest.approx(sigma, rel=0.05)


@pytest.mark.parametrize("channels", [1, 3])
@given(seed=st.integers(0, 99), sigma=st.floats(0.3, 25))
@settings(max_examples=15, deadline=None)
def test_fast_has_the_effect_of_original(channels: int, seed: int, sigma: float) -> None:
    pixels = noisy(seed, sigma, channels)
    apart = difference(denoise(pixels, ORIGINAL), denoise(pixels, FAST))
    assert apart.max() <= 2
    assert apart.mean() < 0.1


@pytest.mark.parametrize(
    "other",
    [
        DenoiseSettings("fast", patch_size=3, patch_distance=1, h_factor=0.8),
        DenoiseSettings("fast", patch_size=4, patch_distance=3),  # even: made odd by both
        DenoiseSettings("fast", patch_size=7, patch_distance=5, h_factor=2.0),
    ],
)
def test_fast_follows_every_setting(other: DenoiseSettings) -> None:
    pixels = noisy(2)
    same = DenoiseSettings("original", other.patch_size, other.patch_distance, other.h_factor)
    assert difference(denoise(pixels, same), denoise(pixels, other)).max() <= 1


@both
def test_noise_goes_and_edges_stay(method: DenoiseSettings) -> None:
    clean, result = noisy(3, 0.0), denoise(noisy(3, 6.0), method)
    inside = np.s_[20:28, 30:42]
    assert result[inside].std() < 0.5 * noisy(3, 6.0)[inside].std()
    bar = clean[..., 0] == 200
    assert abs(float(result[bar].mean()) - 200) < 3


@both
@pytest.mark.parametrize("axis", [0, 1])
@given(
    seed=st.integers(0, 99), height=st.integers(32, 64), width=st.integers(32, 64), sigma=st.floats(0.5, 10)
)
@settings(max_examples=20, deadline=None)
def test_a_mirrored_picture_gives_the_mirrored_result(
    *, method: DenoiseSettings, axis: int, seed: int, height: int, width: int, sigma: float
) -> None:
    # Not to 1 level: scikit-image's fast mode compares patches of 4 x 4, which have no middle, and its
    # noise estimate keeps every second coefficient, others in the mirror. It must be far below the noise.
    pixels = noisy(seed, sigma, 1, height, width)
    there_and_back = np.flip(denoise(np.flip(pixels, axis).copy(), method), axis)
    apart = difference(denoise(pixels, method), there_and_back)
    assert apart.mean() < max(0.25 * sigma, 0.15)  # near half a level of noise it is rounding that differs
    assert (apart <= max(2.0, sigma)).mean() > 0.95


@both
@given(
    seed=st.integers(0, 99), height=st.integers(32, 64), width=st.integers(32, 64), sigma=st.floats(0.5, 10)
)
@settings(max_examples=20, deadline=None)
def test_a_transposed_picture_gives_the_transposed_result(
    *, method: DenoiseSettings, seed: int, height: int, width: int, sigma: float
) -> None:
    pixels = noisy(seed, sigma, 1, height, width)
    there_and_back = denoise(pixels.transpose(1, 0, 2).copy(), method).transpose(1, 0, 2)
    assert difference(denoise(pixels, method), there_and_back).max() <= 1


@both
@given(seed=st.integers(0, 99), channels=st.sampled_from([1, 3]), sigma=st.floats(0, 40))
@settings(max_examples=20, deadline=None)
def test_shape_range_grey_and_determinism(
    method: DenoiseSettings, seed: int, channels: int, sigma: float
) -> None:
    pixels = noisy(seed, sigma, channels)
    before = pixels.copy()
    result = denoise(pixels, method)
    assert result.dtype == np.uint8
    assert result.shape == pixels.shape
    assert pixels.min() <= result.min()  # a mean of pixels
    assert result.max() <= pixels.max()
    assert channels == 3 or np.ptp(result, axis=2).max() == 0
    assert np.array_equal(result, denoise(pixels, method))
    assert np.array_equal(pixels, before)


@both
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((40, 40, 3), np.uint8),
        np.full((40, 41, 3), 255, np.uint8),
        np.full((33, 40, 3), (1, 100, 255), np.uint8),  # blank, but not grey
        np.zeros((1, 1, 3), np.uint8),
        np.full((2, 3, 3), 9, np.uint8),
    ],
)
def test_blank_pictures_stay_as_they_are(method: DenoiseSettings, pixels: Picture) -> None:
    result = denoise(pixels, method)
    assert np.array_equal(result, pixels)
    assert not np.shares_memory(result, pixels)


@both
def test_a_blank_channel_does_no_harm(method: DenoiseSettings) -> None:
    pixels = noisy(1, 5.0, 3)
    pixels[..., 2] = 0  # scikit-image's estimate for it is nan
    result = denoise(pixels, method)
    assert (result[..., 2] == 0).all()
    assert result[..., 0].std() > 0


@pytest.mark.parametrize("method", ["", "Original", "bm3d", "FAST"])
def test_unknown_methods_are_refused(method: str) -> None:
    wrong = DenoiseSettings(method=method)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=f"no denoise.method '{method}': choose off, original or fast"):
        denoise(noisy(1), wrong)


@pytest.mark.parametrize(
    ("field", "value"),
    [("patch_size", 0), ("patch_distance", 22), ("h_factor", -0.1), ("h_factor", float("nan"))],
)
def test_settings_out_of_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(SettingsError, match=rf"DenoiseSettings\.{field} is {value}: it must lie in"):
        DenoiseSettings(**{field: value})  # type: ignore[arg-type]


def test_original_without_scikit_image_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.restoration", None)
    with pytest.raises(MissingExtra, match=r"skimage is not installed: pip install 'tumorscan\[original\]'"):
        denoise(noisy(1), ORIGINAL)
    assert denoise(noisy(1), FAST).shape == noisy(1).shape


@both
def test_no_strength_changes_nothing(method: DenoiseSettings) -> None:
    none = DenoiseSettings(method.method, h_factor=0.0)
    assert np.array_equal(denoise(noisy(1), none), noisy(1))


@pytest.mark.data
def test_on_real_pictures_fast_is_within_a_level_of_original(data_dir: Path) -> None:
    files = sorted((data_dir / "kaggle253").rglob("*.*"))[::12]
    for file in files:
        pixels = resize(cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB), 224)
        original = denoise(pixels, ORIGINAL)
        assert np.abs(original - by_scikit_image(pixels)).max() <= 0.5 + 1e-6, file.name
        apart = difference(original, denoise(pixels, FAST))
        assert apart.max() <= 2, file.name
        assert apart.mean() < 0.02, file.name
