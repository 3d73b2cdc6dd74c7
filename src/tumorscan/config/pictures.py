"""What is done to pictures: reading, preparation, random changes of training pictures."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

from tumorscan.config.bounds import within
from tumorscan.errors import SettingsError


@dataclass(frozen=True)
class ReadLimits:
    """What is refused before it is decoded."""

    max_bytes: int = 256 * 1024 * 1024
    max_pixels: int = 64 * 1024 * 1024
    min_side: int = 16

    def __post_init__(self) -> None:
        within(self, "max_bytes", 1, 2**40)
        within(self, "max_pixels", 1, 2**34)
        within(self, "min_side", 1, 4096)


@dataclass(frozen=True)
class StudyLimits:
    """What is refused of a file, folder or archive of volumes, before it is decoded.

    Attributes:
        max_files: files of a folder, members of an archive.
        max_bytes: of one file, and of all members of an archive, unpacked.
        max_pixels: of one slice.
        max_voxels: of all volumes together; each takes 4 bytes.
        max_ratio: how many times larger an archive may get by unpacking.
        min_side: of a slice, in pixels.
    """

    max_files: int = 20_000
    max_bytes: int = 4 * 1024**3
    max_pixels: int = 16 * 1024**2
    max_voxels: int = 256 * 1024**2
    max_ratio: int = 400
    min_side: int = 16

    def __post_init__(self) -> None:
        within(self, "max_files", 1, 10**7)
        within(self, "max_bytes", 1, 2**40)
        within(self, "max_pixels", 1, 2**32)
        within(self, "max_voxels", 1, 2**36)
        within(self, "max_ratio", 1, 10**6)
        within(self, "min_side", 1, 4096)


@dataclass(frozen=True)
class FrameSettings:
    """From a scan of any shape to S x S; without crop and pad it is stretched, as the original did."""

    size: int = 224
    crop_head: bool = False
    pad_square: bool = False

    def __post_init__(self) -> None:
        within(self, "size", 32, 1024)


@dataclass(frozen=True)
class DenoiseSettings:
    """Non-local means (Buades 2005): `original` is scikit-image's on RGB, `fast` from OpenCV's filters."""

    method: Literal["off", "original", "fast"] = "original"
    patch_size: int = 5
    patch_distance: int = 3
    h_factor: float = 1.15

    def __post_init__(self) -> None:
        within(self, "patch_size", 1, 21)
        within(self, "patch_distance", 1, 21)
        within(self, "h_factor", 0, 10)


@dataclass(frozen=True)
class ContrastSettings:
    """CLAHE (Zuiderveld 1994) on L of CIELAB."""

    method: Literal["off", "clahe"] = "clahe"
    clip_limit: float = 2.0
    tiles: int = 8

    def __post_init__(self) -> None:
        within(self, "clip_limit", 0.1, 100)
        within(self, "tiles", 1, 64)


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
            within(self, name, 0, 1)
        within(self, "rotation", 0, 0.5)
        for name in ("zoom", "brightness", "contrast", "shift", "stretch"):
            within(self, name, 0, 0.9)


@dataclass(frozen=True)
class ImitateSettings:
    """How often a training picture is made to look as if it came from another scanner; 0 switches one off.

    Attributes:
        gamma, window, curve, inversion: of the grey levels: a power, a narrower window, any smooth curve,
            light and dark tissues exchanged.
        t2: a T1 slice with fluid and lesions bright and white matter dark, as in T2.
        bias: a smooth change of brightness across the head, as a surface coil gives.
        blur, sharpen, resolution, noise, ghost, resave: of the recording and the file.
        strip: scalp and skull taken off, roughly.
    """

    gamma: float = 0.4
    window: float = 0.3
    curve: float = 0.1
    inversion: float = 0.03
    t2: float = 0.3
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
            within(self, one.name, 0, 1)


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
            within(self, one.name, 0, 1)
        if self.moved + self.decoy > 1:
            raise SettingsError(
                f"MoveSettings: moved {self.moved:g} and decoy {self.decoy:g} add up to more than 1"
            )
