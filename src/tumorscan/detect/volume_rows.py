"""The answer for a study as JSON: of the command line and of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tumorscan.detect.rows import Row, to_table
from tumorscan.jsonable import jsonable
from tumorscan.types import SliceFinding, VolumeFinding

VOLUME: Final = "tumorscan.volume/1"
STUDY: Final = "tumorscan.study/1"
"""As `rows.SCHEMA`: the number rises when a key changes its meaning or goes."""

_OF_A_SLICE: Final = ("file", "verdict", "probability", "confidence", "reasons")


def study_table(name: str, volumes: Sequence[VolumeFinding], problems: Sequence[str]) -> Row:
    """The JSON form of a study.

    Args:
        name: as the user named it.
        volumes: an answer each.
        problems: a line for each thing that could not be read.
    """
    return {
        "schema": STUDY,
        "file": name,
        "volumes": [volume_table(one) for one in volumes],
        "problems": list(problems),
    }


def volume_table(found: VolumeFinding) -> Row:
    """The JSON form of a volume's answer: that of a finding, and what its slices say.

    `curve` has a number a slice, null where the slice was not asked or refused; `extent` is the first and the
    last slice of the suspicious run.
    """
    return {
        **to_table(found.finding),
        "schema": VOLUME,
        "key_slice": found.key_slice,
        "extent": None if found.extent is None else list(found.extent),
        "curve": [None if one is None else round(one, 6) for one in jsonable(found.curve)],
        "slices": [_slice_table(one) for one in found.slices],
    }


def _slice_table(one: SliceFinding) -> Row:
    table = to_table(one.finding)
    peak = None if one.peak is None else [round(float(place), 1) for place in one.peak]
    return {"index": one.index, **{name: table[name] for name in _OF_A_SLICE}, "peak": peak}
