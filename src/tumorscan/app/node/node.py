"""The node: its parts, started in order and stopped in the other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tumorscan.app.node.intake import Intake
from tumorscan.app.node.ledger import Ledger
from tumorscan.app.node.outbox import Outbox
from tumorscan.app.node.receiver import Receiver, client_context
from tumorscan.app.node.record import Record, Say, place
from tumorscan.app.node.sender import Sender
from tumorscan.app.node.settings import NodeSettings
from tumorscan.app.node.store import Store
from tumorscan.app.node.web import Fetcher
from tumorscan.app.node.worker import Analyse, Worker
from tumorscan.errors import EnvironmentProblem

# These tell values of headers and addresses with UIDs in them.
_TALKATIVE = ("pydicom", "pynetdicom", "dicomweb_client", "highdicom", "urllib3", "retrying")


class Node:
    """Everything between a study that comes in and its results that go out.

    Attributes:
        broken: a part of it ended by an error.

    Args:
        settings: who it is, whom it knows.
        analyse: does the work.
        say: where lines for people go.

    Raises:
        EnvironmentProblem: the store is another node's or cannot be written; the port is in use.
    """

    def __init__(self, settings: NodeSettings, analyse: Analyse, say: Say) -> None:
        hush()
        client_context(settings.tls)  # a certificate that is none is said now
        self._settings = settings
        self.broken = False
        self.store = Store(settings.store)
        self.record = Record(self.store.audit, say)
        self.ledger = Ledger(self.store.database)
        self.outbox = Outbox(self.store.database, settings.patience)
        intake = Intake(settings, self.store, self.ledger, self.outbox)
        self.receiver = Receiver(settings, intake, self.ledger, self.record)
        self.worker = Worker(
            settings, self.store, self.ledger, self.record, analyse=analyse, held=self._bringing
        )
        self.sender = Sender(settings, self.store, self.outbox, self.record)
        self.fetchers = [
            Fetcher(
                server,
                settings=settings,
                intake=intake,
                database=self.store.database,
                ledger=self.ledger,
                names=self.store.names,
                record=self.record,
            )
            for server in settings.dicomweb
        ]
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Go on where the last one ended, and listen.

        Raises:
            EnvironmentProblem: see the class.
        """
        try:
            self.worker.recover()
            if self._settings.listens:
                self.receiver.start()
        except EnvironmentProblem:
            self.store.close()
            raise
        for run in (self.worker.run, self.sender.run, *(one.run for one in self.fetchers)):
            self._threads.append(threading.Thread(target=self._guarded, args=(run,), daemon=True))
        for thread in self._threads:
            thread.start()
        self.record.note("started", self._where(), studies=self.ledger.states())

    def wait(self, seconds: float | None = None) -> bool:
        """Until it is told to stop, or a part of it has ended or is stuck; True then.

        Args:
            seconds: at most; call it in steps, for only the beginning of each looks for what is stuck.
        """
        if self.worker.stuck() and not self._stop.is_set():
            self.broken = True
            self.record.note("stuck", "a study takes too long: the node ends, and tries it anew when started")
            self._stop.set()
        return self._stop.wait(seconds)

    def ask_to_stop(self) -> None:
        """May be called from a signal handler."""
        self._stop.set()

    def stop(self) -> None:
        """Take nothing more, finish the study at work if that is soon, leave the rest for the next start."""
        self._stop.set()
        self.receiver.stop()
        for thread in self._threads:
            thread.join(self._settings.patience.stop)
        left = [thread for thread in self._threads if thread.is_alive()]
        words = "; the study at work is analysed anew at the next start" if left else ""
        self.record.note("stopped", f"stopped{words}", studies=self.ledger.states())
        if not left:
            self.store.close()

    def _bringing(self) -> set[str]:
        """Studies that an association or a fetch is still at."""
        return self.receiver.bringing().union(*(one.bringing() for one in self.fetchers))

    def _guarded(self, run: Callable[[threading.Event], None]) -> None:
        """A part that ends by an error ends the node, so that whoever watches it starts it again."""
        try:
            run(self._stop)
        except Exception as error:  # noqa: BLE001 - its message could name a person
            self.broken = True
            self.record.note(
                "broken", f"a part of the node ended by an error inside tumorscan ({place(error)})"
            )
        finally:
            self._stop.set()

    def _where(self) -> str:
        settings = self._settings
        door = f"{settings.aet} listens on {settings.host}:{self.receiver.port}" if settings.listens else ""
        known = f"known: {', '.join(settings.known)}" if settings.listens else ""
        web = f"asks {', '.join(settings.dicomweb)}" if settings.dicomweb else ""
        return "; ".join(part for part in (door, known, web) if part)


def hush() -> None:
    """Keep libraries from writing what they read into the log."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False
