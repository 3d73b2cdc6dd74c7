"""Where pictures are handed in: bytes to an answer, or to one line that says why there is none."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tumorscan.app.answer import Answer, answer_html, refusal_html
from tumorscan.app.inbox import Inbox
from tumorscan.detect.rows import to_table
from tumorscan.errors import TumorscanError, UnreadableScan
from tumorscan.read import read_bytes

if TYPE_CHECKING:
    from tumorscan.detect.detector import Detector

_LONGEST_NAME = 120


class Desk:
    """Takes what the page and its API send, and answers."""

    def __init__(self, detector: Detector, inbox: Inbox) -> None:
        self.detector = detector
        self.inbox = inbox

    def look(self, data: bytes, name: str) -> Answer:
        """Read, prepare and decide, as the command line does for a file of these bytes.

        Raises:
            UnreadableScan: the reader's or the preparation's refusal.
        """
        times: dict[str, float] = {}
        start = time.perf_counter()
        scan = read_bytes(data, name, self.inbox.limits)
        read = time.perf_counter()
        prepared = self.detector.prepare(scan, keep_steps=True)
        times["read"] = round((read - start) * 1e3, 3)
        times["prepare"] = round((time.perf_counter() - read) * 1e3, 3)
        return Answer(scan, prepared, self.detector.decide(scan, prepared, times))

    def attempt(self, name: str, fetch: Callable[[], bytes]) -> Answer | UnreadableScan:
        """As `look`, with any failure as a cause in one line: one bad file must not end the page.

        Args:
            name: what the person calls the file.
            fetch: gives its bytes.
        """
        try:
            return self.look(fetch(), name)
        except UnreadableScan as error:
            return error
        except TumorscanError as error:
            return UnreadableScan(name, f"got no answer: {error}")
        except Exception as error:  # noqa: BLE001 - the last line of defence, as in the command line
            if os.environ.get("TUMORSCAN_DEBUG"):
                traceback.print_exc()
            cause = (str(error).strip() or "no cause given").partition("\n")[0]
            return UnreadableScan(name, f"got no answer: error in tumorscan, {type(error).__name__}: {cause}")

    def uploaded(self, sent: Any) -> str:
        """The HTML for what the drop zone sends: a name, and where the upload stands or why it does not."""
        sent = _table(sent)
        name = _name(sent.get("name"))
        return self._shown(self.attempt(name, lambda: self._received(sent, name)))

    def example(self, file: Path) -> str:
        """The HTML for an example."""
        return self._shown(self.attempt(file.name, file.read_bytes))

    def predict(self, file: Any) -> dict[str, Any]:
        """The answer for an uploaded picture, as `tumorscan predict --json` prints it, or file and error."""
        file = _table(file)
        name = _name(file.get("orig_name"))
        answer = self.attempt(name, lambda: self.inbox.take(str(file.get("path", "")), name))
        return to_table(answer.finding if isinstance(answer, Answer) else answer)

    def discard(self, sent: Any) -> None:
        """Delete an upload that a newer one has overtaken."""
        self.inbox.discard(str(_table(sent).get("path", "")))

    def _shown(self, answer: Answer | UnreadableScan) -> str:
        if isinstance(answer, UnreadableScan):
            return refusal_html(answer)
        return answer_html(answer, self.detector.operating_point, self.detector.band)

    def _received(self, sent: dict[str, Any], name: str) -> bytes:
        if "size" in sent:
            limit = self.inbox.limits.max_bytes
            cause = f"is {sent['size']} bytes, more than the limit of {limit}: make it smaller"
            raise UnreadableScan(name, cause)
        if "failure" in sent:
            cause = f"could not be sent ({str(sent['failure'])[:200]}): check the file and send it again"
            raise UnreadableScan(name, cause)
        return self.inbox.take(str(sent.get("path", "")), name)


def _table(sent: Any) -> dict[str, Any]:
    # What comes from a browser may be anything.
    return sent if isinstance(sent, dict) else {}


def _name(given: Any) -> str:
    return str(given or "picture")[:_LONGEST_NAME]
