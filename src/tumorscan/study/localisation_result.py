"""The outcome of a localisation experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tumorscan.data.records import Record
from tumorscan.evaluate.blanking import Blanking
from tumorscan.evaluate.blocks import in_words
from tumorscan.evaluate.localisation import WORDS, Located, MapFigures
from tumorscan.study.opened import Opened


@dataclass(frozen=True)
class Found:
    """One tumor picture.

    Attributes:
        record: of the picture.
        measured: by kind of map; the model's own is the first.
        said: the model reports a tumor.
        probability: of a tumor, calibrated.
        falls: of the logit, where the peak is blanked and where other places are; None without a peak.
    """

    record: Record
    measured: Mapping[str, Located]
    said: bool
    probability: float
    falls: tuple[float, float] | None


@dataclass(frozen=True)
class Part:
    """All pictures, or those of a source or plane.

    Attributes:
        name: of the part.
        n: pictures.
        units: patients or groups.
        unit: which of them.
        maps: figures by kind of map; the model's own is the first.
    """

    name: str
    n: int
    units: int
    unit: str
    maps: Mapping[str, MapFigures]


@dataclass(frozen=True, eq=False)
class Localisation:
    """What was found.

    Attributes:
        opened: the sets.
        facts: what was measured on what.
        found: the pictures.
        parts: all of them first.
        blanking: by part; none where no map has a peak.
        folder: of the report.
    """

    opened: Opened
    facts: tuple[tuple[str, str], ...]
    found: tuple[Found, ...]
    parts: tuple[Part, ...]
    blanking: Mapping[str, Blanking]
    folder: Path

    def to_table(self) -> dict[str, Any]:
        """metrics.json."""
        return {
            "facts": dict(self.facts),
            "warnings": list(self.opened.warnings),
            "parts": {
                part.name: {
                    "pictures": part.n,
                    part.unit: part.units,
                    "maps": {kind: one.to_table() for kind, one in part.maps.items()},
                }
                for part in self.parts
            },
            "blanking": {name: one.to_table() for name, one in self.blanking.items()},
            "report": str(self.folder / "report.html"),
        }

    def to_text(self) -> str:
        """Figures of every map over all pictures, the model's own by part, and the blanking."""
        lines = list(self.opened.warnings)
        whole = self.parts[0]
        lines.append(f"{whole.n} tumor pictures of {self.opened.name}, {whole.units} {whole.unit}")
        for kind, figures in whole.maps.items():
            lines.append(f"  {kind}")
            lines += [f"    {WORDS[name]:30}{in_words(one)}" for name, one in figures.figures.items()]
        for part in self.parts[1:]:
            own = next(iter(part.maps.values())).figures["peak_in"]
            lines.append(f"  {part.name} ({part.n}): {WORDS['peak_in'].lower()} {in_words(own)}")
        for name, one in self.blanking.items():
            lines.append(
                f"  blanking, {name} ({one.pictures}): the logit falls by {in_words(one.peak)} at the peak "
                f"and {in_words(one.elsewhere)} elsewhere, difference {in_words(one.difference)}; "
                f"more at the peak on {in_words(one.wins)}"
            )
        return "\n".join([*lines, f"report: {self.folder / 'report.html'}"])
