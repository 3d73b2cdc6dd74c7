"""The outcome of external testing: figures of a bundle on sets that had no part in making it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.data.external import ExternalSet
from tumorscan.data.records import Skipped
from tumorscan.detect.decide import verdicts
from tumorscan.evaluate.abstention import Answered, answered
from tumorscan.evaluate.blocks import in_words
from tumorscan.evaluate.controls import Controls
from tumorscan.evaluate.strata import PatientRow, Stratum
from tumorscan.study.controls import NoControls
from tumorscan.study.part import Part
from tumorscan.types import OperatingPoint, UncertainBand, Verdict


@dataclass(frozen=True)
class Look:
    """An external set and how often the bundle has now been tested on it."""

    external: ExternalSet
    key: str
    count: int


@dataclass(frozen=True, eq=False)
class ExternalEvaluation:
    """What a bundle did on external sets.

    Attributes:
        model: name and version of the bundle.
        operating_point: the bundle's.
        band: the bundle's, or None.
        folder: where the report lies.
        looks: the sets, with how often each was looked at.
        whole: all pictures together.
        sources, planes: the parts, by name; no planes where the csv gives none.
        patients: one row each; empty where the csv gives none.
        controls: of the sets, or why there are none.
        warnings: the report's first lines.
        part: the pictures, prepared, with their records and labels.
        probabilities: of a tumor, calibrated, in the order of the part.
    """

    model: str
    operating_point: OperatingPoint
    band: UncertainBand | None
    folder: Path
    looks: tuple[Look, ...]
    whole: Stratum
    sources: tuple[Stratum, ...]
    planes: tuple[Stratum, ...]
    patients: tuple[PatientRow, ...]
    controls: Controls | NoControls
    warnings: tuple[str, ...]
    part: Part
    probabilities: NDArray[np.float64]

    @property
    def name(self) -> str:
        """Of all sets together."""
        return "+".join(look.external.name for look in self.looks)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Files that could not be used."""
        return tuple(skipped for look in self.looks for skipped in look.external.skipped)

    @property
    def verdicts(self) -> list[Verdict]:
        """What is said of each picture."""
        return verdicts(self.probabilities, self.operating_point, self.band)

    @cached_property
    def unsaid(self) -> dict[str, Answered]:
        """What is left unsaid in all pictures and in each source; empty where the bundle has no band."""
        if self.band is None:
            return {}
        records, said = self.part.records, self.verdicts
        sources = np.array([record.source for record in records])
        known = all(record.patient for record in records)
        units = np.array([f"{r.source}/{r.patient}" if known else r.group for r in records])
        parts = {"All pictures": np.ones(len(records), bool)}
        if np.unique(sources).size > 1:
            parts |= {str(name): sources == name for name in np.unique(sources)}
        return {
            name: answered(
                self.part.labels[inside],
                [said[i] for i in np.flatnonzero(inside)],
                units[inside],
                unit="patients" if known else "groups",
            )
            for name, inside in parts.items()
        }

    def to_table(self) -> dict[str, Any]:
        """metrics.json."""
        whole = self.whole
        return {
            "model": self.model,
            "report": str(self.folder / "report.html"),
            "operating_point": self.operating_point.name,
            "threshold": self.operating_point.threshold,
            **({"unsaid": {name: one.to_table() for name, one in self.unsaid.items()}} if self.band else {}),
            "warnings": list(self.warnings),
            "sets": [
                {
                    "name": look.external.name,
                    "sha256": look.external.sha256,
                    "pictures": len(look.external.records),
                    "copies": len(look.external.copies),
                    "looks": look.count,
                }
                for look in self.looks
            ],
            "whole": {
                **whole.to_table(),
                "evaluation": whole.evaluation.to_table() if whole.evaluation else None,
            },
            "sources": {one.name: one.to_table() for one in self.sources},
            "planes": {one.name: one.to_table() for one in self.planes},
            "patients": {row.name: row.to_table() for row in self.patients},
            "controls": self.controls.to_table(),
            "skipped": [{"file": str(one.file), "cause": one.cause} for one in self.skipped],
        }

    def to_text(self) -> str:
        """The figures, a few lines a part."""
        lines = list(self.warnings)
        lines += [
            f"{self.model} on {look.external.name} ({len(look.external.records)} pictures), "
            f"look number {look.count}"
            for look in self.looks
        ]
        parts = [("source ", one) for one in self.sources] + [("plane ", one) for one in self.planes]
        if len(self.sources) > 1:
            parts.append(("", self.whole))
        for kind, one in parts:
            lines.append(f"{kind}{one.name}: {one.n} pictures, {one.tumors} tumors, {one.units} {one.unit}")
            lines += [f"  {line}" for line in _figures(one)]
        if self.patients:
            lines.append(f"{len(self.patients)} patients, each in the report")
        for name, unsaid in self.unsaid.items():
            lines += [f"{name}, with the band:", *(f"  {line}" for line in unsaid.lines())]
        lines.append(f"threshold {self.operating_point.threshold:.3f} ({self.operating_point.fitted_on})")
        lines.append(f"report: {self.folder / 'report.html'}")
        return "\n".join(lines)


def _figures(stratum: Stratum) -> list[str]:
    lines = [
        f"{name:18} {in_words(figure)} {figure.method}"
        for name in ("sensitivity", "specificity")
        if not np.isnan((figure := stratum.figures[name]).value)
    ]
    lines += [
        f"{name + ', exact':18} {in_words(exact)}"
        for name, exact in stratum.exact.items()
        if not np.isnan(exact.value)
    ]
    if stratum.refusal:
        return [*lines, f"AUC and calibration: undefined, {stratum.refusal}"]
    return lines + [f"{name:18} {in_words(stratum.figures[name])}" for name in ("roc_auc", "brier", "ece")]
