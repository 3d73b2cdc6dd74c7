"""External testing: a bundle on sets that had no part in making it; every look is counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.data.external import ExternalSet, joined, read_set
from tumorscan.detect.detector import load_detector
from tumorscan.errors import SettingsError
from tumorscan.evaluate.card import write_card
from tumorscan.evaluate.strata import Stratum, measure, patient_rows, pooling_refusal
from tumorscan.model.bundle import Bundle
from tumorscan.study.controls import try_controls
from tumorscan.study.external_leaks import LeakCheck
from tumorscan.study.external_report import write_external
from tumorscan.study.external_result import ExternalEvaluation, Look
from tumorscan.study.run import Part, load_part

FOLDER = "external"
_UNSAFE = re.compile(r"[^\w.=,+-]+")


def evaluate_external(
    model: Path,
    paths: Sequence[Path],
    *,
    where: Mapping[str, str] | None = None,
    out: Path | None = None,
    force_pooled: bool = False,
    engine: str = "auto",
    operating_point: str = "",
    leak_check: LeakCheck | None = None,
    progress: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> ExternalEvaluation:
    """Measure a bundle on external sets at its operating point, and write the report.

    Args:
        model: folder of a bundle, or of a run that holds one.
        paths: a folder or csv for each set.
        where: only the csv rows whose columns hold these values.
        out: where the report goes; by default external/NAME beside the bundle's folder.
        force_pooled: let figures over both classes stand where a source holds one class only.
        engine: what runs the network.
        operating_point: the name of one that the bundle has; its default if empty.
        leak_check: called with all records before the sets are opened; what it returns are the
            report's first lines, and what it raises ends the evaluation before a look is counted.
        progress: bars on stderr.
        say: gets a line at each stage.

    Raises:
        BundleError: the bundle is absent, damaged or never fitted.
        DataError: a set cannot be used; see `read_set`.
        EnvironmentProblem: something cannot be written.
    """
    if not paths:
        raise SettingsError("no external set is named: give a folder or a csv")
    detector = load_detector(model, engine, operating_point=operating_point)
    sets = distinct_sets([read_set(Path(path), where or {}, progress=progress) for path in paths])
    records = joined(sets)
    warnings = list(leak_check(records)) if leak_check else []
    bundle, looks = count_looks(detector.bundle, sets)
    say(f"measuring {detector.model} on {len(records)} pictures")
    part = load_part(records, bundle.manifest.settings, progress=progress)
    probabilities = detector.probabilities(part.pictures)
    forced = _forced(part) if force_pooled else ()
    result = ExternalEvaluation(
        model=detector.model,
        operating_point=detector.operating_point,
        band=detector.band,
        folder=out or bundle.folder.resolve().parent / FOLDER / _slug(sets),
        looks=looks,
        warnings=(*forced, *warnings),
        controls=try_controls(records, progress=progress),
        part=part,
        probabilities=probabilities,
        **_measured(part, probabilities, detector.operating_point.threshold, force_pooled=force_pooled),
    )
    write_external(result)
    write_card(_record(bundle, result))
    return result


def look_key(looks: Mapping[str, int], name: str, sha256: str) -> str:
    """Under what a bundle counts its looks at a set: an older name of the same pictures, else a new one."""
    mark = f"sha256:{sha256[:16]}"
    return next((key for key in looks if key.endswith(mark)), f"{name} {mark}")


def distinct_sets(sets: Sequence[ExternalSet]) -> tuple[ExternalSet, ...]:
    """A set named twice is looked at once."""
    return tuple({one.sha256: one for one in reversed(sets)}.values())[::-1]


def count_looks(bundle: Bundle, sets: Sequence[ExternalSet]) -> tuple[Bundle, tuple[Look, ...]]:
    """Count a look at each set in the bundle; returns the bundle as it now stands on disk, and the looks."""
    looks = []
    for one in sets:
        key = look_key(bundle.manifest.looks, one.name, one.sha256)
        bundle = bundle.count_look(key)
        looks.append(Look(one, key, bundle.manifest.looks[key]))
    return bundle, tuple(looks)


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


def _slug(sets: Sequence[ExternalSet]) -> str:
    return _UNSAFE.sub("_", "+".join(one.name for one in sets)).strip("._")[:100] or "set"
