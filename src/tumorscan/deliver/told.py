"""What is delivered: an answer for a volume with all that a reader must know of the model that gave it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import tumorscan
from tumorscan.deliver.evidence import Evidence
from tumorscan.detect.decide import percent
from tumorscan.detect.detector import Detector
from tumorscan.jsonable import jsonable
from tumorscan.model.bundle import Manifest
from tumorscan.types import Finding, Interval, OperatingPoint, UncertainBand, Volume, VolumeFinding

RESEARCH_USE = "Research and teaching software: not a medical device, never a diagnosis."
"""Stands on and in everything that leaves the house."""


@dataclass(frozen=True)
class Model:
    """Of the bundle, what an answer depends on.

    Attributes:
        name, version: of the bundle.
        fingerprint: SHA-256 of its files, calibration, operating point, band and preparation; looks at test
            sets and figures that were measured later do not change it.
        point: the operating point.
        band: where nothing is said; None where the bundle has none.
        cells: the evidence is an evidence head's probability of each place, not Grad-CAM.
    """

    name: str
    version: str
    fingerprint: str
    point: OperatingPoint
    band: UncertainBand | None
    cells: bool

    @property
    def title(self) -> str:
        """Name and version, as answers quote it."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Told:
    """An answer for a volume, ready to be written down.

    Attributes:
        volume: as read.
        found: of it.
        model: that gave the answer.
        evidence: of the slices that are shown, by index; the key slice is among them.
    """

    volume: Volume
    found: VolumeFinding
    model: Model
    evidence: Mapping[int, Evidence]


def model_of(detector: Detector) -> Model:
    """What an answer of a detector depends on."""
    manifest, point = detector.bundle.manifest, detector.operating_point
    return Model(
        manifest.name,
        manifest.version,
        _fingerprint(manifest, point),
        point,
        manifest.band,
        manifest.settings.model.head == "evidence",
    )


def _fingerprint(manifest: Manifest, point: OperatingPoint) -> str:
    calibration, band = manifest.calibrated, manifest.band
    parts = {
        "files": dict(manifest.files),
        "calibration": asdict(calibration) if calibration else None,
        "point": asdict(point),
        "band": asdict(band) if band else None,
        "prepare": asdict(manifest.settings.prepare),
        "code": tumorscan.__version__,
    }
    return hashlib.sha256(json.dumps(jsonable(parts), sort_keys=True).encode()).hexdigest()


def meaning(probability: float | None, *, of_series: bool = False) -> str:
    """What a calibrated probability says, in a sentence.

    Args:
        probability: 0..1; None where there is no verdict.
        of_series: it was gathered from the slices of a series.
    """
    if probability is None:
        return "This is no slice of a head that the model knows, so it was not asked about a tumor."
    # See `detect/volume.py`: the highest mean over a run of slices.
    gathered = "The highest mean over neighbouring slices, calibrated for single ones: of"
    gathered = gathered if of_series else "Of"
    count = f"about {100 * probability:.0f}"
    count = "nearly all" if probability > 0.995 else "nearly none" if probability < 0.005 else count
    return (
        f"{gathered} 100 pictures that get a probability of {percent(probability)}, {count} show a tumor, as "
        "far as new pictures are like those that the model was calibrated on."
    )


def type_shares(finding: Finding, found: VolumeFinding | None) -> Mapping[str, float]:
    """Probability of each type of tumor, as a hint; empty where none is given."""
    return (found.tumor_type if found else {}) or finding.tumor_type


def type_hint(finding: Finding, found: VolumeFinding | None) -> str:
    """The hint at the type in words; empty where none is given."""
    shares = sorted(type_shares(finding, found).items(), key=lambda one: -one[1])
    said = f"{finding.tumor_type_told}: " if finding.tumor_type_told else ""
    return said + ", ".join(f"{name} {percent(share)}" for name, share in shares) if shares else ""


def rates(point: OperatingPoint) -> str:
    """Sensitivity and specificity of an operating point, in short."""
    return f"sensitivity {_share(point.sensitivity)}, specificity {_share(point.specificity)}"


def rates_in_full(point: OperatingPoint) -> str:
    """Sensitivity and specificity of an operating point with their intervals, and on what."""
    first, second = _in_full(point.sensitivity), _in_full(point.specificity)
    return f"sensitivity {first}, specificity {second}, on {point.fitted_on}."


def _share(figure: Interval) -> str:
    return f"{100 * figure.value:.1f} %" if math.isfinite(figure.value) else "not measured"


def _in_full(figure: Interval) -> str:
    if not math.isfinite(figure.value):
        return "not measured"
    bounds = f"{100 * figure.low:.1f} to {100 * figure.high:.1f} %, {figure.method}"
    return f"{_share(figure)} ({100 * figure.level:.0f} % interval {bounds})"
