"""The splits, the network and its training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tumorscan.config.bounds import within
from tumorscan.config.pictures import ImitateSettings, MoveSettings
from tumorscan.errors import SettingsError


@dataclass(frozen=True)
class SplitSettings:
    """Shares of the four splits, drawn by group and stratified by label."""

    validation: float = 0.15
    calibration: float = 0.15
    test: float = 0.2
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("validation", "calibration", "test"):
            within(self, name, 0.01, 0.9)
        if self.train <= 0:
            raise SettingsError("SplitSettings: validation, calibration and test leave nothing to train on")

    @property
    def train(self) -> float:
        """What the other three leave."""
        return round(1.0 - self.validation - self.calibration - self.test, 10)


@dataclass(frozen=True)
class ModelSettings:
    """The network.

    Attributes:
        trunk: the convolutional network.
        weights: `imagenet`, `none`, `default` (the shipped bundle's), or a path to .npz, .weights.h5 or
            .keras.
        cut: name of the trunk's layer that the head stands on; empty for the last one.
        head: `pooled` is the original's, `evidence` gives a logit a cell of the map.
        dense: width of the head; 0 for an evidence head that is one linear map of each cell's features.
        dropout: its rate.
        highest: the evidence head's picture is the mean of so many highest cells; 0 for a smooth maximum.
        sharpness: of that smooth maximum: near 0 the mean of all cells counts, far above 1 the highest cell
            alone.
    """

    trunk: Literal["ResNet50V2", "EfficientNetB0", "Small"] = "ResNet50V2"
    weights: str = "imagenet"
    cut: str = ""
    head: Literal["pooled", "evidence"] = "pooled"
    dense: int = 256
    dropout: float = 0.5
    highest: int = 0
    sharpness: float = 2.0

    def __post_init__(self) -> None:
        within(self, "dense", 0 if self.head == "evidence" else 1, 8192)
        within(self, "dropout", 0, 0.95)
        within(self, "highest", 0, 1024)
        within(self, "sharpness", 0.01, 100)


@dataclass(frozen=True)
class PhaseSettings:
    """One phase of the training.

    Attributes:
        epochs: at most so many; 0 leaves the phase out.
        rate: Adam's learning rate at the start.
        views: augmented copies of each training picture; the frozen part of the network sees each
            once, and epoch e trains on view e modulo `views`.
        patience: epochs without a better validation AUC before the phase stops.
        plateau: epochs without a better validation AUC before the rate is halved.
    """

    epochs: int
    rate: float
    views: int = 4
    patience: int = 8
    plateau: int = 3

    def __post_init__(self) -> None:
        within(self, "epochs", 0, 10_000)
        within(self, "rate", 1e-9, 1.0)
        within(self, "views", 1, 1000)
        within(self, "patience", 1, 10_000)
        within(self, "plateau", 1, 10_000)


@dataclass(frozen=True)
class TrainSettings:
    """Both phases and what they share. `unfrozen` counts layers of the trunk from its top."""

    batch: int = 32
    seed: int = 1
    unfrozen: int = 40
    class_weights: bool = True
    mixed_precision: bool = False
    frozen: PhaseSettings = field(default_factory=lambda: PhaseSettings(epochs=20, rate=1e-3))
    tuned: PhaseSettings = field(default_factory=lambda: PhaseSettings(epochs=10, rate=1e-5))

    def __post_init__(self) -> None:
        within(self, "batch", 2, 4096)
        within(self, "unfrozen", 0, 10_000)


@dataclass(frozen=True)
class StageSettings:
    """One stage of the evidence training: so many epochs, AdamW from `rate` down along half a cosine."""

    epochs: int
    rate: float

    def __post_init__(self) -> None:
        within(self, "epochs", 0, 1000)
        within(self, "rate", 1e-9, 1.0)


@dataclass(frozen=True)
class EvidenceSettings:
    """The training of an evidence head: the head alone, the top of the trunk, all layers, the top again.

    Attributes:
        pictures: examples of an epoch, dealt to sources and classes by their sizes to the power of `balance`.
        balance: 0 gives each the same part, 1 gives each picture the same chance.
        batch: pictures a step.
        seed: of everything that is drawn.
        top: the `upper` stage trains the trunk's layers whose names begin so.
        decay: AdamW's weight decay.
        averaging: momentum of the running mean of the weights, which is what is kept.
        image_weight: of the picture's loss beside the cells'.
        cells: how their losses are put together: `mean` of all that count in a batch; `halves`, tumor and
            empty ones of each picture to equal parts, with its hardest empty ones twice.
        hardest: share of a picture's empty cells that count as its hard negatives.
        as_it_is: share of the examples that are mirrored at most, with nothing else done to them.
        head, upper, whole: the stages, in this order.
        plain: a last one, of the same layers as `upper`, whose examples are all mirrored at most.
        back: share of the weights' way through `plain` that is taken back at its end (Wortsman et al. 2022).
        moves, imitate: what else is done to training pictures.
    """

    pictures: int = 2560
    balance: float = 0.5
    batch: int = 16
    seed: int = 1
    top: str = "conv4"
    decay: float = 0.02
    averaging: float = 0.995
    image_weight: float = 0.3
    cells: Literal["mean", "halves"] = "halves"
    hardest: float = 0.05
    as_it_is: float = 0.5
    head: StageSettings = field(default_factory=lambda: StageSettings(1, 1e-3))
    upper: StageSettings = field(default_factory=lambda: StageSettings(14, 3e-4))
    whole: StageSettings = field(default_factory=lambda: StageSettings(1, 3e-5))
    plain: StageSettings = field(default_factory=lambda: StageSettings(3, 2e-4))
    back: float = 0.5
    moves: MoveSettings = field(default_factory=MoveSettings)
    imitate: ImitateSettings = field(default_factory=ImitateSettings)

    def __post_init__(self) -> None:
        within(self, "pictures", 1, 10**7)
        within(self, "balance", 0, 1)
        within(self, "batch", 2, 4096)
        within(self, "seed", 0, 2**31 - 1)
        within(self, "decay", 0, 1)
        within(self, "averaging", 0, 0.9999)
        within(self, "image_weight", 0, 100)
        within(self, "hardest", 0.001, 1)
        within(self, "as_it_is", 0, 1)
        within(self, "back", 0, 1)

    @property
    def stages(self) -> dict[str, StageSettings]:
        """All stages by name, in the order in which they are trained."""
        return {"head": self.head, "upper": self.upper, "whole": self.whole, "plain": self.plain}

    @property
    def epochs(self) -> int:
        """Of all stages."""
        return sum(stage.epochs for stage in self.stages.values())

    def as_it_is_in(self, epoch: int) -> float:
        """The share of an epoch's examples that are mirrored at most; epochs are counted over all stages."""
        return 1.0 if self.epochs - self.plain.epochs <= epoch < self.epochs else self.as_it_is
