"""The cache gives what the preparation gives, whatever has happened to it; views can be made again."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tumorscan.config import (
    AugmentSettings,
    ContrastSettings,
    DenoiseSettings,
    FrameSettings,
    PrepareSettings,
)
from tumorscan.data import batches
from tumorscan.data.augment import apply, draw
from tumorscan.data.batches import PreparedPictures, augmented_view, default_cache
from tumorscan.data.catalog import Record, build_catalog
from tumorscan.errors import DataError, EnvironmentProblem, UnreadableScan
from tumorscan.prepare.pipeline import prepare
from tumorscan.read import read_scan

QUICK = PrepareSettings(frame=FrameSettings(size=64), denoise=DenoiseSettings(method="fast"))


@pytest.fixture
def records(tmp_path: Path, draw_png: Callable[[Path, int], Path]) -> tuple[Record, ...]:
    for i in range(7):
        draw_png(tmp_path / "set" / ("yes" if i % 2 else "no") / f"{i}.png", i)
    return build_catalog([tmp_path / "set"]).records


@pytest.fixture
def cached(tmp_path: Path) -> PreparedPictures:
    return PreparedPictures(tmp_path / "cache", QUICK)


def _count(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that get prepared from here on."""
    done: list[str] = []

    def counted(scan: object, *rest: object, **more: object) -> object:
        done.append(Path(scan.name).name)  # type: ignore[attr-defined]
        return prepare(scan, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(batches, "prepare", counted)
    return done


def _files(cached: PreparedPictures) -> list[Path]:
    return sorted(cached.home.rglob("*.rgb"))


def test_cached_is_prepared(records: tuple[Record, ...], cached: PreparedPictures) -> None:
    wanted = np.stack([prepare(read_scan(record.file), QUICK).pixels for record in records])
    for _ in range(2):
        loaded = cached.load(records)
        assert loaded.dtype == np.uint8
        assert loaded.shape == (7, 64, 64, 3)
        assert np.array_equal(loaded, wanted)


def test_order_is_the_records(records: tuple[Record, ...], cached: PreparedPictures) -> None:
    assert np.array_equal(cached.load(records[::-1]), cached.load(records)[::-1])
    assert cached.load(()).shape == (0, 64, 64, 3)


def test_prepared_once(
    records: tuple[Record, ...], cached: PreparedPictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = _count(monkeypatch)
    cached.load(records[:5])
    cached.load(records)
    PreparedPictures(cached.folder, QUICK).load(records)
    assert sorted(done) == sorted(record.file.name for record in records)
    assert not list(cached.folder.rglob("*.part"))


def test_the_number_of_threads_does_not_matter(
    records: tuple[Record, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for count in (1, 5):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        made.append(PreparedPictures(tmp_path / str(count), QUICK).load(records))
    assert np.array_equal(*made)


@pytest.mark.parametrize(
    "settings",
    [
        replace(QUICK, frame=FrameSettings(size=96)),
        replace(QUICK, contrast=ContrastSettings(method="off")),
        replace(QUICK, contrast=ContrastSettings(clip_limit=40)),
    ],
)
def test_other_settings_have_another_place(
    records: tuple[Record, ...], cached: PreparedPictures, settings: PrepareSettings
) -> None:
    other = PreparedPictures(cached.folder, settings)
    assert other.home != cached.home
    first = cached.load(records)
    assert not np.array_equal(other.load(records), first)
    assert np.array_equal(cached.load(records), first)


def test_every_setting_counts(cached: PreparedPictures) -> None:
    others = [DenoiseSettings(method="off"), DenoiseSettings(method="fast", h_factor=1.16)]
    homes = {PreparedPictures(cached.folder, replace(QUICK, denoise=other)).home for other in others}
    assert len(homes | {cached.home}) == 3


def test_other_code_of_the_preparation_has_another_place(
    cached: PreparedPictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cached.home
    monkeypatch.setattr(batches, "_code_of_preparation", lambda: "other code")
    assert cached.home != before


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:500])


def _flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[3000] ^= 1
    file.write_bytes(data)


def _other_shape(file: Path) -> None:
    file.write_bytes(batches._packed(np.zeros((8, 8, 3), np.uint8)))


def _npy(file: Path) -> None:
    np.save(file.with_suffix(".npy"), np.zeros((64, 64, 3), np.uint8))
    file.with_suffix(".npy").replace(file)


def _empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [_cut, _flip_a_bit, _other_shape, _npy, _empty])
def test_damaged_file_is_made_anew(
    records: tuple[Record, ...],
    cached: PreparedPictures,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
) -> None:
    wanted = cached.load(records)
    stored = {file: file.read_bytes() for file in _files(cached)}
    damage(_files(cached)[2])
    done = _count(monkeypatch)
    assert np.array_equal(cached.load(records), wanted)
    assert len(done) == 1
    assert {file: file.read_bytes() for file in _files(cached)} == stored


def test_a_cache_file_says_what_it_is(records: tuple[Record, ...], cached: PreparedPictures) -> None:
    loaded = cached.load(records[:1])
    assert _files(cached)[0].read_bytes().startswith(loaded[0].tobytes())
    assert (cached.home / "settings.json").read_text().startswith("{")


def test_refuses_a_picture_that_changed(
    records: tuple[Record, ...], cached: PreparedPictures, draw_png: Callable[[Path, int], Path]
) -> None:
    draw_png(records[3].file, 99)
    with pytest.raises(DataError, match=rf"{records[3].file.name}: changed since it was put in the catalog"):
        cached.load(records)
    assert records[3].pixels_sha256 not in {file.stem for file in _files(cached)}


def test_refuses_a_picture_that_went(records: tuple[Record, ...], cached: PreparedPictures) -> None:
    records[2].file.unlink()
    with pytest.raises(UnreadableScan, match=r"does not exist"):
        cached.load(records)


def test_a_cached_picture_does_not_need_its_file(
    records: tuple[Record, ...], cached: PreparedPictures
) -> None:
    wanted = cached.load(records)
    records[2].file.unlink()
    assert np.array_equal(cached.load(records), wanted)


def test_refuses_a_cache_that_cannot_be_written(records: tuple[Record, ...], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.raises(EnvironmentProblem, match=r"cache.*: cannot be written .*choose a folder"):
        PreparedPictures(tmp_path / "cache", QUICK).load(records)


@pytest.mark.parametrize(
    ("platform", "variables", "wanted"),
    [
        ("linux", {"TUMORSCAN_CACHE": "/big/disk"}, "/big/disk"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/tumorscan"),
        ("linux", {}, "/home/me/.cache/tumorscan"),
        ("darwin", {}, "/home/me/Library/Caches/tumorscan"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/tumorscan"),
        ("win32", {}, "/home/me/AppData/Local/tumorscan"),
    ],
)
def test_default_cache(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], wanted: str
) -> None:
    for name in ("TUMORSCAN_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert default_cache().as_posix() == wanted


def _pictures(count: int = 5) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, 48, 48, 3), dtype=np.uint8)


def test_views_can_be_made_again_and_differ() -> None:
    pictures, settings = _pictures(), AugmentSettings()
    one = augmented_view(pictures, settings, seed=3, view=1)
    assert one.shape == pictures.shape
    assert one.dtype == np.uint8
    assert np.array_equal(one, augmented_view(pictures, settings, seed=3, view=1))
    assert np.array_equal(one[:2], augmented_view(pictures[:2], settings, seed=3, view=1))
    assert not np.array_equal(one, augmented_view(pictures, settings, seed=3, view=2))
    assert not np.array_equal(one, augmented_view(pictures, settings, seed=4, view=1))


def test_each_picture_of_a_view_has_its_own_lots() -> None:
    pictures, settings = _pictures(), AugmentSettings(fill="edge")
    view = augmented_view(pictures, settings, seed=3, view=2)
    lots = [draw(settings, np.random.default_rng([3, 2, i])) for i in range(5)]
    assert len(set(lots)) == 5
    assert all(np.array_equal(view[i], apply(pictures[i], lots[i], "edge")) for i in range(5))


def test_a_view_with_everything_off_is_the_pictures() -> None:
    off = AugmentSettings(flip=0, rotation=0, zoom=0, brightness=0, contrast=0)
    assert np.array_equal(augmented_view(_pictures(), off, seed=1, view=0), _pictures())


def test_palette_and_grey_of_the_same_look_share_a_cache_file(
    tmp_path: Path, cached: PreparedPictures
) -> None:
    (tmp_path / "yes").mkdir()
    grey = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 40), dtype=np.uint8))
    grey.save(tmp_path / "yes" / "grey.png")
    grey.convert("RGB").save(tmp_path / "yes" / "colour.bmp")
    records = build_catalog([tmp_path / "yes"]).records
    loaded = cached.load(records)
    assert np.array_equal(loaded[0], loaded[1])
    assert len(_files(cached)) == 1


@pytest.mark.data
@pytest.mark.slow
def test_kaggle253_original(data_dir: Path, tmp_path: Path) -> None:
    records = build_catalog([data_dir / "kaggle253"]).records[:24]
    cached = PreparedPictures(tmp_path, PrepareSettings())
    loaded = cached.load(records)
    assert loaded.shape == (24, 224, 224, 3)
    assert np.array_equal(cached.load(records), loaded)
    for i in (0, 23):
        assert np.array_equal(loaded[i], prepare(read_scan(records[i].file), cached.settings).pixels)
