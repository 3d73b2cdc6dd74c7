"""Presets as data, and the ways to settings: by name, from tables, from TOML, with some set anew."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import tomli_w

from tumorscan.config.pictures import ImitateSettings, MoveSettings
from tumorscan.config.settings import Settings
from tumorscan.config.tables import from_table, laid_over, to_table, value_of
from tumorscan.errors import SettingsError

PRESETS: dict[str, dict[str, Any]] = {
    # The README that started this project, fact by fact; the defaults above are its numbers.
    "original": {},
    # Learns where the tumor is, from boxes, labels and pictures known to be empty.
    "evidence": {
        "prepare": {
            "frame": {"crop_head": True, "pad_square": True},
            "denoise": {"method": "off"},
            "contrast": {"method": "off"},
            "grey": True,
        },
        "augment": {
            "rotation": 0.04,
            "zoom": 0.2,
            "brightness": 0.05,
            "shift": 0.08,
            "stretch": 0.08,
            "upside_down": 0.03,
            "quarter": 0.03,
            "fill": "black",
        },
        "split": {"validation": 0.05, "calibration": 0.15, "test": 0.15},
        "model": {"cut": "conv4_block5_out", "head": "evidence", "dense": 128, "dropout": 0.2, "highest": 8},
        "decide": {"calibration": "auto", "points": "all", "band": 0.03},
    },
    # Small and short: the demo and the tests draw phantoms and train this from nothing in seconds.
    "quick": {
        "prepare": {"frame": {"size": 96}, "denoise": {"method": "fast"}},
        "augment": {"rotation": 0.05},
        "model": {"trunk": "Small", "weights": "none", "dense": 64},
        "train": {
            "batch": 16,
            "unfrozen": 100,
            "frozen": {"epochs": 2, "rate": 1e-3, "views": 2},
            "tuned": {"epochs": 24, "rate": 2e-3, "views": 8},
        },
    },
}

# What came into the recipe later, switched off.
_LATER: dict[str, Any] = {
    "model": {"highest": 0},
    "evidence": {
        "as_it_is": 0.0,
        "plain": {"epochs": 0, "rate": 2e-4},
        "back": 0.0,
        "moves": {one.name: 0.0 for one in fields(MoveSettings)},
        "imitate": {one.name: 0.0 for one in fields(ImitateSettings)},
    },
}


def preset(name: str) -> Settings:
    """Settings of a preset by name.

    Raises:
        SettingsError: there is no such preset.
    """
    return settings_from({"preset": name})


def settings_from(table: Mapping[str, Any]) -> Settings:
    """Settings from nested tables, laid over the preset that the table names (`original` if none).

    Raises:
        SettingsError: an unknown preset or key, or a value of the wrong kind or out of range.
    """
    return from_table(Settings, laid_over(_preset_table(table), table))


def recorded_settings(table: Mapping[str, Any]) -> Settings:
    """Settings that a bundle says it was made with: what it is silent on did not exist yet, so it was off.

    Raises:
        SettingsError: as `settings_from`.
    """
    return from_table(Settings, laid_over(laid_over(_preset_table(table), _LATER), table))


def _preset_table(table: Mapping[str, Any]) -> dict[str, Any]:
    name = table.get("preset", "original")
    if not isinstance(name, str) or name not in PRESETS:
        raise SettingsError(f"there is no preset {name!r}: choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


def read_settings(path: Path) -> Settings:
    """Settings from a TOML file.

    Raises:
        SettingsError: the file is missing, is not TOML, or `settings_from` refuses what it holds.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a TOML file ({error})") from error
    try:
        return settings_from(table)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def changed(settings: Settings, changes: Sequence[str]) -> Settings:
    """The settings with some set anew, each given as ``"train.batch=16"``.

    Raises:
        SettingsError: a change is not of that form, or names an unknown setting or an unfit value.
    """
    table = to_table(settings)
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"{change!r} is no change of a setting: write KEY=VALUE")
        new: Any = value_of(text.strip())
        for name in reversed(key.strip().split(".")):
            new = {name: new}
        table = laid_over(table, new)
    return settings_from(table)


def to_toml(settings: Settings) -> str:
    """The settings as TOML; `read_settings` gives the same settings back."""
    return tomli_w.dumps(to_table(settings))
