"""A command run to its end, or kept for questions: time to its first line, to its end, and peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

_POLL = 0.01
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True)
class Ran:
    """What a command took.

    Attributes:
        answered: seconds to its first line on stdout.
        seconds: to its end.
        peak: resident memory of the process and all it started, bytes, at its highest; 0 where there is
            no /proc.
    """

    answered: float
    seconds: float
    peak: int


def run(command: Sequence[str | Path], accept: Sequence[int] = (0,)) -> Ran:
    """Run a command and measure it.

    Raises:
        SystemExit: it failed, with the end of what it wrote to stderr.
    """
    with tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=clean_environment())
        watch = _Watch(process.pid)
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        process.stdout.readline()
        answered = time.perf_counter() - begun
        process.stdout.read()
        code = process.wait()
        seconds = time.perf_counter() - begun
        if code not in accept:
            errors.seek(0)
            text = errors.read().decode(errors="replace")[-1500:]
            raise SystemExit(f"{' '.join(map(str, command))}: exit code {code}\n{text}")
    return Ran(answered, seconds, watch.stop())


def clean_environment() -> dict[str, str]:
    """The environment of a child: no PYTHONPATH of ours, output as it is made, TensorFlow quiet."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


class Worker:
    """A process that answers requests (`ways/serving.py`)."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self._command = command
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=clean_environment(),
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def ask(self, **request: Any) -> dict[str, Any]:
        """The reply to a request.

        Raises:
            SystemExit: the process died, with the end of what it wrote to stderr.
        """
        to, back = self._process.stdin, self._process.stdout
        assert to is not None and back is not None  # noqa: S101, PT018 - PIPE was asked for
        try:
            to.write(json.dumps(request).encode() + b"\n")
            to.flush()
        except BrokenPipeError:
            pass  # it died: the empty line below says so
        line = back.readline()
        if not line:
            self._errors.seek(0)
            text = self._errors.read().decode(errors="replace")[-1500:]
            raise SystemExit(f"{' '.join(map(str, self._command))}: gone\n{text}")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # a request that a dead process never took
                self._process.stdin.close()
        self._process.wait(timeout=60)
        self._errors.close()


class _Watch:
    """Looks at a process tree's memory until told to stop.

    Not `ru_maxrss`: on Linux a child's begins at what its parent held when it was started.
    """

    def __init__(self, pid: int) -> None:
        self._pid, self._peak = pid, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(_POLL):
            self._peak = max(self._peak, tree_rss(self._pid))

    def stop(self) -> int:
        self._ended.set()
        self._thread.join()
        return self._peak


def tree_rss(pid: int) -> int:
    """Resident memory of a process and all below it, bytes; 0 once it has ended, or without /proc."""
    folder = Path("/proc") / str(pid)
    try:
        own = int((folder / "statm").read_text().split()[1]) * _PAGE
        children = [child for task in (folder / "task").iterdir() for child in _children(task)]
    except OSError:
        return 0
    return own + sum(tree_rss(child) for child in children)


def cpu_seconds(pid: int) -> float:
    """What a process and its threads have used of all cores so far; nan without /proc."""
    try:
        # The command's name stands in brackets and may hold blanks.
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children(task: Path) -> list[int]:
    try:
        return [int(one) for one in (task / "children").read_text().split()]
    except OSError:
        return []  # a thread that has ended since
