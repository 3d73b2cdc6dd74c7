"""What fits said of the pictures that they never saw, and the table of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tumorscan.evaluate.abstention import answered
from tumorscan.evaluate.intervals import exact_binomial
from tumorscan.evaluate.repeated import repeated_figures
from tumorscan.jsonable import plain_interval
from tumorscan.types import Interval, Verdict

_MEASURED: Final = {
    "roc_auc": "AUC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "specificity_at_0.97": "specificity at sensitivity 0.97",
    "ece": "ECE",
}
_UNSAID: Final = {"cannot_say": "CANNOT SAY", "accuracy": "accuracy of the rest"}


@dataclass(frozen=True)
class HeldOut:
    """What a fit said of the pictures that it never saw, calibrated without them.

    Attributes:
        files, labels (1 = tumor), groups, patients: of the test pictures.
        probabilities: of a tumor, 0..1.
        threshold: of the screening point.
        verdicts: at that point, with the band.
        sources: of the test pictures.
    """

    files: list[str]
    labels: list[int]
    groups: list[str]
    patients: list[str]
    probabilities: list[float]
    threshold: float
    verdicts: list[str]
    sources: list[str]

    @classmethod
    def read(cls, file: Path) -> HeldOut:
        """What `run_fits` wrote."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def of(self, source: str) -> HeldOut:
        """The part that comes from one source."""
        mine = [i for i, name in enumerate(self.sources) if name == source]

        def part(values: list[Any]) -> list[Any]:
            return [values[i] for i in mine]

        return replace(
            self,
            files=part(self.files),
            labels=part(self.labels),
            groups=part(self.groups),
            patients=part(self.patients),
            probabilities=part(self.probabilities),
            verdicts=part(self.verdicts),
            sources=part(self.sources),
        )


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        name: of what was held out.
        tumor, no_tumor: its pictures.
        figures: by name; of one class alone only sensitivity or specificity, and what is left unsaid.
    """

    name: str
    tumor: int
    no_tumor: int
    figures: Mapping[str, Interval]

    def to_table(self) -> dict[str, Any]:
        """As plain values."""
        figures = {name: plain_interval(value) for name, value in self.figures.items()}
        return {"name": self.name, "tumor": self.tumor, "no_tumor": self.no_tumor, "figures": figures}

    def to_text(self) -> str:
        """The name, then a line a figure."""
        lines = [f"  {self.name}: {self.tumor} tumor, {self.no_tumor} none"]
        return "\n".join([*lines, *(f"    {name:32} {value}" for name, value in self.figures.items())])


@dataclass(frozen=True)
class HeldOutTable:
    """All lines of a study."""

    rows: tuple[Row, ...]

    def to_table(self) -> dict[str, Any]:
        """As plain values."""
        return {"rows": [row.to_table() for row in self.rows]}

    def to_text(self) -> str:
        """The rows, one below the other."""
        return "\n".join(
            [
                "trained without it, tested on it; sensitivity and specificity at the screening point",
                *(row.to_text() for row in self.rows),
            ]
        )


def rows_of(name: str, result: HeldOut) -> list[Row]:
    """The line of a fit, or one for each source where it left out several."""
    sources = list(dict.fromkeys(result.sources))
    if len(sources) < 2:
        return [row_of(name, [result])]
    return [row_of(f"{source} (without {name})", [result.of(source)]) for source in sources]


def row_of(name: str, results: Sequence[HeldOut]) -> Row:
    """Figures of one or more fits' test pictures, pooled; thresholds and verdicts are each fit's own."""
    labels = np.concatenate([one.labels for one in results]).astype(np.int64)
    scores = np.concatenate([one.probabilities for one in results])
    groups = [group for one in results for group in one.groups]
    reported = np.concatenate([np.array(one.probabilities) >= one.threshold for one in results])
    verdicts = [Verdict(said) for one in results for said in one.verdicts]
    tumors = int(labels.sum())
    if 0 < tumors < len(labels):
        measured = repeated_figures(labels, scores[None], reported[None].astype(np.int64), groups)
        unsaid = answered(labels, verdicts, groups).over_groups
        figures = {title: measured[key] for key, title in _MEASURED.items()}
        figures |= {title: unsaid[key] for key, title in _UNSAID.items()}
    else:
        right, silent = int((reported == labels).sum()), sum(one is Verdict.CANNOT_SAY for one in verdicts)
        figures = {
            "sensitivity" if tumors else "specificity": exact_binomial(right, len(labels)),
            _UNSAID["cannot_say"]: exact_binomial(silent, len(labels)),
        }
    return Row(name, tumors, len(labels) - tumors, figures)
