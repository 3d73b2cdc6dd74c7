"""The SQLite file under the node: one connection, one lock, whole transactions, on the disk when they end."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tumorscan.errors import EnvironmentProblem

FILE = "queue.sqlite"
_VERSION = 1
_SCHEMA = """
CREATE TABLE studies (
  study TEXT PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('received', 'ready', 'working', 'sending', 'done', 'failed')),
  due REAL NOT NULL,           -- received: complete from then on; ready: not before; done, failed: since
  source TEXT NOT NULL,        -- '' for C-STORE, or the DICOMweb server that it came from
  generation INTEGER NOT NULL, -- how often it was taken up
  attempts INTEGER NOT NULL,   -- of this generation
  reason TEXT NOT NULL         -- why it failed
) WITHOUT ROWID;
CREATE INDEX studies_by_state ON studies (state, due);
CREATE TABLE objects (
  object TEXT PRIMARY KEY,
  study TEXT NOT NULL REFERENCES studies (study),
  series TEXT NOT NULL,
  digest TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('new', 'claimed', 'analysed')),
  present INTEGER NOT NULL     -- whether its file is still here
) WITHOUT ROWID;
CREATE INDEX objects_by_study ON objects (study);
CREATE INDEX objects_present ON objects (study) WHERE present = 1;
CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY,
  study TEXT NOT NULL REFERENCES studies (study),
  object TEXT NOT NULL,        -- of the result
  file TEXT NOT NULL,          -- in the store; '' once it is deleted
  destination TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'given up')),
  attempts INTEGER NOT NULL,
  next_try REAL NOT NULL,
  first_try REAL               -- NULL before it
);
CREATE INDEX deliveries_waiting ON deliveries (next_try) WHERE state = 'waiting';
CREATE INDEX deliveries_files ON deliveries (file) WHERE file != '';
CREATE INDEX deliveries_by_study ON deliveries (study);
CREATE INDEX deliveries_by_object ON deliveries (object);
CREATE TABLE web_series (
  server TEXT NOT NULL,
  series TEXT NOT NULL,
  objects INTEGER NOT NULL,    -- that the server counted last
  since REAL NOT NULL,         -- when it first counted so many
  taken INTEGER NOT NULL,      -- how many it had when it was fetched
  PRIMARY KEY (server, series)
) WITHOUT ROWID;
"""


class Database:
    """The queue's file.

    Attributes:
        lock: held by every transaction; may be held around several, and around work on files.
    """

    def __init__(self, file: Path) -> None:
        self.lock = threading.RLock()
        self._file = file
        with self._named_errors():
            # Transactions are begun by hand; the lock keeps threads apart.
            self._connection = sqlite3.connect(
                file, isolation_level=None, check_same_thread=False, timeout=10
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._prepare()

    def _prepare(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._connection.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version = {_VERSION};COMMIT;")
        elif version != _VERSION:
            raise EnvironmentProblem(
                f"{self._file}: was written by another version of tumorscan (format {version}, ours is "
                f"{_VERSION}): finish its work with that one, or choose another --store"
            )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing.

        Raises:
            EnvironmentProblem: the disk is full, or the file is damaged or not ours to write.
        """
        with self.lock, self._named_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._commit()

    def _commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise EnvironmentProblem(
                f"{self._file}: {error}: free some space, or restore the file"
            ) from error

    def close(self) -> None:
        """Close the file; nothing is lost without it."""
        with self.lock:
            self._connection.close()
