"""The outcome of a robustness experiment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tumorscan.data.corrupt import CORRUPTIONS, STRENGTHS, corrupt
from tumorscan.data.records import Record
from tumorscan.evaluate.blocks import in_words
from tumorscan.evaluate.robustness import MEAN, Curve
from tumorscan.study.opened import Opened
from tumorscan.types import Picture


@dataclass(frozen=True, eq=False)
class Robustness:
    """What was found.

    Attributes:
        opened: the sets.
        facts: what was measured on what.
        records: the pictures that were drawn.
        curves: one a corruption, and their mean.
        folder: of the report.
        refusal: why there is no AUC; empty where there is.
    """

    opened: Opened
    facts: tuple[tuple[str, str], ...]
    records: tuple[Record, ...]
    curves: tuple[Curve, ...]
    folder: Path
    refusal: str

    def to_table(self) -> dict[str, Any]:
        """metrics.json."""
        return {
            "facts": dict(self.facts),
            "warnings": list(self.opened.warnings),
            "pictures": len(self.records),
            "tumors": sum(record.label == "tumor" for record in self.records),
            "withheld": self.refusal,
            "levels": {name: list(CORRUPTIONS[name].levels) for name in self._names},
            "units": {name: CORRUPTIONS[name].unit for name in self._names},
            "curves": {curve.name: curve.to_table() for curve in self.curves},
            "report": str(self.folder / "report.html"),
        }

    def to_text(self) -> str:
        """Sensitivity and specificity over the strengths, a line a corruption."""
        lines = [*self.opened.warnings, f"{len(self.records)} pictures of {self.opened.name}"]
        clean = self.curves[-1].points[0].figures
        lines += [f"  as they are: {name} {in_words(figure)}" for name, figure in clean.items()]
        # A set of tumors alone has no specificity.
        sides = [side for side in ("sensitivity", "specificity") if not np.isnan(clean[side].value)]
        head = "   ".join(f"{side:33}" for side in sides).rstrip()
        lines.append(f"{'strength 1 to ' + str(STRENGTHS):18}{head}")
        for curve in self.curves:
            figures = [
                "  ".join(f"{one.figures[side].value:.3f}" for one in curve.points[1:]) for side in sides
            ]
            lines.append(f"  {curve.name:16}{'   '.join(figures)}")
        return "\n".join([*lines, f"report: {self.folder / 'report.html'}"])

    @property
    def _names(self) -> list[str]:
        return [curve.name for curve in self.curves if curve.name != MEAN]


def spoilt(pixels: Picture, record: Record, name: str, strength: int, seed: int) -> Picture:
    """A record's picture in one form; each picture has lots of its own."""
    return corrupt(pixels, name, strength, seed=seed + int(record.pixels_sha256[:12], 16))
