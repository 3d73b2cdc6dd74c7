"""Work that takes longer than a request: asked for, looked after, fetched; known to its client alone."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tumorscan.app.problems import debugging
from tumorscan.app.service import Overloaded
from tumorscan.errors import TumorscanError

LOG = logging.getLogger("tumorscan.serve")
KEPT_SECONDS = 900.0
"""A result that nobody fetches is kept for so long."""

_ENDED = ("done", "failed")
_RETRY_SECONDS = 10


class Cancelled(Exception):
    """The job is not wanted any more."""


@dataclass
class Job:
    """One piece of work.

    Attributes:
        client: who asked for it, and who alone may see it.
        work: makes the result; is given the job, to tell of its progress, and ended by `Cancelled`.
        clean: takes away what the work was to be done on, whether it was done or not.
        id: cannot be guessed.
        status: queued, running, done or failed.
        done, total: pieces; total is 0 until it is known.
        result: once done.
        problem: once failed, cause and cure in one line.
        ended: by the clock of the jobs.
        fetched: its end was seen by its client.
        cancelled: it is not wanted any more.
    """

    client: str
    work: Callable[[Job], dict[str, Any]]
    clean: Callable[[], object] = lambda: None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    status: str = "queued"
    done: int = 0
    total: int = 0
    result: dict[str, Any] | None = None
    problem: str = ""
    ended: float | None = None
    fetched: bool = False
    cancelled: bool = False

    def tell(self, done: int, total: int) -> None:
        """How far it is.

        Raises:
            Cancelled: it may stop.
        """
        self.done, self.total = done, total
        if self.cancelled:
            raise Cancelled


class Jobs:
    """A queue of jobs and the one thread that does them: the network is the bottleneck, so one is enough.

    Args:
        waiting: jobs that are queued at most, beside the one that runs.
        kept: seconds for which a result stays.
        clock: seconds, rising.
    """

    def __init__(
        self, waiting: int = 8, kept: float = KEPT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._waiting, self._kept, self._clock = waiting, kept, clock
        self._jobs: dict[str, Job] = {}
        self._queue: deque[Job] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name="tumorscan-jobs", daemon=True)
        self._thread.start()

    def submit(
        self, client: str, work: Callable[[Job], dict[str, Any]], clean: Callable[[], object] = lambda: None
    ) -> Job:
        """Queue a job; its arguments are as `Job` has them.

        Raises:
            Overloaded: too many wait, or all is about to end.
        """
        self.sweep()
        with self._changed:
            if self._stopping:
                raise Overloaded("the service is stopping", _RETRY_SECONDS)
            if len(self._queue) >= self._waiting:
                raise Overloaded(f"{len(self._queue)} volumes are waiting", _RETRY_SECONDS)
            job = Job(client, work, clean)
            self._jobs[job.id] = job
            self._queue.append(job)
            self._changed.notify_all()
        return job

    def get(self, number: str, client: str) -> Job | None:
        """A job of a client; None where there is none of that name, or it is another's."""
        self.sweep()
        job = self._jobs.get(number)
        return job if job is not None and job.client == client else None

    def seen(self, job: Job) -> None:
        """Its client has seen how it ended."""
        with self._changed:
            job.fetched = job.status in _ENDED
            self._changed.notify_all()

    def remove(self, job: Job) -> None:
        """Forget a job, and end it if it runs."""
        with self._changed:
            job.cancelled = True
            self._jobs.pop(job.id, None)
            queued = job in self._queue
            if queued:
                self._queue.remove(job)
            self._changed.notify_all()
        if queued:
            job.clean()

    def sweep(self) -> None:
        """Forget what ended long ago."""
        limit = self._clock() - self._kept
        with self._changed:
            for job in [one for one in self._jobs.values() if one.ended is not None and one.ended < limit]:
                del self._jobs[job.id]

    def stop(self, seconds: float) -> bool:
        """Take no more, finish what was taken and wait until it was fetched; whether all was.

        Args:
            seconds: to wait at most.
        """
        with self._changed:
            self._stopping = True
            return self._changed.wait_for(lambda: all(job.fetched for job in self._jobs.values()), seconds)

    @property
    def active(self) -> int:
        """Jobs that are queued or run."""
        return sum(job.status not in _ENDED for job in list(self._jobs.values()))

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                job = self._queue.popleft()
                job.status = "running"
            self._do(job)

    def _do(self, job: Job) -> None:
        status, result, problem = "failed", None, ""
        try:
            result, status = job.work(job), "done"
        except Cancelled:
            problem = "it was cancelled"
        except TumorscanError as error:
            problem = str(error)
        except Exception as error:
            kind = type(error).__name__
            LOG.error("an error inside tumorscan: %s", kind, exc_info=debugging())  # noqa: TRY400 - names no file
            problem = f"an error inside tumorscan ({kind}): please report it"
        job.clean()
        with self._changed:
            job.status, job.result, job.problem, job.ended = status, result, problem, self._clock()
            self._changed.notify_all()
