"""The outcome of a run's evaluation: figures on its test split, and where the report lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tumorscan.evaluate.abstention import Answered
from tumorscan.evaluate.blocks import in_words
from tumorscan.evaluate.controls import Controls
from tumorscan.evaluate.metrics import Evaluation
from tumorscan.study.controls import NoControls, control_lines


@dataclass(frozen=True)
class RunEvaluation:
    """An evaluation and where its report lies; `unsaid` is None where the bundle has no band."""

    evaluation: Evaluation
    folder: Path
    model: str
    looks: int
    controls: Controls | NoControls
    unsaid: Answered | None = None

    def to_table(self) -> dict[str, Any]:
        """metrics.json, and where the rest is."""
        return {
            "model": self.model,
            "report": str(self.folder / "report.html"),
            "looks": self.looks,
            **self.evaluation.to_table(),
            "controls": self.controls.to_table(),
            **({"unsaid": self.unsaid.to_table()} if self.unsaid else {}),
        }

    def to_text(self) -> str:
        """The figures, a line each."""
        counts = self.evaluation.counts
        lines = [f"{self.model} on its test split, look number {self.looks}"]
        lines += [f"  {name:18} {in_words(figure)}" for name, figure in self.evaluation.figures.items()]
        lines.append(
            f"  {'confusion':18} TP {counts.true_positive} FN {counts.false_negative} "
            f"TN {counts.true_negative} FP {counts.false_positive} "
            f"at a threshold of {self.evaluation.threshold:.3f}"
        )
        lines += [f"  {line}" for line in self.unsaid.lines()] if self.unsaid else []
        lines += control_lines(self.controls)
        lines.append(f"report: {self.folder / 'report.html'}")
        return "\n".join(lines)
