"""What spoke for the answer of some slices of a volume, asked for again of the detector that gave it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscan.detect.detector import Detector
from tumorscan.detect.explain import Explanation
from tumorscan.detect.overlay import layer, overlay
from tumorscan.types import Frame, Picture, Scan, Volume

OUTLINE_AT = 0.5
"""Share of the strongest evidence at which the outline runs: the half-width, as in `explain.Box`."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Evidence:
    """Of one picture.

    Attributes:
        scan: the picture as the detector got it, H x W.
        frame: how it was prepared.
        explanation: what spoke for the answer.
    """

    scan: Scan
    frame: Frame
    explanation: Explanation

    def values(self) -> Floats:
        """At each pixel of the scan, float32, H x W, to four decimals; 0 outside of what the network saw.

        Of an evidence head how likely a place is tumor, 0..1; of Grad-CAM in units of the logit.
        """
        evidence = self.explanation.evidence
        top = self.explanation.full or float(evidence.max())
        _, share = layer(evidence, self.scan.pixels.shape[:2], self.frame, full=self.explanation.full)
        # Rounded, so that the last bits of another processor do not make another object of it.
        return np.asarray(np.round(share * np.float32(top), 4), np.float32)

    def drawn(self) -> Picture:
        """The scan with the evidence over it, uint8 RGB, H x W x 3."""
        shown = self.explanation
        return overlay(self.scan.pixels, shown.evidence, self.frame, full=shown.full)

    def outline(self) -> list[NDArray[np.float64]]:
        """The border of the region around the peak that has at least half of its evidence.

        Returns:
            Closed lines (the outer one, then holes), float64, n x 2: x and y in pixels of the scan, from the
            upper left corner of its first pixel. Empty without evidence.
        """
        import cv2

        values = self.values()
        if not values.max() > 0:
            return []
        row, column = np.unravel_index(int(values.argmax()), values.shape)
        strong = (values >= OUTLINE_AT * values[row, column]).astype(np.uint8)
        _, regions = cv2.connectedComponents(strong, connectivity=4)
        # Twice as fine, so that the line runs along the pixels' borders and not through their middles.
        region = np.kron(regions == regions[row, column], np.ones((2, 2))).astype(np.uint8)
        contours, _ = cv2.findContours(np.pad(region, 1), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        return [
            np.asarray((np.vstack([one[:, 0], one[:1, 0]]) - 0.5) / 2, np.float64)
            for one in contours
            if len(one) > 2
        ]


def evidence_of(detector: Detector, scan: Scan) -> Evidence:
    """The evidence of one picture.

    Raises:
        BundleError: the bundle has no head to explain with.
    """
    prepared = detector.prepare(scan)
    _, explanation = detector.explain(scan, prepared)
    return Evidence(scan, prepared.frame, explanation)


def volume_evidence(detector: Detector, volume: Volume, indices: Iterable[int]) -> dict[int, Evidence]:
    """The evidence of some slices of a volume, by index."""
    return {index: evidence_of(detector, volume.scan(index)) for index in indices}
