"""The queue of studies: what has come, what is complete, what is worked on, what is done.

A study is `received` while its objects come, `ready` after a quiet time, `working` while it is analysed,
`sending` while results wait for their peers, and `done` or `failed` in the end. An object that comes later
takes its study up again. Everything is on disk before anyone is told of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tumorscan.app.node.database import Database


@dataclass(frozen=True)
class Arrival:
    """An object that came in; all names are keyed hashes.

    Attributes:
        study, series, object: of its UIDs.
        digest: of its bytes.
        source: '' for C-STORE, or the DICOMweb server.
    """

    study: str
    series: str
    object: str
    digest: str
    source: str = ""


@dataclass(frozen=True)
class Job:
    """A study to be analysed.

    Attributes:
        study: keyed hash.
        generation: how often it was taken up.
        attempts: of this generation, with this one.
        source: where it came from.
        objects: keyed hashes of all objects of its series that have something new.
        incomplete: series of which something was analysed before and is no longer here.
    """

    study: str
    generation: int
    attempts: int
    source: str
    objects: tuple[str, ...]
    incomplete: tuple[str, ...] = ()


class Ledger:
    """The studies and their objects, on disk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def has(self, object_key: str, digest: str) -> bool:
        """Whether these very bytes are here already."""
        with self._database.transaction() as db:
            row = db.execute(
                "SELECT 1 FROM objects WHERE object = ? AND digest = ? AND present = 1", (object_key, digest)
            ).fetchone()
        return row is not None

    def counts(self, study: str) -> tuple[int, int]:
        """Objects on disk: of this study, and of all."""
        with self._database.transaction() as db:
            (own,) = db.execute(
                "SELECT COUNT(*) FROM objects WHERE study = ? AND present = 1", (study,)
            ).fetchone()
            (total,) = db.execute("SELECT COUNT(*) FROM objects WHERE present = 1").fetchone()
        return own, total

    def add(self, arrival: Arrival, due: float) -> None:
        """Take in an object whose file is on disk; its study is complete at `due`, unless more comes."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO studies VALUES (?, 'received', ?, ?, 1, 0, '') ON CONFLICT DO UPDATE SET "
                "source = excluded.source, due = excluded.due, "
                "generation = generation + (state IN ('sending', 'done', 'failed')), "
                "attempts = CASE WHEN state IN ('sending', 'done', 'failed') THEN 0 ELSE attempts END, "
                "state = CASE state WHEN 'working' THEN state ELSE 'received' END, reason = ''",
                (arrival.study, due, arrival.source),
            )
            db.execute(
                "INSERT INTO objects VALUES (?, ?, ?, ?, 'new', 1) ON CONFLICT DO UPDATE SET present = 1, "
                "state = CASE WHEN digest = excluded.digest THEN state ELSE 'new' END, "
                "digest = excluded.digest",
                (arrival.object, arrival.study, arrival.series, arrival.digest),
            )

    def postpone(self, studies: Iterable[str], due: float) -> None:
        """Wait longer for what is still to come of these studies."""
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE studies SET due = MAX(due, ?) WHERE study = ? AND state = 'received'",
                [(due, study) for study in studies],
            )

    def complete(self, now: float, held: Collection[str] = (), longest: float = 0.0) -> list[str]:
        """Studies that have become complete; they are `ready` from here on.

        Args:
            now: seconds since the epoch.
            held: studies that wait on, as what brings them is still at it.
            longest: that those wait beyond their time, in seconds.
        """
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT study, due FROM studies WHERE state = 'received' AND due <= ?", (now,)
            ).fetchall()
            ready = [study for study, due in rows if study not in held or due + longest <= now]
            db.executemany("UPDATE studies SET state = 'ready' WHERE study = ?", [(one,) for one in ready])
        return ready

    def claim(self, now: float) -> Job | None:
        """The study that has waited longest, `working` from here on; None where none is due.

        A job without objects has nothing new.
        """
        with self._database.transaction() as db:
            row = db.execute(
                "UPDATE studies SET state = 'working', attempts = attempts + 1 WHERE study = "
                "(SELECT study FROM studies WHERE state = 'ready' AND due <= ? ORDER BY due LIMIT 1) "
                "RETURNING study, generation, attempts, source",
                (now,),
            ).fetchone()
            if row is None:
                return None
            study, generation, attempts, source = row
            db.execute(
                "UPDATE objects SET state = 'claimed' WHERE study = ? AND state = 'new' AND present = 1",
                (study,),
            )
            return _job(db, study, generation, attempts, source)

    def finish(self, job: Job, results: Mapping[str, str], destinations: Sequence[str], now: float) -> None:
        """The study is analysed; its results wait for every destination.

        Args:
            job: as claimed.
            results: path in the store by keyed hash of the object.
            destinations: of each result.
            now: seconds since the epoch.
        """
        with self._database.transaction() as db:
            db.execute(
                "UPDATE objects SET state = 'analysed' WHERE study = ? AND state = 'claimed'", (job.study,)
            )
            db.executemany(
                "INSERT INTO deliveries (study, object, file, destination, state, attempts, next_try) "
                "VALUES (?, ?, ?, ?, 'waiting', 0, ?)",
                [
                    (job.study, key, file, where, now)
                    for key, file in results.items()
                    for where in destinations
                ],
            )
            # Sent again after its results could not be delivered: they are tried anew.
            db.execute(
                "UPDATE deliveries SET state = 'waiting', attempts = 0, first_try = NULL, next_try = ? "
                "WHERE study = ? AND state = 'given up'",
                (now, job.study),
            )
            late = db.execute(
                "SELECT 1 FROM objects WHERE study = ? AND state = 'new' AND present = 1", (job.study,)
            ).fetchone()
            if late:  # came while the study was worked on
                db.execute(
                    "UPDATE studies SET state = 'received', generation = generation + 1, attempts = 0 "
                    "WHERE study = ?",
                    (job.study,),
                )
            else:
                db.execute("UPDATE studies SET state = 'sending' WHERE study = ?", (job.study,))

    def give_back(self, job: Job, due: float, *, counts: bool = True) -> None:
        """The study could not be analysed now; it is ready again at `due`.

        Args:
            job: as claimed.
            due: seconds since the epoch.
            counts: as an attempt.
        """
        with self._database.transaction() as db:
            db.execute(
                "UPDATE studies SET state = 'ready', due = ?, attempts = attempts - ? WHERE study = ?",
                (due, int(not counts), job.study),
            )
            db.execute("UPDATE objects SET state = 'new' WHERE study = ? AND state = 'claimed'", (job.study,))

    def fail(self, job: Job, reason: str, now: float) -> None:
        """The study cannot be analysed; sent again it would be tried again."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE studies SET state = 'failed', due = ?, reason = ? WHERE study = ?",
                (now, reason, job.study),
            )
            db.execute("UPDATE objects SET state = 'new' WHERE study = ? AND state = 'claimed'", (job.study,))

    def interrupted(self) -> list[Job]:
        """What was worked on when the node ended."""
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT study, generation, attempts, source FROM studies WHERE state = 'working'"
            ).fetchall()
            return [_job(db, *row) for row in rows]

    def finished(self, before_done: float, before_failed: float) -> list[str]:
        """Studies of which files are still here, done or failed before then."""
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT study FROM studies "
                "WHERE ((state = 'done' AND due <= ?) OR (state = 'failed' AND due <= ?)) "
                "AND EXISTS (SELECT 1 FROM objects WHERE study = studies.study AND present = 1)",
                (before_done, before_failed),
            ).fetchall()
        return [study for (study,) in rows]

    def present(self, study: str) -> list[str]:
        """Objects of a study whose files are here."""
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT object FROM objects WHERE study = ? AND present = 1", (study,)
            ).fetchall()
        return [one for (one,) in rows]

    def absent(self, study: str) -> None:
        """The files of a study were deleted."""
        with self._database.transaction() as db:
            db.execute("UPDATE objects SET present = 0 WHERE study = ?", (study,))

    def forget(self, before: float) -> int:
        """Drop what is known of studies that ended before then and left no file; how many those were.

        Sent again, such a study is a new one.
        """
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT study FROM studies WHERE state IN ('done', 'failed') AND due <= ? "
                "AND NOT EXISTS (SELECT 1 FROM objects WHERE study = studies.study AND present = 1) "
                "AND NOT EXISTS (SELECT 1 FROM deliveries WHERE study = studies.study AND file != '') "
                "LIMIT 100",
                (before,),
            ).fetchall()
            db.executemany("DELETE FROM deliveries WHERE study = ?", rows)
            db.executemany("DELETE FROM objects WHERE study = ?", rows)
            db.executemany("DELETE FROM studies WHERE study = ?", rows)
        return len(rows)

    def states(self) -> dict[str, int]:
        """How many studies are in each state."""
        with self._database.transaction() as db:
            return dict(db.execute("SELECT state, COUNT(*) FROM studies GROUP BY state").fetchall())

    def reasons(self) -> dict[str, str]:
        """Why studies failed, by keyed hash."""
        with self._database.transaction() as db:
            return dict(db.execute("SELECT study, reason FROM studies WHERE state = 'failed'").fetchall())


def _job(db: sqlite3.Connection, study: str, generation: int, attempts: int, source: str) -> Job:
    """With all objects of the series that have something claimed, unless a part of the series is gone."""
    rows = db.execute(
        "SELECT series, object, present FROM objects WHERE study = ?1 AND series IN "
        "(SELECT series FROM objects WHERE study = ?1 AND state = 'claimed') ORDER BY series, object",
        (study,),
    ).fetchall()
    incomplete = {series for series, _, present in rows if not present}
    whole = tuple(one for series, one, _ in rows if series not in incomplete)
    return Job(study, generation, attempts, source, whole, tuple(sorted(incomplete)))
