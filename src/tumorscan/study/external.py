"""External testing: a bundle on sets that had no part in making it; every look is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.evaluate.card import write_card
from tumorscan.evaluate.strata import Stratum, measure, patient_rows, pooling_refusal
from tumorscan.model.bundle import Bundle
from tumorscan.study.controls import try_controls
from tumorscan.study.external_report import write_external
from tumorscan.study.external_result import ExternalEvaluation
from tumorscan.study.opened import Trial
from tumorscan.study.part import Part, load_part

FOLDER = "external"


def evaluate_external(
    trial: Trial, *, force_pooled: bool = False, operating_point: str = ""
) -> ExternalEvaluation:
    """Measure a bundle on external sets at its operating point, and write the report.

    Args:
        trial: the bundle and the sets; the report goes to external/NAME by default.
        force_pooled: let figures over both classes stand where a source holds one class only.
        operating_point: the name of one that the bundle has; its default if empty.

    Raises:
        BundleError: the bundle is absent, damaged or never fitted.
        DataError: a set cannot be used; see `read_set`.
        EnvironmentProblem: something cannot be written.
    """
    detector = trial.detector(operating_point)
    opened = trial.open(detector)
    trial.say(f"measuring {detector.model} on {len(opened.records)} pictures")
    part = load_part(opened.records, opened.bundle.manifest.settings, progress=trial.progress)
    probabilities = detector.probabilities(part.pictures)
    forced = _forced(part) if force_pooled else ()
    result = ExternalEvaluation(
        model=detector.model,
        operating_point=detector.operating_point,
        band=detector.band,
        folder=trial.folder(FOLDER, opened),
        looks=opened.looks,
        warnings=(*forced, *opened.warnings),
        controls=try_controls(opened.records, progress=trial.progress),
        part=part,
        probabilities=probabilities,
        **_measured(part, probabilities, detector.operating_point.threshold, force_pooled=force_pooled),
    )
    write_external(result)
    write_card(_record(opened.bundle, result))
    return result


def _record(bundle: Bundle, result: ExternalEvaluation) -> Bundle:
    """Keep the figures of each set's sources in the bundle."""
    for look in result.looks:
        names = {record.source for record in look.external.records}
        sources = {one.name: one.to_table() for one in result.sources if one.name in names}
        bundle = bundle.record_metrics(look.key, {"sources": sources})
    return bundle


def _forced(part: Part) -> tuple[str, ...]:
    refusal = pooling_refusal(part.labels, [record.source for record in part.records])
    if not refusal.startswith("source "):
        return ()
    return (f"FORCED POOLING: {refusal}. Every figure over both classes below is of that kind.",)


def _measured(
    part: Part, probabilities: NDArray[np.float64], threshold: float, *, force_pooled: bool
) -> dict[str, Any]:
    """Fields of the evaluation: the whole, its sources, planes and patients."""
    records = part.records
    known = all(record.patient for record in records)
    units = np.array([f"{r.source}/{r.patient}" if known else r.group for r in records])
    sources = np.array([record.source for record in records])

    def stratum(name: str, inside: NDArray[np.bool_]) -> Stratum:
        return measure(
            name,
            part.labels[inside],
            probabilities[inside],
            sources[inside],
            units[inside],
            threshold=threshold,
            unit="patients" if known else "groups",
            force=force_pooled,
        )

    def strata(names: Sequence[str]) -> tuple[Stratum, ...]:
        column = np.array(names)
        return tuple(stratum(str(name), column == name) for name in np.unique(column))

    planes = [record.plane for record in records]
    several = np.unique(sources).size > 1
    patients = [f"{r.source}/{r.patient}" if several and r.patient else r.patient for r in records]
    return {
        "whole": stratum("All pictures", np.ones(len(records), bool)),
        "sources": strata([record.source for record in records]),
        "planes": strata([plane or "not given" for plane in planes]) if any(planes) else (),
        "patients": patient_rows(part.labels, probabilities, patients, threshold=threshold),
    }
