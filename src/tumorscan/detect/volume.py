"""A volume to one finding: every slice through the one path, then what they say together.

A volume's probability is the highest mean over a run of slices. It is on the scale of a slice's calibrated
probability, so the bundle's operating points and band apply; it is not calibrated for volumes.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tumorscan.detect.curve import CurveRule, Summary, extent, positions, summarise
from tumorscan.detect.decide import confidence
from tumorscan.detect.detector import Detector
from tumorscan.detect.explain import Explanation
from tumorscan.detect.stack import Progress, StackSettings, find_slices
from tumorscan.types import Finding, Frame, Scan, SliceFinding, Verdict, Volume, VolumeFinding

RULE: Final = CurveRule()
"""The one in use."""

FEWEST_HEAD: Final = 0.25
"""Share of the slices that the gate must let in; under it the volume is no head, whatever the rest scores."""


@dataclass(frozen=True)
class ExplainedSlice:
    """A slice with what spoke for its answer; `overlay` draws the evidence on the scan's pixels.

    Attributes:
        index: in the volume.
        scan: the slice as a picture, through the volume's window.
        frame: how the slice became what the network saw; carries points of the map to the slice.
        finding: of the slice alone.
        explanation: peak and box are in pixels of the slice.
    """

    index: int
    scan: Scan
    frame: Frame
    finding: Finding
    explanation: Explanation


def find_volume(
    detector: Detector,
    volume: Volume,
    *,
    progress: Progress | None = None,
    settings: StackSettings | None = None,
    rule: CurveRule = RULE,
) -> VolumeFinding:
    """The answer for a volume.

    Args:
        detector: of the bundle.
        volume: N slices.
        progress: told after each batch how many slices are done, and of how many.
        settings: how the work is cut up; changes no answer.
        rule: how the slices are put together.

    Raises:
        BundleError: the bundle has a gate, and the engine keeps no embedding for it.
    """
    begun = time.perf_counter()
    slices = find_slices(detector, volume, settings, progress)
    probabilities = np.array([_probability(one) for one in slices], np.float64)
    places, assumed = positions(volume, rule.pitch)
    summary = summarise(probabilities, places, rule)
    notes = (*volume.notes, *_notes(slices, assumed))
    times = {"volume": round((time.perf_counter() - begun) * 1e3, 3)}
    asked = int(np.isfinite(probabilities).sum())
    if summary.probability is None or asked < FEWEST_HEAD * len(volume):
        refused = detector.refusal(volume.name, _reasons(slices), notes, times)
        return VolumeFinding(refused, slices, summary.curve, None, None)
    finding = _finding(detector, volume.name, summary.probability, notes, times)
    run = _extent(finding, summary, rule)
    finding = _with_type(detector, finding, slices, run)
    return VolumeFinding(finding, slices, summary.curve, summary.key, run, finding.tumor_type)


def explain_slice(detector: Detector, volume: Volume, index: int) -> ExplainedSlice:
    """One slice with its map.

    Args:
        detector: of the bundle.
        volume: N slices.
        index: of the slice, 0..N-1.

    Raises:
        BundleError: the bundle has no head to explain with, or the engine keeps no map.
    """
    scan = volume.scan(index)
    prepared = detector.prepare(scan)
    finding, explanation = detector.explain(scan, prepared)
    return ExplainedSlice(index, scan, prepared.frame, finding, explanation)


def _probability(one: SliceFinding) -> float:
    return float("nan") if one.finding.probability is None else one.finding.probability


def _finding(
    detector: Detector, name: str, probability: float, notes: tuple[str, ...], times: dict[str, float]
) -> Finding:
    said = detector.verdict(probability)
    point = detector.operating_point
    return Finding(
        file=name,
        verdict=said,
        probability=probability,
        confidence=confidence(said, probability),
        threshold=point.threshold,
        operating_point=point.name,
        model=detector.model,
        notes=notes,
        milliseconds=times,
    )


def _with_type(
    detector: Detector, finding: Finding, slices: tuple[SliceFinding, ...], run: tuple[int, int] | None
) -> Finding:
    """The hint at the tumor's type, from the slices of the suspicious run that have one."""
    if detector.types is None or finding.verdict is not Verdict.TUMOR or run is None:
        return finding
    shares, told = detector.types.series_hint([one.finding for one in slices[run[0] : run[1] + 1]])
    return replace(finding, tumor_type=shares, tumor_type_told=told)


def _extent(finding: Finding, summary: Summary, rule: CurveRule) -> tuple[int, int] | None:
    """The suspicious run; None where there is nothing to suspect."""
    if finding.verdict is Verdict.NO_TUMOR or summary.key is None:
        return None
    return extent(summary.curve, summary.key, rule.edge * float(summary.curve[summary.key]))


def _notes(slices: tuple[SliceFinding, ...], assumed: str) -> list[str]:
    refused = sum(one.finding.probability is None for one in slices)
    notes = [f"{refused} of {len(slices)} slices refused and left out"] if refused else []
    return [*notes, assumed] if assumed and len(slices) > 1 else notes


def _reasons(slices: tuple[SliceFinding, ...]) -> tuple[str, ...]:
    """Why a volume is no head: its slices' reasons by name, the commonest first."""
    names = Counter(reason.partition(":")[0] for one in slices for reason in one.finding.reasons)
    refused = sum(one.finding.probability is None for one in slices)
    what = ", ".join(f"{name} {count}" for name, count in names.most_common())
    return (f"no head: {refused} of {len(slices)} slices are refused ({what})",)
