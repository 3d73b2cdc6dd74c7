"""The journal of a long run: each row is on disk as soon as it is known, so a kill costs nothing.

One JSON value a line: first what the run is, then ``[number, row]``. A line counts when it is whole;
what a kill or a full disk left of the last one is cut off, and that file is done again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tumorscan.atomic import cannot_write
from tumorscan.detect.rows import Item, Row
from tumorscan.errors import EnvironmentProblem, SettingsError

_MAGIC = '{"tumorscan journal": 1, '
_FIRST_BYTES = _MAGIC.encode()


@dataclass(frozen=True)
class RunId:
    """What makes two runs the same one.

    Attributes:
        model: name and version of the bundle.
        settings: fingerprint of all that an answer depends on besides model and file.
        files: hash of the list, see `hash_of`.
        count: length of the list.
    """

    model: str
    settings: str
    files: str
    count: int


def hash_of(items: Iterable[Item], carried: Sequence[str]) -> str:
    """SHA-256 of a list of files: names, places and carried values, in order; their content is not read."""
    digest = hashlib.sha256("\0".join(carried).encode("utf-8", "surrogatepass"))
    for item in items:
        parts = (item.name, os.path.abspath(item.file), *item.carried)  # noqa: PTH100 - a million Paths are slow
        digest.update(("\n" + "\0".join(parts)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


class Journal:
    """Rows by number in a file; knows which there are, at 8 bytes a row of memory.

    Used as a context manager; leaving it keeps the file.
    """

    def __init__(self, path: Path, run: RunId) -> None:
        """Open the journal of a run, or begin one.

        Raises:
            SettingsError: the file belongs to another run, or is no journal.
            EnvironmentProblem: it cannot be written, or another process is writing it.
        """
        self.path = path
        self._starts = array("q", [-1]) * run.count
        self.done = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: a row that was written survives the end of this process, however it comes.
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            _lock(self._file, path)
            self._end = self._read(run)
            if not self._end:
                self._end = self._put(_MAGIC + json.dumps(asdict(run))[1:])
        except OSError as error:
            self._file.close()
            raise cannot_write(path, error) from error
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def missing(self) -> Iterator[int]:
        """Numbers of the rows that are not here, ascending."""
        return (number for number, start in enumerate(self._starts) if start < 0)

    def append(self, number: int, row: Row) -> None:
        """Write a row.

        Raises:
            EnvironmentProblem: the disk is full or gone; what was written before is kept.
        """
        start = self._end
        try:
            self._end += self._put(json.dumps([number, row]))
        except OSError as error:
            cause = (error.strerror or str(error)).lower()
            raise EnvironmentProblem(
                f"{self.path}: cannot be written ({cause}): {self.done} of {len(self._starts)} files are "
                "done and kept; mend that and run the same command again to go on"
            ) from error
        self._keep(number, start)

    def rows(self) -> Iterator[Row]:
        """Every row, by number, read from the disk one by one."""
        with self.path.open("rb") as file:
            for start in self._starts:
                file.seek(start)
                yield json.loads(file.readline())[1]

    def remove(self) -> None:
        """Delete the file: its rows stand elsewhere now."""
        self.path.unlink(missing_ok=True)

    def _put(self, text: str) -> int:
        line = text.encode() + b"\n"
        left = memoryview(line)
        while left:  # a raw write may take a part only, before the disk is full
            left = left[self._file.write(left) :]
        return len(line)

    def _keep(self, number: int, start: int) -> None:
        self.done += self._starts[number] < 0
        self._starts[number] = start

    def _read(self, run: RunId) -> int:
        """Take in the rows that are whole; cut the rest off; returns where the next one goes."""
        end = 0
        with self.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    if end == 0 and line[: len(_FIRST_BYTES)] != _FIRST_BYTES[: len(line)]:
                        raise self._no_journal()
                    break
                if end == 0:
                    self._check(line, run)
                elif (number := _number_of(line, run.count)) is not None:
                    self._keep(number, end)
                end += len(line)
        self._file.truncate(end)
        self._file.seek(end)
        return end

    def _check(self, line: bytes, run: RunId) -> None:
        if not line.startswith(_FIRST_BYTES):
            raise self._no_journal()
        try:
            found = json.loads(line)
        except ValueError:
            raise self._no_journal() from None
        differ = [name for name, value in asdict(run).items() if found.get(name) != value]
        if differ:
            what = ", ".join(
                f"{name} {_short(found.get(name))}, now {_short(getattr(run, name))}" for name in differ
            )
            raise SettingsError(
                f"{self.path}: unfinished work of another run ({what}): finish that one with the same "
                "arguments, or delete this file, or choose another --out"
            )

    def _no_journal(self) -> SettingsError:
        return SettingsError(
            f"{self.path}: stands where the journal goes and is none: move it away, or choose another --out"
        )


def _number_of(line: bytes, count: int) -> int | None:
    try:
        match json.loads(line):
            case [int(number), dict()] if 0 <= number < count:
                return number
    except ValueError:  # a machine that lost power leaves holes; that file is done again
        pass
    return None


def _short(value: Any) -> str:
    return value[:12] if isinstance(value, str) and len(value) == 64 else str(value)


def _lock(file: IO[bytes], path: Path) -> None:
    """Keep other processes out until the file is closed; where there are no locks, hope."""
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise EnvironmentProblem(
            f"{path}: another run is writing it: wait for that one, or choose another --out"
        ) from None
    except OSError:
        return  # a network drive without locks
