"""Pages for a picture and for a series, from the detector that answers."""

from __future__ import annotations

from datetime import datetime

from tumorscan.deliver.evidence import Evidence, evidence_of
from tumorscan.deliver.sheet import Sheet, pixels_sha256
from tumorscan.deliver.told import model_of
from tumorscan.detect.detector import Detector
from tumorscan.types import Scan, Volume, VolumeFinding


def picture_sheet(detector: Detector, scan: Scan, made: datetime) -> Sheet:
    """The page of a picture, which the detector is asked about here.

    Args:
        detector: of the bundle.
        scan: as read, with the SHA-256 of its file.
        made: stands on the page.

    Raises:
        BundleError: the bundle has no head to explain with.
    """
    prepared = detector.prepare(scan)
    finding, explanation = detector.explain(scan, prepared)
    evidence = Evidence(scan, prepared.frame, explanation)
    return Sheet(finding, model_of(detector), evidence, (("file", scan.sha256),), made)


def volume_sheet(detector: Detector, volume: Volume, found: VolumeFinding, made: datetime) -> Sheet:
    """The page of a series: its key slice, or the middle one where none says anything.

    Args:
        detector: that gave the answer.
        volume: as read.
        found: of it.
        made: stands on the page.

    Raises:
        BundleError: the bundle has no head to explain with.
    """
    index = len(volume) // 2 if found.key_slice is None else found.key_slice
    evidence = evidence_of(detector, volume.scan(index))
    hashes = (("values as read", pixels_sha256(volume)),)
    return Sheet(found.finding, model_of(detector), evidence, hashes, made, found, index)
