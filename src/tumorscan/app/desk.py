"""Where pictures are handed in: bytes to an answer, or to one line that says why there is none."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tumorscan.app.inbox import Inbox
from tumorscan.app.page.answer import Answer, answer_html, refusal_html
from tumorscan.app.page.evidence import MISSING, evidence_of
from tumorscan.app.page.one_slice import scan_of
from tumorscan.app.page.parts import file_uri
from tumorscan.app.service import Service
from tumorscan.detect.rows import to_table
from tumorscan.errors import BundleError, TumorscanError, UnreadableScan
from tumorscan.types import Finding, OperatingPoint, Prepared, Scan

if TYPE_CHECKING:
    from tumorscan.detect.detector import Detector

_LONGEST_NAME = 120
T = TypeVar("T")


class Desk:
    """Takes what the page and its API send, and answers.

    Args:
        answering: a detector; or a service, whose limits hold here as well.
        inbox: where uploads stand.
        other: a second detector to compare with.
        on_answer: told the answer of every picture, one by one or in a batch.
    """

    def __init__(
        self,
        answering: Detector | Service,
        inbox: Inbox,
        *,
        other: Detector | None = None,
        on_answer: Callable[[Finding | UnreadableScan], None] = lambda _: None,
    ) -> None:
        self.inbox = inbox
        self.other = other
        self.on_answer = on_answer
        self._answering = answering
        self._at: dict[str, Detector] = {}

    @property
    def shared(self) -> bool:
        """Whether a service answers, which lets many ask at once."""
        return isinstance(self._answering, Service)

    @property
    def detector(self) -> Detector:
        """What answers now: of a service, that of its newest bundle."""
        return self._answering.detector if isinstance(self._answering, Service) else self._answering

    def find(self, scan: Scan, point: str = "") -> Finding:
        """The answer for a scan at an operating point, the detector's own if empty; a service queues it.

        Raises:
            Overloaded: the service has no room now.
            SettingsError: there is no such operating point.
            UnreadableScan: the preparation's refusal.
        """
        if isinstance(self._answering, Service):
            return self._answering.find(scan, operating_point=point)
        return self.detector_at(point).find(scan)

    def detector_at(self, point: str = "") -> Detector:
        """The detector at an operating point, its own if empty.

        Raises:
            SettingsError: there is none of that name.
        """
        if isinstance(self._answering, Service):
            return self._answering.detector_at(point)
        if point in ("", self._answering.operating_point.name):
            return self._answering
        if point not in self._at:
            self._at[point] = type(self._answering)(self._answering.bundle, self._answering.engine, point)
        return self._at[point]

    def point_of(self, options: dict[str, Any]) -> str:
        """The operating point that a browser chose, or the default's name where it chose none of ours."""
        names = [point.name for point in self.points]
        chosen = options.get("point")
        return chosen if chosen in names else names[0]

    def seat(self) -> AbstractContextManager[None]:
        """Room for one picture; of a service, among those that it takes on at once.

        Raises:
            Overloaded: there is none.
        """
        return self._answering.accepted() if isinstance(self._answering, Service) else nullcontext()

    @property
    def points(self) -> tuple[OperatingPoint, ...]:
        """The bundle's operating points, the detector's own first."""
        return points_of(self.detector)

    def look(self, data: bytes, name: str, *, report: bool = False) -> Answer:
        """Read, prepare and decide, as the command line does for a file of these bytes.

        Args:
            data: the whole file.
            name: what the person calls it.
            report: make the page for people, too.

        Raises:
            UnreadableScan: the reader's or the preparation's refusal.
        """
        detector = self.detector  # one for the whole answer, whatever bundle comes meanwhile
        with self.seat():
            start = time.perf_counter()
            scan = scan_of(data, name, self.inbox, detector)
            read = time.perf_counter()
            prepared = detector.prepare(scan, keep_steps=True)
            times = {
                "read": round((read - start) * 1e3, 3),
                "prepare": round((time.perf_counter() - read) * 1e3, 3),
            }
            answer = answered(detector, scan, prepared, times)
            return _with_report(answer, detector) if report else answer

    def attempt(
        self, name: str, fetch: Callable[[], bytes], *, report: bool = False
    ) -> Answer | UnreadableScan:
        """As `look`, with any failure as a cause in one line: one bad file must not end the page.

        Args:
            name: what the person calls the file.
            fetch: gives its bytes.
            report: as `look`.
        """
        answer = guarded(name, lambda: self.look(fetch(), name, report=report))
        self.on_answer(answer.finding if isinstance(answer, Answer) else answer)
        return answer

    def uploaded(self, sent: Any, language: str = "en") -> str:
        """The HTML for what the drop zone sends: a name, and where the upload stands or why it does not."""
        sent = table_of(sent)
        name = name_of(sent.get("name"))
        report = bool(table_of(sent.get("options")).get("report"))
        return _shown(self.attempt(name, lambda: self.received(sent, name), report=report), language)

    def example(self, file: Path, language: str = "en", *, report: bool = False) -> str:
        """The HTML for an example."""
        return _shown(self.attempt(file.name, file.read_bytes, report=report), language)

    def predict(self, file: Any) -> dict[str, Any]:
        """The answer for an uploaded picture, as `tumorscan predict --json` prints it, or file and error."""
        file = table_of(file)
        name = name_of(file.get("orig_name"))
        answer = self.attempt(name, lambda: self.inbox.take(str(file.get("path", "")), name))
        return to_table(answer.finding if isinstance(answer, Answer) else answer)

    def discard(self, sent: Any) -> None:
        """Delete an upload that a newer one has overtaken."""
        self.inbox.discard(str(table_of(sent).get("path", "")))

    def received(self, sent: dict[str, Any], name: str) -> bytes:
        """The bytes of an upload, which is gone from the disk afterwards.

        Raises:
            UnreadableScan: it is too large, did not arrive, or is no upload.
        """
        if "size" in sent:
            limit = self.inbox.limits.max_bytes
            cause = f"is {sent['size']} bytes, more than the limit of {limit}: make it smaller"
            raise UnreadableScan(name, cause)
        if "beyond" in sent:
            cause = f"is beyond the {sent['beyond']} files of one batch: hand in the rest as another"
            raise UnreadableScan(name, cause)
        if "failure" in sent:
            cause = f"could not be sent ({str(sent['failure'])[:200]}): check the file and send it again"
            raise UnreadableScan(name, cause)
        return self.inbox.take(str(sent.get("path", "")), name)


