"""One picture of a file that may hold many: of a volume, the slice that says most."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscan.detect.volume import find_volume
from tumorscan.errors import UnreadableScan
from tumorscan.read import read_bytes
from tumorscan.read.dicom_file import is_dicom
from tumorscan.read.nifti import is_nifti
from tumorscan.read.study import read_study
from tumorscan.types import Scan

if TYPE_CHECKING:
    from tumorscan.app.inbox import Inbox
    from tumorscan.detect.detector import Detector


def scan_of(data: bytes, name: str, inbox: Inbox, detector: Detector) -> Scan:
    """The picture of a file, or the key slice of the volume that it holds, with a note of which that is.

    Args:
        data: the whole file.
        name: what the person calls it.
        inbox: has the limits, and a private folder for the reader of volumes.
        detector: finds the key slice.

    Raises:
        UnreadableScan: the reader's refusal.
    """
    try:
        return read_bytes(data, name, inbox.limits)
    except UnreadableScan:
        if len(data) > inbox.limits.max_bytes or not (is_dicom(data) or is_nifti(data[:400])):
            raise
        return _key_slice(data, name, inbox, detector)


def _key_slice(data: bytes, name: str, inbox: Inbox, detector: Detector) -> Scan:
    with tempfile.NamedTemporaryFile(dir=inbox.work) as file:
        file.write(data)
        file.flush()
        try:
            volume = read_study(Path(file.name)).volumes[0]
        except UnreadableScan as error:
            raise UnreadableScan(name, error.cause.replace(file.name, name)) from None
    place = 0
    notes = volume.notes
    if len(volume) > 1:
        key = find_volume(detector, volume).key_slice
        place = len(volume) // 2 if key is None else key
        said = f"slice {place + 1} of {len(volume)}, the one that says most: the tab Series shows all"
        notes = (*notes, said)
    digest = hashlib.sha256(data).hexdigest()
    return replace(volume.scan(place), name=name, notes=notes, sha256=digest)
