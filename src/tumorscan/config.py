"""Settings of every stage: frozen, checked at construction, presets as data, TOML in and out."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import tomli_w

from tumorscan.errors import SettingsError

T = TypeVar("T")

SHIPPED = Path(__file__).parent / "bundles" / "default"
"""Folder of the bundle that comes with tumorscan."""


def _within(owner: object, name: str, low: float, high: float) -> None:
    value = getattr(owner, name)
    if not low <= value <= high:
        raise SettingsError(f"{type(owner).__name__}.{name} is {value}: it must lie in [{low:g}, {high:g}]")


@dataclass(frozen=True)
class ReadLimits:
    """What is refused before it is decoded."""

    max_bytes: int = 256 * 1024 * 1024
    max_pixels: int = 64 * 1024 * 1024
    min_side: int = 16

    def __post_init__(self) -> None:
        _within(self, "max_bytes", 1, 2**40)
        _within(self, "max_pixels", 1, 2**34)
        _within(self, "min_side", 1, 4096)


@dataclass(frozen=True)
class FrameSettings:
    """From a scan of any shape to S x S; without crop and pad it is stretched, as the original did."""

    size: int = 224
    crop_head: bool = False
    pad_square: bool = False

    def __post_init__(self) -> None:
        _within(self, "size", 32, 1024)


@dataclass(frozen=True)
class DenoiseSettings:
    """Non-local means (Buades 2005): `original` is scikit-image's on RGB, `fast` from OpenCV's filters."""

    method: Literal["off", "original", "fast"] = "original"
    patch_size: int = 5
    patch_distance: int = 3
    h_factor: float = 1.15

    def __post_init__(self) -> None:
        _within(self, "patch_size", 1, 21)
        _within(self, "patch_distance", 1, 21)
        _within(self, "h_factor", 0, 10)


@dataclass(frozen=True)
class ContrastSettings:
    """CLAHE (Zuiderveld 1994) on L of CIELAB."""

    method: Literal["off", "clahe"] = "clahe"
    clip_limit: float = 2.0
    tiles: int = 8

    def __post_init__(self) -> None:
        _within(self, "clip_limit", 0.1, 100)
        _within(self, "tiles", 1, 64)


@dataclass(frozen=True)
class PrepareSettings:
    """The one path from scan to network, for training and serving; `grey` drops colour at its end."""

    frame: FrameSettings = field(default_factory=FrameSettings)
    denoise: DenoiseSettings = field(default_factory=DenoiseSettings)
    contrast: ContrastSettings = field(default_factory=ContrastSettings)
    grey: bool = False


@dataclass(frozen=True)
class AugmentSettings:
    """Random changes of training pictures; 0 switches one off.

    Attributes:
        flip: probability of a left-right mirror.
        rotation: largest turn either way, as a fraction of a full turn. The original's code has
            Keras's 0.15 (54 degrees); its text says "15 %", which is the same thing in Keras's unit.
        zoom: largest zoom in or out, as a fraction of the side.
        brightness: largest shift, as a fraction of the range 0..255.
        contrast: largest change of the distance to the mean, as a fraction.
        shift: largest move along either side, as a fraction of it.
        stretch: largest change of the ratio of width to height, as a fraction.
        upside_down: probability of a mirror top to bottom.
        quarter: probability of a turn by 90, 180 or 270 degrees.
        fill: what comes in from outside the picture.
    """

    flip: float = 0.5
    rotation: float = 0.15
    zoom: float = 0.1
    brightness: float = 0.1
    contrast: float = 0.1
    shift: float = 0.0
    stretch: float = 0.0
    upside_down: float = 0.0
    quarter: float = 0.0
    fill: Literal["reflect", "edge", "black"] = "reflect"

    def __post_init__(self) -> None:
        for name in ("flip", "upside_down", "quarter"):
            _within(self, name, 0, 1)
        _within(self, "rotation", 0, 0.5)
        for name in ("zoom", "brightness", "contrast", "shift", "stretch"):
            _within(self, name, 0, 0.9)


@dataclass(frozen=True)
class ImitateSettings:
    """How often a training picture is made to look as if it came from another scanner; 0 switches one off.

    Attributes:
        gamma, window, curve, inversion: of the grey levels: a power, a narrower window, any smooth curve,
            light and dark tissues exchanged.
        bias: a smooth change of brightness across the head, as a surface coil gives.
        blur, sharpen, resolution, noise, ghost, resave: of the recording and the file.
        strip: scalp and skull taken off, roughly.
    """

    gamma: float = 0.4
    window: float = 0.3
    curve: float = 0.1
    inversion: float = 0.03
    bias: float = 0.3
    blur: float = 0.15
    sharpen: float = 0.1
    resolution: float = 0.15
    noise: float = 0.25
    ghost: float = 0.03
    resave: float = 0.2
    strip: float = 0.1

    def __post_init__(self) -> None:
        for one in fields(self):
            _within(self, one.name, 0, 1)


@dataclass(frozen=True)
class MoveSettings:
    """How often lesions change places, so that no source is all tumor or all free of it; 0 switches one off.

    Attributes:
        moved: of the empty pictures that get a lesion out of another picture's box.
        decoy: of the empty pictures that get a patch from outside the boxes, pasted in the same way.
        hidden: of the boxed pictures whose lesion is covered by the other side of the head.
    """

    moved: float = 0.2
    decoy: float = 0.15
    hidden: float = 0.2

    def __post_init__(self) -> None:
        for one in fields(self):
            _within(self, one.name, 0, 1)
        if self.moved + self.decoy > 1:
            raise SettingsError(
                f"MoveSettings: moved {self.moved:g} and decoy {self.decoy:g} add up to more than 1"
            )


@dataclass(frozen=True)
class SplitSettings:
    """Shares of the four splits, drawn by group and stratified by label."""

    validation: float = 0.15
    calibration: float = 0.15
    test: float = 0.2
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("validation", "calibration", "test"):
            _within(self, name, 0.01, 0.9)
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
        dense: width of the head.
        dropout: its rate.
        sharpness: of the evidence head's aggregation: near 0 the mean of all cells counts, far above 1
            the highest cell alone.
    """

    trunk: Literal["ResNet50V2", "EfficientNetB0", "Small"] = "ResNet50V2"
    weights: str = "imagenet"
    cut: str = ""
    head: Literal["pooled", "evidence"] = "pooled"
    dense: int = 256
    dropout: float = 0.5
    sharpness: float = 2.0

    def __post_init__(self) -> None:
        _within(self, "dense", 1, 8192)
        _within(self, "dropout", 0, 0.95)
        _within(self, "sharpness", 0.01, 100)


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
        _within(self, "epochs", 0, 10_000)
        _within(self, "rate", 1e-9, 1.0)
        _within(self, "views", 1, 1000)
        _within(self, "patience", 1, 10_000)
        _within(self, "plateau", 1, 10_000)


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
        _within(self, "batch", 2, 4096)
        _within(self, "unfrozen", 0, 10_000)