def answered(detector: Detector, scan: Scan, prepared: Prepared, times: dict[str, float]) -> Answer:
    """All that the page shows of a prepared scan."""
    points, gated = points_of(detector), detector.gate is not None
    try:
        finding, explanation = detector.explain(scan, prepared, times)
        evidence = evidence_of(scan, explanation, prepared.frame)
    except BundleError:
        # Never exported, or an engine that keeps no map: the answer is as good without.
        finding, evidence = detector.decide(scan, prepared, times), MISSING
    return Answer(scan, prepared, finding, evidence, points, detector.band, gated)


def _with_report(answer: Answer, detector: Detector) -> Answer:
    """The answer with the page for people, or with why that cannot be made."""
    from tumorscan.deliver.pdf import report_pdf
    from tumorscan.deliver.sheets import picture_sheet

    try:
        sheet = picture_sheet(detector, answer.scan, datetime.now(UTC))
        return replace(answer, report=file_uri(report_pdf(sheet), "application/pdf"))
    except TumorscanError as error:
        return replace(answer, no_report=str(error))


def points_of(detector: Detector) -> tuple[OperatingPoint, ...]:
    """The operating points of a detector's bundle, its own first."""
    own = detector.operating_point
    others = detector.bundle.manifest.operating_points
    return (own, *(point for point in others if point.name != own.name))


def guarded(name: str, work: Callable[[], T]) -> T | UnreadableScan:
    """What `work` gives, or any failure of it as a cause in one line."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - the last line of defence, as in the command line
        return refused(name, error)


def refused(name: str, error: Exception) -> UnreadableScan:
    """Any failure as a cause in one line."""
    if isinstance(error, UnreadableScan):
        return error
    if isinstance(error, TumorscanError):
        return UnreadableScan(name, f"got no answer: {error}")
    if os.environ.get("TUMORSCAN_DEBUG"):
        traceback.print_exception(error)
    cause = (str(error).strip() or "no cause given").partition("\n")[0]
    return UnreadableScan(name, f"got no answer: error in tumorscan, {type(error).__name__}: {cause}")


def table_of(sent: Any) -> dict[str, Any]:
    """What a browser sent, which may be anything, as a table."""
    return sent if isinstance(sent, dict) else {}


def files_of(sent: Any) -> list[dict[str, Any]]:
    """The files that a browser says it sent, which may be anything, as tables."""
    files = table_of(sent).get("files")
    return [table_of(one) for one in files] if isinstance(files, list) else []


def name_of(given: Any) -> str:
    """What the person calls a file, of a length that fits the page."""
    return str(given or "picture")[:_LONGEST_NAME]


def _shown(answer: Answer | UnreadableScan, language: str) -> str:
    if isinstance(answer, UnreadableScan):
        return refusal_html(answer, language)
    return answer_html(answer, language)
