"""The outcome of an experiment on volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tumorscan.evaluate.blocks import in_words
from tumorscan.evaluate.volumes import WORDS, Measured
from tumorscan.jsonable import plain_interval
from tumorscan.types import Interval


@dataclass(frozen=True, eq=False)
class VolumesResult:
    """What was found.

    Attributes:
        name: of the set.
        facts: what was measured on what.
        warnings: the report's first lines.
        measured: the volumes.
        figures: by name, of `WORDS`.
        folder: of the report.
    """

    name: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    measured: tuple[Measured, ...]
    figures: Mapping[str, Interval]
    folder: Path

    @property
    def patients(self) -> int:
        """How many."""
        return len({one.patient for one in self.measured})

    def to_table(self) -> dict[str, Any]:
        """metrics.json."""
        return {
            "facts": dict(self.facts),
            "warnings": list(self.warnings),
            "volumes": len(self.measured),
            "patients": self.patients,
            "figures": {name: plain_interval(one) for name, one in self.figures.items()},
            "report": str(self.folder / "report.html"),
        }

    def to_text(self) -> str:
        """A line a volume, then the figures."""
        width = max(len(one.name) for one in self.measured)
        lines = [*self.warnings, f"{len(self.measured)} volumes of {self.patients} patients, {self.name}"]
        lines += [f"  {one.name:{width}}  {_said(one)}" for one in self.measured]
        lines += [f"  {WORDS[name]:48}{in_words(one)}" for name, one in self.figures.items()]
        return "\n".join([*lines, f"report: {self.folder / 'report.html'}"])


def rows(result: VolumesResult) -> list[dict[str, str]]:
    """A row a volume, every value a text; slices count from 0."""
    found = []
    for one in result.measured:
        finding, extent = one.found.finding, one.found.extent or ("", "")
        shown = [] if one.truth is None else [str(i) for i in one.truth.nonzero()[0]]
        found.append(
            {
                "volume": one.name,
                "patient": one.patient,
                "tumor": str(one.tumor).lower(),
                "verdict": str(finding.verdict),
                "probability": "" if finding.probability is None else f"{finding.probability:.6f}",
                "slices": str(len(one.found.slices)),
                "key_slice": "" if one.found.key_slice is None else str(one.found.key_slice),
                "run_first": str(extent[0]),
                "run_last": str(extent[1]),
                "tumor_first": shown[0] if shown else "",
                "tumor_last": shown[-1] if shown else "",
                "key_in": "" if one.key_in is None else str(one.key_in).lower(),
                "dice": "" if one.dice is None else f"{one.dice:.4f}",
            }
        )
    return found


def _said(one: Measured) -> str:
    finding = one.found.finding
    parts = [str(finding.verdict), "" if finding.probability is None else f"{finding.probability:.3f}"]
    if one.key_in is not None:
        parts.append(f"key slice {one.found.key_slice} {'in' if one.key_in else 'NOT in'} the tumor")
    if one.dice is not None:
        parts.append(f"run Dice {one.dice:.2f}")
    return ", ".join(part for part in parts if part)
