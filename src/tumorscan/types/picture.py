"""A picture on its way to the network: as read, as prepared, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""uint8 RGB, H x W x 3, 0..255."""

Label = Literal["tumor", "no_tumor"]


@dataclass(frozen=True)
class Scan:
    """A picture as read, with where it came from.

    Attributes:
        pixels: uint8 RGB, H x W x 3. Grey pictures have three equal channels.
        name: the file as the user named it.
        format: PNG, JPEG, BMP, TIFF or WEBP, by content.
        mode: Pillow's mode of the stored pixels: L, RGB, RGBA, P, I;16 ...
        file_bytes: size of the file in bytes.
        is_grey: all three channels are equal everywhere.
        notes: what the reader did beyond decoding ("alpha dropped", "16 bit windowed to ...").
        sha256: of the file's bytes; empty where it is not of one file, as a slice of a series.
    """

    pixels: Picture
    name: str
    format: str
    mode: str
    file_bytes: int
    is_grey: bool
    notes: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[0])


@dataclass(frozen=True)
class Frame:
    """How a scan became a square: crop box, padding and size; enough to carry a point back.

    Attributes:
        left, top, width, height: the cropped box in pixels of the scan.
        pad_left, pad_top: padding added before the resize, in pixels of the scan.
        padded_width, padded_height: size after padding, in pixels of the scan.
        size: side of the prepared picture in pixels.
    """

    left: int
    top: int
    width: int
    height: int
    pad_left: int
    pad_top: int
    padded_width: int
    padded_height: int
    size: int

    def to_scan(self, x: float, y: float) -> tuple[float, float]:
        """Carry a point of the prepared picture (pixels) to the scan (pixels)."""
        return (
            x / self.size * self.padded_width - self.pad_left + self.left,
            y / self.size * self.padded_height - self.pad_top + self.top,
        )

    def from_scan(self, x: float, y: float) -> tuple[float, float]:
        """Carry a point of the scan (pixels) to the prepared picture (pixels)."""
        return (
            (x - self.left + self.pad_left) * self.size / self.padded_width,
            (y - self.top + self.pad_top) * self.size / self.padded_height,
        )


@dataclass(frozen=True)
class Step:
    """The picture after one stage of the preparation."""

    name: str
    pixels: Picture


@dataclass(frozen=True)
class Prepared:
    """What the network sees.

    Attributes:
        pixels: uint8 RGB, S x S x 3.
        frame: the way back to the scan.
        steps: the picture after each stage, first the framed scan; empty unless asked for.
    """

    pixels: Picture
    frame: Frame
    steps: tuple[Step, ...] = ()
