"""What is fitted on the calibration split, and everything that makes a run what it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tumorscan.config.bounds import within
from tumorscan.config.pictures import AugmentSettings, PrepareSettings
from tumorscan.config.training import EvidenceSettings, ModelSettings, SplitSettings, TrainSettings
from tumorscan.errors import SettingsError


@dataclass(frozen=True)
class DecideSettings:
    """What is fitted on the calibration split: probabilities, thresholds, and where nothing is said.

    Attributes:
        sensitivity: wanted of the point `screening`.
        calibration: from logits to probabilities; `auto` is the simplest that is good enough out of fold.
        points: `screening` alone, at the threshold that measured the sensitivity; or `all`: screening,
            balanced and specific, the first and the last at a level of confidence.
        specificity: wanted of the point `specific`.
        level: of confidence, for `all`.
        band: largest share of each class that may get the other's verdict; the band between is CANNOT SAY.
            0: no band, two verdicts.
    """

    sensitivity: float = 0.97
    calibration: Literal["temperature", "auto", "platt", "beta", "isotonic"] = "temperature"
    points: Literal["screening", "all"] = "screening"
    specificity: float = 0.97
    level: float = 0.95
    band: float = 0.0

    def __post_init__(self) -> None:
        within(self, "sensitivity", 0.5, 1.0)
        within(self, "specificity", 0.5, 1.0)
        within(self, "level", 0.5, 0.9999)
        within(self, "band", 0.0, 0.4)
        if self.points == "all" and 1.0 in (self.sensitivity, self.specificity):
            raise SettingsError(
                "DecideSettings: no data can show a sensitivity or specificity of 1: "
                "ask for less, or set points to screening"
            )


@dataclass(frozen=True)
class Settings:
    """Everything that makes a run what it is."""

    preset: str = "original"
    prepare: PrepareSettings = field(default_factory=PrepareSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    split: SplitSettings = field(default_factory=SplitSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    evidence: EvidenceSettings = field(default_factory=EvidenceSettings)
    decide: DecideSettings = field(default_factory=DecideSettings)
