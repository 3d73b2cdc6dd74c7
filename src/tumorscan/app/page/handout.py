"""What can be downloaded of a series: made while its files are still there, and held in memory only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tumorscan.detect.rows import to_table
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


def hand_out(detector: Detector, volume: Volume, found: VolumeFinding) -> Handout:
    """All that can be downloaded of an answer; what cannot be made is told and leaves the others be."""
    files = [File("json", "tumorscan.json", "application/json", json_bytes(found))]
    return Handout(tuple(files))


def json_bytes(found: VolumeFinding) -> bytes:
    """The answer for programs: the volume's, and each slice's."""
    table = {
        **to_table(found.finding),
        "key_slice": found.key_slice,
        "extent": found.extent,
        "curve": jsonable(found.curve),
        "tumor_type": dict(found.tumor_type),
        "slices": [{"index": one.index, "peak": one.peak, **to_table(one.finding)} for one in found.slices],
    }
    return json.dumps(jsonable(table), indent=1).encode()