@dataclass(frozen=True)
class StageSettings:
    """One stage of the evidence training: so many epochs, AdamW from `rate` down along half a cosine."""

    epochs: int
    rate: float

    def __post_init__(self) -> None:
        _within(self, "epochs", 0, 1000)
        _within(self, "rate", 1e-9, 1.0)


@dataclass(frozen=True)
class EvidenceSettings:
    """The training of an evidence head: the head alone, the top of the trunk, all layers.

    Attributes:
        pictures: examples of an epoch, dealt to the sources by the square root of their sizes.
        batch: pictures a step.
        seed: of everything that is drawn.
        top: the `upper` stage trains the trunk's layers whose names begin so.
        decay: AdamW's weight decay.
        averaging: momentum of the running mean of the weights, which is what is kept.
        image_weight: of the picture's loss beside the cells'.
        hardest: share of a picture's empty cells that count as its hard negatives.
        head, upper, whole: the three stages.
        moves, imitate: what else is done to training pictures.
    """

    pictures: int = 2560
    batch: int = 16
    seed: int = 1
    top: str = "conv4"
    decay: float = 0.02
    averaging: float = 0.995
    image_weight: float = 0.3
    hardest: float = 0.05
    head: StageSettings = field(default_factory=lambda: StageSettings(2, 1e-3))
    upper: StageSettings = field(default_factory=lambda: StageSettings(5, 2e-4))
    whole: StageSettings = field(default_factory=lambda: StageSettings(1, 3e-5))
    moves: MoveSettings = field(default_factory=MoveSettings)
    imitate: ImitateSettings = field(default_factory=ImitateSettings)

    def __post_init__(self) -> None:
        _within(self, "pictures", 1, 10**7)
        _within(self, "batch", 2, 4096)
        _within(self, "seed", 0, 2**31 - 1)
        _within(self, "decay", 0, 1)
        _within(self, "averaging", 0, 0.9999)
        _within(self, "image_weight", 0, 100)
        _within(self, "hardest", 0.001, 1)


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
        _within(self, "sensitivity", 0.5, 1.0)
        _within(self, "specificity", 0.5, 1.0)
        _within(self, "level", 0.5, 0.9999)
        _within(self, "band", 0.0, 0.4)
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
        "model": {"cut": "conv4_block5_out", "head": "evidence", "dense": 128, "dropout": 0.2},
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


