"""The answer for a volume or a study as JSON says it; programs tell its form by `SCHEMA`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from tumorscan.detect.curve import positions
from tumorscan.detect.rows import to_table
from tumorscan.types import Slice, Study, Volume, VolumeFinding

SCHEMA: Final = "tumorscan.study/1"
"""Grows by fields only; a field that changes its meaning, or goes, makes a 2 of it."""


def study_table(study: Study, volumes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A study: its volumes as of `volume_table`, and a line for each thing that could not be read."""
    return {
        "schema": SCHEMA,
        "file": study.name,
        "volumes": list(volumes),
        "problems": list(study.problems),
    }


def volume_table(volume: Volume, found: VolumeFinding) -> dict[str, Any]:
    """A volume: the fields of a picture's answer, then where; indexes count from 0, lengths are in mm.

    Args:
        volume: that was asked.
        found: its answer.
    """
    return {
        **to_table(found.finding),
        "format": volume.format,
        "modality": volume.modality,
        "series": volume.series,
        "plane": volume.plane,
        "slices": len(volume),
        "spacing": None if volume.spacing is None else [_number(one) for one in volume.spacing],
        "key_slice": None if found.key_slice is None else _key(volume, found, found.key_slice),
        "extent": None if found.extent is None else _extent(volume, found.extent),
        "curve": [_number(one) for one in found.curve],
        "slice_probabilities": [_number(one.finding.probability) for one in found.slices],
        "refused_slices": [one.index for one in found.slices if one.finding.probability is None],
    }


def run_length(volume: Volume, extent: tuple[int, int]) -> float | None:
    """How far a run of slices reaches, from the outer face of one end to that of the other, in mm.

    None where the distance of the slices is not known, as of a single slice.
    """
    places, assumed = positions(volume, 1.0)
    if assumed:
        return None
    first, last = extent
    steps = np.abs(np.diff(places))
    thick = volume.spacing[0] if volume.spacing else float(np.median(steps)) if len(steps) else 0.0
    length = float(abs(places[last] - places[first]) + thick)
    return length if math.isfinite(length) and thick > 0 else None


def _key(volume: Volume, found: VolumeFinding, index: int) -> dict[str, Any]:
    one = found.slices[index]
    return {
        "index": index,
        **_origin(volume.slices[index]),
        "verdict": str(one.finding.verdict),
        "probability": _number(one.finding.probability),
        "peak": None if one.peak is None else [round(at, 1) for at in one.peak],
    }


def _origin(one: Slice) -> dict[str, Any]:
    return {"file": one.file, "frame": one.frame, "uid": one.uid, "position": _number(one.position)}


def _extent(volume: Volume, extent: tuple[int, int]) -> dict[str, Any]:
    first, last = extent
    length = run_length(volume, extent)
    return {"first": first, "last": last, "slices": last - first + 1, "millimetres": _number(length)}


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(float(value), 6)
