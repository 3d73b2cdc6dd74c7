"""DICOMweb: asks a server for studies (QIDO-RS), fetches them (WADO-RS), and stores results (STOW-RS)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from tumorscan.app.node.database import Database
from tumorscan.app.node.intake import Intake, Refused
from tumorscan.app.node.ledger import Ledger
from tumorscan.app.node.record import Pseudonyms, Record
from tumorscan.app.node.settings import NodeSettings
from tumorscan.errors import EnvironmentProblem, require

_CONNECT_AND_READ_SECONDS = (10.0, 120.0)
_STUDY, _SERIES, _COUNT = "0020000D", "0020000E", "00201209"
_PAGE = 200
_ANY_SYNTAX = (("application/dicom", "*"),)


class WebDown(EnvironmentProblem):
    """A server does not answer, or not as the standard has it; the message holds no UID.

    Attributes:
        gone: there was no answer at all.
    """

    def __init__(self, cause: str, *, gone: bool = False) -> None:
        super().__init__(cause)
        self.gone = gone


def client_of(server: str) -> Any:
    """A client of a DICOMweb server; names and passwords come from ~/.netrc.

    Raises:
        MissingExtra: the extra `node` is not installed.
    """
    require("dicomweb_client", "node")
    from dicomweb_client.api import DICOMwebClient

    client = DICOMwebClient(server, timeout=_CONNECT_AND_READ_SECONDS)
    client.set_http_retry_params(retry=False)  # we wait ourselves, and longer
    return client


def stow(server: str, data: bytes) -> None:
    """Store an object.

    Args:
        server: root of its DICOMweb services.
        data: in the DICOM file format.

    Raises:
        WebDown: it did not take it.
    """
    import pydicom

    with _named():
        answer = client_of(server).store_instances([pydicom.dcmread(BytesIO(data))])
    failed = answer.get("FailedSOPSequence") or []
    if failed:
        raise WebDown(f"did not take it (0x{int(failed[0].get('FailureReason') or 0):04X})")


class Fetcher:
    """Asks one server again and again for what is new there.

    A series is fetched once its number of objects has not changed for the quiet time, and again when it
    has grown.
    """

    def __init__(
        self,
        server: str,
        *,
        settings: NodeSettings,
        intake: Intake,
        database: Database,
        ledger: Ledger,
        names: Pseudonyms,
        record: Record,
    ) -> None:
        self._server = server
        self._settings = settings
        self._intake = intake
        self._database = database
        self._ledger = ledger
        self._names = names
        self._record = record
        self._failures = 0
        self._at = ""

    def bringing(self) -> set[str]:
        """The study that it is at: the next object may be long in coming."""
        at = self._at
        return {at} if at else set()

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.is_set():
            stop.wait(self.step(stop))

    def step(self, stop: threading.Event) -> float:
        """Ask once; returns how long to wait, in seconds."""
        patience = self._settings.patience
        try:
            self._poll(stop)
        except EnvironmentProblem as error:
            self._failures += 1
            wait = min(patience.longest_retry, patience.poll * 2.0 ** min(self._failures, 40))
            self._record.note(
                "retry",
                f"{self._server}: {error}; again in {wait:.0f} s",
                peer=self._server,
                cause=str(error),
            )
            return wait
        if self._failures:
            self._record.tell(f"{self._server}: answers again")
        self._failures = 0
        return patience.poll

    def _poll(self, stop: threading.Event) -> None:
        client = client_of(self._server)
        try:
            for study, series, count in self._listed(client):
                if stop.is_set():
                    return
                if self._is_due(series, count):
                    self._fetch(client, study, series, count)
        finally:
            self._at = ""

    def _listed(self, client: Any) -> Iterator[tuple[str, str, int]]:
        """Study, series and number of objects of every MR series that the filter lets through."""
        filters = filters_of(self._settings)
        for study in _all_studies(client, filters):
            self._at = self._names.of(study)
            with _named():
                found = client.search_for_series(
                    study, search_filters={"Modality": "MR"}, fields=["NumberOfSeriesRelatedInstances"]
                )
            for each in found:
                series = _value(each, _SERIES)
                yield study, series, int(_value(each, _COUNT) or self._counted(client, study, series))

    def _counted(self, client: Any, study: str, series: str) -> int:
        with _named():
            return len(client.search_for_instances(study, series))

    def _is_due(self, series: str, count: int) -> bool:
        now = time.time()
        with self._database.transaction() as db:
            row = db.execute(
                "INSERT INTO web_series VALUES (?1, ?2, ?3, ?4, 0) ON CONFLICT DO UPDATE SET "
                "since = CASE WHEN objects = ?3 THEN since ELSE ?4 END, objects = ?3 RETURNING since, taken",
                (self._server, self._names.of(series), count, now),
            ).fetchone()
        return bool(count != row[1] and now - row[0] >= self._settings.patience.quiet)

    def _fetch(self, client: Any, study: str, series: str, count: int) -> None:
        key = self._names.of(study)
        try:
            with _named():
                became = self._take_all(client.iter_series(study, series, media_types=_ANY_SYNTAX), key)
        except WebDown:
            # As after an association that broke off: it is asked for again later than the quiet time.
            self._ledger.postpone([key], time.time() + self._settings.patience.dropped)
            raise
        with self._database.transaction() as db:
            db.execute(
                "UPDATE web_series SET taken = ? WHERE server = ? AND series = ?",
                (count, self._server, self._names.of(series)),
            )
        words = ", ".join(f"{number} {what}" for what, number in became.items()) or "nothing"
        self._record.note(
            "fetched", f"{self._server}: study {key[:12]}: a series fetched: {words}",
            peer=self._server, studies=[key], objects=became,
        )  # fmt: skip

    def _take_all(self, datasets: Iterator[Any], key: str) -> dict[str, int]:
        became: dict[str, int] = {}
        for dataset in datasets:
            try:
                what: str = self._intake.take(encoded(dataset), self._server)
            except Refused as refusal:
                if refusal.status >> 8 == 0xA7:  # no room now: asked for again with the next poll
                    raise WebDown(f"study {key[:12]} is left there: an object {refusal}") from refusal
                what = "refused"
            became[what] = became.get(what, 0) + 1
        return became


def _all_studies(client: Any, filters: dict[str, str]) -> Iterator[str]:
    """Page by page, whatever the server takes for a page; some know no offset and begin anew for ever."""
    seen: dict[str, None] = {}
    while True:
        with _named():
            page = client.search_for_studies(search_filters=filters, limit=_PAGE, offset=len(seen))
        new = [uid for uid in (_value(one, _STUDY) for one in page) if uid and uid not in seen]
        if not new:
            return
        seen.update(dict.fromkeys(new))
        yield from new


def filters_of(settings: NodeSettings) -> dict[str, str]:
    """What a study has to match now; its date within the last days, unless the settings say which."""
    filters = dict(settings.web_filter)
    if settings.web_days and "StudyDate" not in filters:
        # A day more at either end: the scanner's clock is not ours.
        first = datetime.now(UTC) - timedelta(days=settings.web_days + 1)
        filters["StudyDate"] = f"{first:%Y%m%d}-"
    return filters


def encoded(dataset: Any) -> bytes:
    """An object in the DICOM file format."""
    import pydicom

    buffer = BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _value(found: dict[str, Any], tag: str) -> str:
    values = found.get(tag, {}).get("Value") or [""]
    return str(values[0])


@contextmanager
def _named() -> Iterator[None]:
    """What goes wrong with a server, without the UIDs that its addresses hold."""
    import requests

    try:
        yield
    except EnvironmentProblem:
        raise
    except requests.HTTPError as error:
        status = "with an error" if error.response is None else str(error.response.status_code)
        raise WebDown(f"answered {status}") from None
    except requests.ConnectionError:
        raise WebDown("is not there", gone=True) from None
    except Exception as error:  # noqa: BLE001 - whatever an answer that is none makes of the client
        raise WebDown(f"did not answer as it should ({type(error).__name__})") from None
