"""The one who works: takes complete studies from the queue, has them analysed, puts results in the outbox."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tumorscan.app.node.intake import header_of, remove
from tumorscan.app.node.ledger import Job, Ledger
from tumorscan.app.node.loop import IDLE_SECONDS, keep_going
from tumorscan.app.node.record import Record, place
from tumorscan.app.node.settings import NodeSettings
from tumorscan.app.node.store import Store
from tumorscan.errors import EnvironmentProblem, TumorscanError

MAX_ATTEMPTS = 3
"""A study at which the node itself ended so often is not tried again."""
_SWEEP_SECONDS = 60.0


@dataclass(frozen=True)
class Outcome:
    """What an analysis says of itself, for the audit; no names.

    Attributes:
        verdicts: of each volume.
        model: name and version.
        problems: how many files or volumes could not be dealt with.
        facts: anything else.
    """

    verdicts: tuple[str, ...] = ()
    model: str = ""
    problems: int = 0
    facts: dict[str, Any] = field(default_factory=dict)


Analyse = Callable[[Path, Path], Outcome]
"""Reads the study in one folder, writes results as DICOM files into another."""


class Worker:
    """Moves studies through the queue.

    Args:
        settings: of the node.
        store: its folder.
        ledger: the queue.
        record: told what was done.
        analyse: does the work.
        held: studies that are not complete yet, as an association or a fetch is still at them.
    """

    def __init__(
        self,
        settings: NodeSettings,
        store: Store,
        ledger: Ledger,
        record: Record,
        *,
        analyse: Analyse,
        held: Callable[[], set[str]],
    ) -> None:
        self._settings = settings
        self._store = store
        self._ledger = ledger
        self._record = record
        self._analyse = analyse
        self._held = held
        self._swept = 0.0
        self._begun: float | None = None

    def recover(self) -> None:
        """Go on where a killed node ended: nothing is lost, and what was analysed is not analysed again."""
        self._store.tidy(self._ledger.present)
        for job in self._ledger.interrupted():
            folder = self._store.results_folder(job.study, job.generation)
            if folder.is_dir():
                self._finish(job, folder)
                self._note(job, "recovered", "its results were found")
            elif job.attempts >= MAX_ATTEMPTS:
                self._fail(job, f"the node ended {job.attempts} times while at it")
            else:
                self._ledger.give_back(job, time.time())
                self._note(job, "recovered", "is analysed anew")

    def stuck(self) -> bool:
        """Whether one study takes longer than any should."""
        begun = self._begun
        return begun is not None and time.monotonic() - begun > self._settings.patience.study

    def run(self, stop: threading.Event) -> None:
        """Until told to stop; the study at work is finished first."""
        keep_going(self.step, stop, self._record)

    def step(self) -> bool:
        """Analyse one study, if one is due."""
        now = time.time()
        for study in self._ledger.complete(now, self._held(), self._settings.patience.dropped):
            self._record.note("complete", f"study {study[:12]}: complete", study=study)
        if now - self._swept >= min(_SWEEP_SECONDS, max(self._settings.patience.quiet, IDLE_SECONDS)):
            self._sweep(now)
            self._swept = now
        job = self._ledger.claim(now)
        if job is None:
            return False
        self._work(job)
        return True

    def _work(self, job: Job) -> None:
        if job.incomplete and not job.objects:
            self._fail(
                job, "a part of its series was analysed and deleted before: send the whole study again"
            )
        elif not job.objects:
            self._ledger.finish(job, {}, self._destinations(job), time.time())
            self._note(job, "known", "holds nothing new")
        else:
            self._analyse_job(job)

    def _analyse_job(self, job: Job) -> None:
        begun = self._begun = time.monotonic()
        folder = self._store.results_folder(job.study, job.generation)
        try:
            with self._store.bench(job.study, job.objects) as (pictures, results):
                try:
                    outcome = self._analyse(pictures, results)
                finally:
                    self._begun = None
                folder.parent.mkdir(exist_ok=True)
                shutil.rmtree(folder, ignore_errors=True)
                results.replace(folder)
        except EnvironmentProblem as error:
            wait = 12 * self._settings.patience.first_retry
            self._ledger.give_back(job, time.time() + wait, counts=False)
            self._note(job, "waits", f"cannot be analysed now: {error}; again in {wait:.0f} s")
        except TumorscanError as error:
            self._fail(job, str(error))
        except Exception as error:  # noqa: BLE001 - one study must not end the node; its message could name a person
            self._fail(job, f"an error inside tumorscan ({place(error)})")
        else:
            self._note(
                job,
                "analysed",
                ", ".join(outcome.verdicts) or "no volume",
                verdicts=outcome.verdicts,
                model=outcome.model,
                problems=outcome.problems,
                objects=len(job.objects),
                incomplete_series=len(job.incomplete),
                seconds=round(time.monotonic() - begun, 2),
                **outcome.facts,
            )
            self._finish(job, folder)

    def _finish(self, job: Job, folder: Path) -> None:
        results = {
            self._store.names.of(header_of(file.read_bytes()).instance): self._store.relative(file)
            for file in sorted(folder.iterdir())
        }
        self._ledger.finish(job, results, self._destinations(job), time.time())

    def _destinations(self, job: Job) -> Sequence[str]:
        return [job.source] if job.source else [str(peer) for peer in self._settings.send_to]

    def _fail(self, job: Job, reason: str) -> None:
        self._ledger.fail(job, reason, time.time())
        self._note(job, "failed", f"failed: {reason}")

    def _note(self, job: Job, event: str, line: str, **facts: Any) -> None:
        self._record.note(event, f"study {job.study[:12]}: {line}", study=job.study, what=line, **facts)

    def _sweep(self, now: float) -> None:
        """Delete the pictures of studies that are done with, and forget those that were long ago."""
        patience = self._settings.patience
        if count := self._ledger.forget(now - patience.forget):
            self._record.note("forgot", f"{count} old studies forgotten", studies=count)
        for study in self._ledger.finished(
            now - patience.keep, now - max(patience.keep, patience.keep_failed)
        ):
            with self._store.database.lock:  # so that none comes in meanwhile
                objects = self._ledger.present(study)
                for key in objects:
                    remove(self._store.object_file(study, key))
                self._ledger.absent(study)
            self._record.note(
                "deleted",
                f"study {study[:12]}: {len(objects)} pictures deleted",
                study=study,
                objects=len(objects),
            )