def preset(name: str) -> Settings:
    """Settings of a preset by name.

    Raises:
        SettingsError: there is no such preset.
    """
    if name not in PRESETS:
        raise SettingsError(f"there is no preset {name!r}: choose one of {', '.join(PRESETS)}")
    return settings_from({"preset": name})


def settings_from(table: Mapping[str, Any]) -> Settings:
    """Settings from nested tables, laid over the preset that the table names (`original` if none).

    Raises:
        SettingsError: an unknown preset or key, or a value of the wrong kind or out of range.
    """
    name = table.get("preset", "original")
    if not isinstance(name, str) or name not in PRESETS:
        raise SettingsError(f"there is no preset {name!r}: choose one of {', '.join(PRESETS)}")
    return from_table(Settings, _laid_over(PRESETS[name], table))


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
        new: Any = _value(text.strip())
        for name in reversed(key.strip().split(".")):
            new = {name: new}
        table = _laid_over(table, new)
    return settings_from(table)


def _value(text: str) -> Any:
    """As TOML reads it; what TOML cannot read is a word."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def to_toml(settings: Settings) -> str:
    """The settings as TOML; `read_settings` gives the same settings back."""
    return tomli_w.dumps(to_table(settings))


def to_table(settings: Any) -> dict[str, Any]:
    """A settings dataclass as nested tables of plain values."""
    return dataclasses.asdict(settings)


def from_table(kind: type[T], table: Mapping[str, Any], where: str = "") -> T:
    """A settings dataclass from nested tables; what is absent keeps its default.

    Raises:
        SettingsError: an unknown key (named with its place), or a value of the wrong kind.
    """
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in table.items():
        place = f"{where}{key}"
        if key not in known:
            raise SettingsError(f"unknown setting {place!r}: known here are {', '.join(sorted(known))}")
        values[key] = _convert(hints[key], value, place)
    try:
        return kind(**values)
    except TypeError as error:
        raise SettingsError(f"settings {where.rstrip('.') or kind.__name__!r}: {error}") from error


def _convert(hint: Any, value: Any, place: str) -> Any:
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise SettingsError(f"setting {place!r} is a table, not {value!r}")
        return from_table(hint, value, f"{place}.")  # type: ignore[arg-type]
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise SettingsError(
                f"setting {place!r} is {value!r}: choose one of {', '.join(map(str, get_args(hint)))}"
            )
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise SettingsError(f"setting {place!r} is {value!r}: it must be of kind {hint.__name__}")
    return value


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        merged[key] = _laid_over(under, value) if both else value  # type: ignore[arg-type]
    return merged
