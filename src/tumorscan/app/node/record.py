"""What the node did, as lines for people and as JSON lines for an audit: keyed hashes, never an identity."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tumorscan.atomic import atomic_write_bytes, cannot_write
from tumorscan.errors import EnvironmentProblem
from tumorscan.jsonable import jsonable

Say = Callable[[str], None]

AUDIT = "audit.jsonl"
KEY = "key"


class Pseudonyms:
    """UIDs as keyed hashes (HMAC-SHA256): equal UIDs have equal names, and only the key leads back.

    Args:
        file: holds the key; made on first use, for this user alone. Deleting it cuts every tie to the UIDs.
    """

    def __init__(self, file: Path) -> None:
        try:
            if not file.exists():
                atomic_write_bytes(file, secrets.token_bytes(32))
                file.chmod(0o600)
            self._key = file.read_bytes()
        except OSError as error:
            raise EnvironmentProblem(f"{file}: cannot be read ({error.strerror})") from error
        if len(self._key) != 32:
            raise EnvironmentProblem(f"{file}: is no key of this node: restore it, or empty the whole folder")

    def of(self, uid: str) -> str:
        """32 hexadecimal digits."""
        return hmac.new(self._key, uid.encode(), hashlib.sha256).hexdigest()[:32]


class Record:
    """Tells people and the audit what was done.

    Args:
        file: of JSON lines, appended to; opened for each line, so that it may be rotated.
        say: where lines for people go.
    """

    def __init__(self, file: Path, say: Say) -> None:
        self._file = file
        self._say = say
        self._lock = threading.Lock()

    def tell(self, line: str) -> None:
        """A line for people alone."""
        self._say(line)

    def note(self, event: str, line: str, **facts: Any) -> None:
        """One thing that was done; who reads the line finds it in the audit.

        Args:
            event: its kind, a word.
            line: for people.
            facts: for the audit; numbers, words of ours, AE titles, keyed hashes.
        """
        problem = self._audit(event, facts)
        self._say(line)
        if problem:
            self._say(problem)

    def _audit(self, event: str, facts: dict[str, Any]) -> str:
        """Append to the audit; what is to be said where that cannot be, else ''."""
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": event,
            **jsonable(facts),
        }
        data = (json.dumps(entry) + "\n").encode()
        try:
            with self._lock:
                handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                try:
                    os.write(handle, data)
                finally:
                    os.close(handle)
        except OSError as error:
            # A full disk must not stop what the line tells of; the line for people says what is missing.
            return f"audit: {cannot_write(self._file, error)}"
        return ""


def shown(text: object) -> str:
    """What a peer said, safe for a line of a log: printable ASCII, short."""
    return "".join(one if " " <= one <= "~" else "?" for one in str(text).strip())[:64]


def place(error: BaseException) -> str:
    """Kind of an error and where it arose; not its message."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return shown(f"{type(error).__name__}{where}")
