"""The outcome of an experiment on tumor types, as a table and as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tumorscan.evaluate.kinds import KindFigures

PUBLISHED: Final = (
    "published, by patient: 91.1 % of slices on one official fold; 94.0 % on one split of 35 patients; "
    "recall of meningioma 0.83"
)


@dataclass(frozen=True)
class TypeRow:
    """Figures of one test.

    Attributes:
        features: whose.
        what: was tested.
        figures: of it.
    """

    features: str
    what: str
    figures: KindFigures


@dataclass(frozen=True)
class TypeTable:
    """What was found.

    Attributes:
        model: name and version of the bundle.
        table: name of the csv.
        names: the types.
        divided: patients that the table's folds divide.
        rows: the first are all folds with patients kept whole.
        error: that the conformal sets were asked for.
        folder: of the experiment.
    """

    model: str
    table: str
    names: Sequence[str]
    divided: Sequence[str]
    rows: tuple[TypeRow, ...]
    error: float
    folder: Path

    def to_table(self) -> dict[str, Any]:
        """For metrics.json."""
        return {
            "model": self.model,
            "table": self.table,
            "types": list(self.names),
            "error": self.error,
            "divided_patients": list(self.divided),
            "published": PUBLISHED,
            "rows": [
                {"features": row.features, "test": row.what, **row.figures.to_table()} for row in self.rows
            ],
        }

    def to_text(self) -> str:
        """Every row; all figures of the whole tests, two lines of a single fold."""
        lines = [
            f"{self.model} on {self.table}: {', '.join(self.names)}; {PUBLISHED}",
            f"the table's folds divide {len(self.divided)} patients; intervals: bootstrap over patients",
        ]
        for row in self.rows:
            lines.append(
                f"{row.features}, {row.what}: {row.figures.slices} slices, {row.figures.patients} patients"
            )
            few = 2 if row.what.startswith("fold ") else None
            lines += [f"  {line}" for line in row.figures.lines()[:few]]
        lines.append("truth (rows) by likeliest type, slices: " + "; ".join(self._confusion()))
        return "\n".join([*lines, f"written: {self.folder / 'metrics.json'}, slices.csv"])

    def _confusion(self) -> list[str]:
        counts = self.rows[0].figures.confusion
        return [f"{name} {' '.join(map(str, row))}" for name, row in zip(self.names, counts, strict=True)]
