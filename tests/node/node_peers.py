"""Drawn MR objects, a PACS made of pynetdicom, and an analysis that writes one small object."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("pynetdicom")

from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid  # noqa: E402
from pynetdicom import AE, AllStoragePresentationContexts, evt  # noqa: E402

from tumorscan.app.node.peer import Peer  # noqa: E402
from tumorscan.app.node.settings import Patience  # noqa: E402
from tumorscan.app.node.worker import Outcome  # noqa: E402

MR = "1.2.840.10008.5.1.4.1.1.4"
SC = "1.2.840.10008.5.1.4.1.1.7"
SR = "1.2.840.10008.5.1.4.1.1.88.33"
NAME, ID = "SECRETNAME^ANNA", "SECRET4711"
FAST = Patience(quiet=0.2, dropped=30, first_retry=0.2, longest_retry=0.4, poll=0.3, keep_failed=600, stop=20)


def mr_object(study: str, series: str, number: int = 1, instance: str = "", **changes) -> Dataset:
    """One slice, 32 x 32, of a patient whose name must not be found anywhere."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.SOPClassUID, ds.SOPInstanceUID = MR, instance or generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = NAME, ID, "19700101", "O"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20260101", "101010", "1", "SECRETACC"
    ds.ReferringPhysicianName, ds.Modality, ds.Manufacturer = "SECRETDOC", "MR", "Phantoms"
    ds.SeriesNumber, ds.InstanceNumber = 1, number
    ds.Rows = ds.Columns = 32
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = np.full((32, 32), number, np.uint16).tobytes()
    for name, value in changes.items():
        setattr(ds, name, value)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def series_of(count: int, study: str = "") -> list[Dataset]:
    study, series = study or generate_uid(), generate_uid()
    return [mr_object(study, series, number + 1) for number in range(count)]


def send(
    port: int,
    objects: list[Dataset],
    caller: str = "PACS",
    called: str = "TUMORSCAN",
    tls: ssl.SSLContext | None = None,
) -> list[int | None]:
    """Store them at the node; their statuses, None where the association was rejected or broke off."""
    entity = AE(ae_title=caller)
    for uid in {ds.SOPClassUID for ds in objects}:
        entity.add_requested_context(uid)
    association = entity.associate(
        "127.0.0.1", port, ae_title=called, tls_args=(tls, "127.0.0.1") if tls else None
    )
    if not association.is_established:
        return [None] * len(objects)
    answers = [association.send_c_store(ds) if association.is_established else Dataset() for ds in objects]
    if association.is_established:
        association.release()
    return [answer.get("Status") for answer in answers]


def until(true: Callable[[], object], seconds: float = 60.0, pause: float = 0.02) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(pause)


class Pacs:
    """Takes what it is sent, or answers as it is told."""

    def __init__(self) -> None:
        from served import free_port  # which stands where only pytest looks, and not killed_node.py

        self.port = free_port()
        self.objects: list[Dataset] = []
        self.status = 0x0000
        self._server = None

    @property
    def peer(self) -> Peer:
        return Peer("PACS", "127.0.0.1", self.port)

    def start(self, tls: ssl.SSLContext | None = None, contexts: Sequence[tuple] = ()) -> None:
        if self._server:
            return
        entity = AE(ae_title="PACS")
        entity.supported_contexts = [] if contexts else AllStoragePresentationContexts[:120]
        for one in contexts:
            entity.add_supported_context(*one)
        entity.add_supported_context("1.2.840.10008.1.1")
        self._server = entity.start_server(
            ("127.0.0.1", self.port),
            block=False,
            evt_handlers=[(evt.EVT_C_STORE, self._take)],
            ssl_context=tls,
        )

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server = None

    def _take(self, event: object) -> int:
        if self.status == 0x0000:
            ds = event.dataset
            ds.file_meta = event.file_meta
            self.objects.append(ds)
        return self.status


class Analysis:
    """Stands in for the detector: counts what it is asked, writes one secondary capture a study."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.problem: Exception | None = None
        self.go = threading.Event()
        self.go.set()

    def __call__(self, pictures: Path, results: Path) -> Outcome:
        read = [pydicom.dcmread(file) for file in sorted(pictures.iterdir())]
        self.seen.append(sorted(ds.InstanceNumber for ds in read))
        assert self.go.wait(120)
        if self.problem:
            raise self.problem
        study = read[0].StudyInstanceUID
        own = [study, *sorted(str(ds.SOPInstanceUID) for ds in read)]
        result = mr_object(
            study, generate_uid(entropy_srcs=[*own, "series"]), 900, generate_uid(entropy_srcs=own),
            SOPClassUID=UID(SC), Manufacturer="tumorscan", ManufacturerModelName="tumorscan", Modality="OT",
        )  # fmt: skip
        result.save_as(results / "key.dcm", enforce_file_format=True)
        return Outcome(("NO TUMOR",), "phantom 1")
