"""What an engine returns, and the answer for a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Verdict(StrEnum):
    """What the system says of a picture."""

    TUMOR = "TUMOR DETECTED"
    NO_TUMOR = "NO TUMOR"
    CANNOT_SAY = "CANNOT SAY"
    NOT_BRAIN_MRI = "NOT A BRAIN MRI"


@dataclass(frozen=True)
class Scores:
    """What an engine returns for a batch of N pictures.

    Attributes:
        logits: float32, N. Uncalibrated, of "tumor".
        map: float32, N x h x w x C, channels last: the trunk's last feature map; None where it was not kept.
        embedding: float32, N x C: the map's mean over its h x w cells; None where it was not kept.
        lesion: float32, N x C: the same mean weighted by each cell's probability of tumor, so that it shows
            what the evidence points at; of an evidence head alone, None where it was not kept.
    """

    logits: NDArray[np.float32]
    map: NDArray[np.float32] | None = None
    embedding: NDArray[np.float32] | None = None
    lesion: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Finding:
    """The answer for one picture.

    Attributes:
        file: as the user named it.
        verdict: one of `Verdict`.
        probability: calibrated probability of a tumor, 0..1; None where the gate refused the picture.
        confidence: of the verdict, per cent: the probability of what was said; where nothing was said,
            that of the likelier answer; None with the probability.
        threshold: the operating point's.
        operating_point: its name.
        model: name and version of the bundle.
        notes: what the reader and the preparation did.
        milliseconds: time of each stage.
        reasons: why the gate refused the picture, a line each; empty where it did not.
        tumor_type: probability of each type that the bundle knows, as a hint for research; empty where no
            tumor is reported, or where the bundle tells no types.
        tumor_type_told: the type that is told, or "not sure"; empty with `tumor_type`.
        sha256: of the picture's file, as `Scan` has it.
    """

    file: str
    verdict: Verdict
    probability: float | None
    confidence: float | None
    threshold: float
    operating_point: str
    model: str
    notes: tuple[str, ...] = ()
    milliseconds: dict[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    tumor_type: Mapping[str, float] = field(default_factory=dict)
    tumor_type_told: str = ""
    sha256: str = ""
