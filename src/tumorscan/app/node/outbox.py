"""Results on their way: which wait for which peer, since when, and when they are tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tumorscan.app.node.database import Database
from tumorscan.app.node.settings import Patience


@dataclass(frozen=True)
class Delivery:
    """A result for one peer.

    Attributes:
        id: of this delivery.
        study, object: keyed hashes.
        file: in the store.
        destination: a `Peer` in words, or a DICOMweb server.
        attempts: that failed so far.
    """

    id: int
    study: str
    object: str
    file: str
    destination: str
    attempts: int


class Outbox:
    """The deliveries, on disk."""

    def __init__(self, database: Database, patience: Patience) -> None:
        self._database = database
        self._patience = patience

    def holds(self, object_key: str) -> bool:
        """Whether an object is a result of ours."""
        with self._database.transaction() as db:
            return bool(db.execute("SELECT 1 FROM deliveries WHERE object = ?", (object_key,)).fetchone())

    def due(self, now: float) -> list[Delivery]:
        """All that is due for one study and one destination, the longest waiting first; may be empty."""
        with self._database.transaction() as db:
            first = db.execute(
                "SELECT study, destination FROM deliveries WHERE state = 'waiting' AND next_try <= ? "
                "ORDER BY next_try, id LIMIT 1",
                (now,),
            ).fetchone()
            if first is None:
                return []
            rows = db.execute(
                "SELECT id, study, object, file, destination, attempts FROM deliveries "
                "WHERE study = ? AND destination = ? AND state = 'waiting' AND next_try <= ? ORDER BY id",
                (*first, now),
            ).fetchall()
        return [Delivery(*row) for row in rows]

    def sent(self, delivery: Delivery) -> None:
        """It has arrived."""
        with self._database.transaction() as db:
            db.execute("UPDATE deliveries SET state = 'sent' WHERE id = ?", (delivery.id,))

    def over(self) -> dict[str, str]:
        """Studies none of whose results waits any more, and what they become: 'done' or 'failed'."""
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT study, CASE WHEN EXISTS (SELECT 1 FROM deliveries "
                "WHERE study = studies.study AND state = 'given up') THEN 'failed' ELSE 'done' END "
                "FROM studies WHERE state = 'sending' AND NOT EXISTS "
                "(SELECT 1 FROM deliveries WHERE study = studies.study AND state = 'waiting')"
            ).fetchall()
        return dict(rows)

    def close(self, study: str, state: str, reason: str, now: float) -> None:
        """A study of `over` is done with, unless something of it came in meanwhile."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE studies SET due = ?, state = ?, reason = ? WHERE study = ? AND state = 'sending'",
                (now, state, reason, study),
            )

    def waiting_for(self, destination: str, now: float) -> list[Delivery]:
        """All that is due there, of any study."""
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT id, study, object, file, destination, attempts FROM deliveries "
                "WHERE destination = ? AND state = 'waiting' AND next_try <= ? ORDER BY id",
                (destination, now),
            ).fetchall()
        return [Delivery(*row) for row in rows]

    def hasten(self, now: float, destination: str | None = None) -> None:
        """All that waits there, or anywhere, is due at once."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE deliveries SET next_try = ?1 "
                "WHERE state = 'waiting' AND destination = COALESCE(?2, destination)",
                (now, destination),
            )

    def later(self, deliveries: Sequence[Delivery], now: float) -> float | None:
        """They did not arrive: tried again after a time that doubles, or given up.

        Returns:
            seconds until then; None where they were given up.
        """
        tries = max(one.attempts for one in deliveries)
        wait = min(self._patience.longest_retry, self._patience.first_retry * 2.0 ** min(tries, 40))
        given_up = False
        with self._database.transaction() as db:
            for one in deliveries:
                (state,) = db.execute(
                    "UPDATE deliveries SET attempts = attempts + 1, first_try = COALESCE(first_try, ?1), "
                    "next_try = ?1 + ?2, "
                    "state = CASE WHEN ?1 - first_try >= ?3 AND attempts > 0 THEN 'given up' ELSE state END "
                    "WHERE id = ?4 RETURNING state",
                    (now, wait, self._patience.give_up, one.id),
                ).fetchone()
                given_up |= state == "given up"
        return None if given_up else wait

    def waiting(self) -> int:
        """How many results wait for a peer."""
        with self._database.transaction() as db:
            (count,) = db.execute("SELECT COUNT(*) FROM deliveries WHERE state = 'waiting'").fetchone()
        return int(count)

    def settled(self) -> list[str]:
        """Files of results that no peer waits for any more, and of which the study is done."""
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT file FROM deliveries WHERE file != '' GROUP BY file HAVING MIN(state = 'sent') = 1"
            ).fetchall()
        return [file for (file,) in rows]

    def deleted(self, file: str) -> None:
        """The file of a result was deleted; that it was ours is remembered."""
        with self._database.transaction() as db:
            db.execute("UPDATE deliveries SET file = '' WHERE file = ?", (file,))
