"""What one page of a report says, before it is drawn: the same words for a picture and for a series."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from tumorscan.deliver.evidence import Evidence
from tumorscan.deliver.told import Model, meaning, rates_in_full, type_hint
from tumorscan.types import Finding, Verdict, Volume, VolumeFinding

LIMITS = (
    "The model looks for tumors and for nothing else: NO TUMOR does not mean a healthy brain. It sees single "
    "slices, knows neither patient nor history, and errs more often on scanners, sequences and diseases that "
    "it was not fitted on. The evidence shows where the model looked, not where a tumor ends. Only a "
    "physician can say what a picture shows."
)


@dataclass(frozen=True)
class Sheet:
    """All that a page shows.

    Attributes:
        finding: of the picture, or of the whole series.
        model: that gave it.
        evidence: of the picture or the key slice; without values where the gate refused it.
        hashes: name and SHA-256 of what was looked at.
        made: when the page is made; stands on it.
        found: of the series; None for a single picture.
        index: of the slice that is shown, in the series.
    """

    finding: Finding
    model: Model
    evidence: Evidence
    hashes: tuple[tuple[str, str], ...]
    made: datetime
    found: VolumeFinding | None = None
    index: int = 0

    @property
    def outlined(self) -> bool:
        """Whether the region of the strongest evidence is outlined: not where no tumor was found."""
        return self.finding.verdict in (Verdict.TUMOR, Verdict.CANNOT_SAY)

    @property
    def shown(self) -> str:
        """What the left picture is."""
        if self.found is None:
            return "The picture as it was read"
        key = "Key slice" if self.found.key_slice is not None else "Middle slice"
        return f"{key}: {self.index + 1} of {len(self.found.slices)}"

    @property
    def explained(self) -> str:
        """What the right picture is."""
        if self.finding.probability is None:
            return "Refused before any verdict: no evidence"
        what = "Evidence: the probability of tumor, by place" if self.model.cells else "Evidence (Grad-CAM)"
        return f"{what}; line: half of the peak" if self.outlined else what

    def meaning(self) -> str:
        """What the probability says, and what follows from it."""
        text = meaning(self.finding.probability, of_series=self.found is not None)
        if self.finding.verdict is Verdict.CANNOT_SAY:
            return f"{text} That lies too near the border for a verdict: a person should look at it."
        if self.finding.verdict is Verdict.TUMOR and (self.finding.probability or 0) < 0.5:
            return f"{text} It is reported because the threshold is set low, so that few tumors are missed."
        return f"{text} {' '.join(self.finding.reasons)}".strip()

    def rows(self) -> list[tuple[str, str]]:
        """The table: name and text."""
        finding, point = self.finding, self.model.point
        rows = [
            (
                "Operating point",
                f"{point.name}, set for {point.aim}; threshold {100 * point.threshold:.1f} %",
            ),
            ("Measured", f"{rates_in_full(point)} {point.statement}".strip()),
            *self._run(),
            *self._kinds(),
            ("Model", self.model.title),
            ("Done to the input", "; ".join(finding.notes) or "decoded as it is, nothing else"),
            *((f"SHA-256, {name}", digest) for name, digest in self.hashes),
            ("SHA-256, bundle", f"{self.model.fingerprint} (files, calibration, operating point, settings)"),
            ("Limits", LIMITS),
        ]
        return [(name, " ".join(text.split())) for name, text in rows]

    def _run(self) -> list[tuple[str, str]]:
        if self.found is None or self.found.extent is None:
            return []
        first, last = self.found.extent
        return [("Suspicious slices", f"{first + 1} to {last + 1} of {len(self.found.slices)}")]

    def _kinds(self) -> list[tuple[str, str]]:
        hint = type_hint(self.finding, self.found)
        return [("Type, a hint", f"{hint}; for research, if it is a tumor at all")] if hint else []


def pixels_sha256(volume: Volume) -> str:
    """SHA-256 of a volume's values as read: float32, little endian, in the order of its slices."""
    return hashlib.sha256(np.ascontiguousarray(volume.values, "<f4").tobytes()).hexdigest()
