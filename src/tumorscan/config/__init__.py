"""Settings of every stage: frozen, checked at construction, presets as data, TOML in and out."""

from __future__ import annotations

from pathlib import Path

from tumorscan.config.pictures import (
    AugmentSettings,
    ContrastSettings,
    DenoiseSettings,
    FrameSettings,
    ImitateSettings,
    MoveSettings,
    PrepareSettings,
    ReadLimits,
    StudyLimits,
)
from tumorscan.config.presets import (
    PRESETS,
    changed,
    preset,
    read_settings,
    recorded_settings,
    settings_from,
    to_toml,
)
from tumorscan.config.settings import DecideSettings, Settings
from tumorscan.config.tables import from_table, to_table
from tumorscan.config.training import (
    EvidenceSettings,
    ModelSettings,
    PhaseSettings,
    SplitSettings,
    StageSettings,
    TrainSettings,
)

__all__ = [
    "PRESETS",
    "SHIPPED",
    "AugmentSettings",
    "ContrastSettings",
    "DecideSettings",
    "DenoiseSettings",
    "EvidenceSettings",
    "FrameSettings",
    "ImitateSettings",
    "ModelSettings",
    "MoveSettings",
    "PhaseSettings",
    "PrepareSettings",
    "ReadLimits",
    "Settings",
    "SplitSettings",
    "StageSettings",
    "StudyLimits",
    "TrainSettings",
    "changed",
    "from_table",
    "preset",
    "read_settings",
    "recorded_settings",
    "settings_from",
    "to_table",
    "to_toml",
]

SHIPPED = Path(__file__).parents[1] / "bundles" / "default"
"""Folder of the bundle that comes with tumorscan."""
