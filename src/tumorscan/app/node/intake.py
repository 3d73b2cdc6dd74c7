"""An object comes in: looked at, refused by name, or on disk and in the queue before anyone is told."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

from tumorscan.app.node.ledger import Arrival, Ledger
from tumorscan.app.node.outbox import Outbox
from tumorscan.app.node.record import shown
from tumorscan.app.node.settings import NodeSettings
from tumorscan.app.node.store import Store
from tumorscan.atomic import atomic_write_bytes
from tumorscan.errors import EnvironmentProblem, TumorscanError, require

OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000
CLASS_NOT_SUPPORTED = 0x0122

# What a brain MRI comes as; all else in a study is somebody's result, or another modality.
_TAKEN = {
    "1.2.840.10008.5.1.4.1.1.4",  # MR Image Storage
    "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR Image Storage
    "1.2.840.10008.5.1.4.1.1.4.3",  # Enhanced MR Color Image Storage
    "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR Image Storage
}
_TAGS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "Manufacturer",
    "ManufacturerModelName",
]
_OURS = ("tumorscan", "tumorscan")
"""Manufacturer and model of our results, also those of another node; drawn heads are another model."""

Taken = Literal["taken", "known", "ours"]


class Refused(TumorscanError):
    """An object is not taken.

    Attributes:
        status: of PS3.4, B.2.3.
    """

    def __init__(self, status: int, cause: str) -> None:
        super().__init__(cause)
        self.status = status


@dataclass(frozen=True)
class Header:
    """What has to be known of an object before it is taken."""

    sop_class: str
    instance: str
    series: str
    study: str
    manufacturer: str
    model: str


def header_of(data: bytes) -> Header:
    """The header of an object in the DICOM file format; pixels are not touched.

    Raises:
        Refused: it cannot be read, or lacks a UID.
    """
    require("pydicom", "node")
    import pydicom

    try:
        dataset = pydicom.dcmread(BytesIO(data), stop_before_pixels=True, specific_tags=list(_TAGS))
        values = [str(dataset.get(tag) or "").strip() for tag in _TAGS]
    except Exception as error:  # whatever a damaged header makes of pydicom
        raise Refused(CANNOT_UNDERSTAND, f"its header cannot be read ({type(error).__name__})") from error
    missing = [tag for tag, value in zip(_TAGS[:4], values, strict=False) if not value]
    if missing:
        raise Refused(CANNOT_UNDERSTAND, f"has no {', '.join(missing)}")
    return Header(*values)


class Intake:
    """The way in, for associations and DICOMweb alike."""

    def __init__(self, settings: NodeSettings, store: Store, ledger: Ledger, outbox: Outbox) -> None:
        self._settings = settings
        self._store = store
        self._ledger = ledger
        self._outbox = outbox

    def take(self, data: bytes, source: str = "", hold: Callable[[str], object] | None = None) -> Taken:
        """Take an object in; it is on disk and in the queue when this returns.

        Args:
            data: in the DICOM file format, as it came.
            source: '' for C-STORE, or the DICOMweb server.
            hold: is told the keyed hash of the study before the queue is.

        Returns:
            what became of it (``ours``: a result of ours that came back, which is let go).

        Raises:
            Refused: with a status and a cause that names no one.
        """
        if len(data) > self._settings.limits.object_bytes:
            raise Refused(OUT_OF_RESOURCES, f"is larger than {self._settings.limits.object_bytes} bytes")
        header = header_of(data)
        name = self._store.names.of
        arrival = Arrival(
            name(header.study),
            name(header.series),
            name(header.instance),
            hashlib.sha256(data).hexdigest(),
            source,
        )
        if (header.manufacturer, header.model) == _OURS or self._outbox.holds(arrival.object):
            return "ours"
        if header.sop_class not in _TAKEN:
            raise Refused(CLASS_NOT_SUPPORTED, f"{class_name(header.sop_class)} is not taken: send MR images")
        if hold:
            hold(arrival.study)
        try:
            return self._keep(arrival, data)
        except EnvironmentProblem as error:
            raise Refused(OUT_OF_RESOURCES, str(error)) from error

    def _keep(self, arrival: Arrival, data: bytes) -> Taken:
        due = time.time() + self._settings.patience.quiet
        # Held from looking to telling, so that nobody deletes the study's files in between.
        with self._store.database.lock:
            known = self._ledger.has(arrival.object, arrival.digest)
            if not known:
                self._check_room(arrival.study, len(data))
                atomic_write_bytes(self._store.object_file(arrival.study, arrival.object), data)
            try:
                self._ledger.add(arrival, due)
            except EnvironmentProblem:
                if not known:  # the queue's disk is full: nobody will ask for this file
                    remove(self._store.object_file(arrival.study, arrival.object))
                raise
        return "known" if known else "taken"

    def _check_room(self, study: str, size: int) -> None:
        limits = self._settings.limits
        own, total = self._ledger.counts(study)
        if own >= limits.study_objects:
            raise Refused(OUT_OF_RESOURCES, f"its study has {own} objects here, and may have no more")
        if total >= limits.waiting_objects:
            raise Refused(OUT_OF_RESOURCES, f"{total} objects wait here, and no more may")
        free = shutil.disk_usage(self._store.folder).free
        if free - size < limits.free_bytes:
            raise Refused(
                OUT_OF_RESOURCES,
                f"the disk has {free >> 20} MB left, of which {limits.free_bytes >> 20} MB are kept",
            )


def class_name(uid: str) -> str:
    """The name of a SOP class."""
    from pydicom.uid import UID

    return shown(UID(uid).name)


def remove(file: Path) -> None:
    """Delete a file and, where it was the last, its folder."""
    file.unlink(missing_ok=True)
    try:
        file.parent.rmdir()
    except OSError:
        return
