"""What can be downloaded of a series: made while its files are still there, and held in memory only."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tumorscan.detect.rows import to_table
from tumorscan.errors import TumorscanError
from tumorscan.jsonable import jsonable

if TYPE_CHECKING:
    from tumorscan.detect.detector import Detector
    from tumorscan.types import Volume, VolumeFinding


@dataclass(frozen=True)
class File:
    """A file to download.

    Attributes:
        kind: pdf, sr, capture or json.
        name: that it is saved under.
        media: its type.
        data: the whole of it.
    """

    kind: str
    name: str
    media: str
    data: bytes


@dataclass(frozen=True)
class Handout:
    """Files to download, and why others are not among them (a line each)."""

    files: tuple[File, ...]
    missing: tuple[str, ...] = ()
