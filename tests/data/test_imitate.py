"""Looks of other scanners: shapes and types hold, the air stays dark, lots are each change's own."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.config import ImitateSettings
from tumorscan.data import imitate as module
from tumorscan.data.imitate import imitate
from tumorscan.data.phantom import draw_phantom
from tumorscan.errors import SettingsError
from tumorscan.types import Picture

NAMES = [one.name for one in fields(ImitateSettings)]
OFF = ImitateSettings(**dict.fromkeys(NAMES, 0.0))
ALL = ImitateSettings(**dict.fromkeys(NAMES, 1.0))


def _head(seed: int = 1, size: int = 96) -> Picture:
    grey = draw_phantom(np.random.default_rng(seed), tumor=True, size=size).pixels
    return np.repeat(grey[..., None], 3, axis=2)


HEAD = _head()


def test_settings_and_changes_have_the_same_names() -> None:
    assert sorted(module._CHANGES) == sorted(NAMES)


def test_all_off_is_the_picture() -> None:
    same, stripped = imitate(HEAD, OFF, np.random.default_rng(1))
    assert np.array_equal(same, HEAD)
    assert stripped is None


@pytest.mark.parametrize("name", NAMES)
def test_one_change_alone(name: str) -> None:
    before = HEAD.copy()
    changed, stripped = imitate(HEAD, replace(OFF, **{name: 1.0}), np.random.default_rng(3))
    assert changed.shape == HEAD.shape
    assert changed.dtype == np.uint8
    assert np.ptp(changed, axis=2).max() == 0
    assert not np.array_equal(changed, HEAD), "nothing happened"
    assert np.array_equal(HEAD, before), "the picture was changed"
    assert (stripped is not None) == (name == "strip")
    air, tissue = HEAD[..., 0] < 8, HEAD[..., 0] > 60
    assert np.median(changed[air]) < np.median(changed[tissue]), "the air is no longer dark"


@pytest.mark.parametrize("seed", range(5))
def test_t2_turns_the_order_of_tissues_over_inside_the_head(seed: int) -> None:
    rows, columns = np.mgrid[:96, :96] - 48
    away = np.hypot(rows, columns)
    white, fluid, oedema, lit = (
        away < 40,
        away < 6,
        np.hypot(rows, columns - 16) < 5,
        np.hypot(rows, columns + 16) < 5,
    )
    bone, scalp = (away >= 40) & (away < 43), (away >= 43) & (away < 46)
    plane = np.select([fluid, oedema, lit, white, bone, scalp], [50, 90, 220, 150, 25, 180], 0).astype(
        np.uint8
    )
    picture = np.repeat(plane[..., None], 3, axis=2)
    changed = imitate(picture, replace(OFF, t2=1.0), np.random.default_rng(seed))[0][..., 0].astype(int)
    level = {
        name: np.median(changed[part]) for name, part in (("fluid", fluid), ("oedema", oedema), ("lit", lit))
    }
    matter = np.median(changed[white & (away < 30)])
    assert level["fluid"] >= level["oedema"] > matter
    assert level["lit"] > matter
    assert np.median(changed[bone]) < np.median(changed[scalp])
    assert not changed[away > 47].any()


def test_strip_tells_what_it_took() -> None:
    changed, stripped = imitate(HEAD, replace(OFF, strip=1.0), np.random.default_rng(1))
    assert stripped is not None
    assert stripped.shape == HEAD.shape[:2]
    assert stripped.dtype == np.bool_
    assert not changed[stripped].any()
    assert np.array_equal(changed[~stripped], HEAD[~stripped])
    assert not stripped[48, 48], "the middle of the head is brain"
    assert HEAD[stripped].max() > 60, "no skull was taken"


@pytest.mark.parametrize(
    "picture",
    [np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8), np.full((32, 32, 3), 9, np.uint8)],
    ids=["black", "white", "dark and small"],
)
@pytest.mark.filterwarnings("error")
def test_pictures_without_a_head(picture: Picture) -> None:
    for seed in range(5):
        changed, stripped = imitate(picture, ALL, np.random.default_rng(seed))
        assert changed.shape == picture.shape
        assert stripped is None or stripped.shape == picture.shape[:2]


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
@pytest.mark.filterwarnings("error")
def test_any_seed_gives_a_picture_and_the_same_again(seed: int) -> None:
    changed, _ = imitate(HEAD, ImitateSettings(), np.random.default_rng(seed))
    again, _ = imitate(HEAD, ImitateSettings(), np.random.default_rng(seed))
    assert changed.shape == HEAD.shape
    assert changed.dtype == np.uint8
    assert np.array_equal(changed, again)


@pytest.mark.parametrize("off", NAMES)
def test_switching_one_off_leaves_the_lots_of_the_others(off: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, list[float]] = {}

    def recorder(name: str):
        def change(plane, head, rng):
            drawn.setdefault(name, []).append(float(rng.random()))
            return plane

        return change

    # `strip` draws no lots of its own.
    monkeypatch.setattr(
        module, "_CHANGES", {n: recorder(n) if n != "strip" else module._as_it_is for n in module._CHANGES}
    )
    rngs = [np.random.default_rng(8) for _ in range(2)]
    imitate(HEAD, ALL, rngs[0])
    imitate(HEAD, replace(ALL, **{off: 0.0}), rngs[1])
    for name in set(NAMES) - {"strip"}:
        assert len(drawn[name]) == (1 if name == off else 2)
        assert len(set(drawn[name])) == 1, f"{name} got other lots"
    assert rngs[0].random() == rngs[1].random(), "what is drawn afterwards has changed"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_probability_lies_between_0_and_1(name: str, value: float) -> None:
    with pytest.raises(SettingsError, match=rf"ImitateSettings\.{name} is .*it must lie in \[0, 1\]"):
        ImitateSettings(**{name: value})
