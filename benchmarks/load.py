"""Users that ask a server over loopback, one request after the other, and what they wait for.

Requests are made ready before, and spoken over plain sockets, so that the users take as little as possible of
the cores that the server is measured on.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

_BOUNDARY = "7MA4YWxkTrZu0gW"
_PATIENCE = 120.0

Ask = Callable[["Line", Path], Awaitable[int]]
"""One answer for one picture: its HTTP status."""


@dataclass(frozen=True)
class Load:
    """What came of it.

    Attributes:
        users: at once.
        seconds: for how long.
        statuses: how often each came; 0: the line broke.
        milliseconds: of the answers with status 200, sorted.
    """

    users: int
    seconds: float
    statuses: dict[int, int]
    milliseconds: list[float]

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return len(self.milliseconds) / self.seconds

    def percentile(self, p: float) -> float:
        """Milliseconds that p per cent of the good answers took at most; nan without any."""
        return float(np.percentile(self.milliseconds, p)) if self.milliseconds else float("nan")

    @property
    def errors(self) -> int:
        """Answers that were neither good nor the stated limit (503)."""
        return sum(number for status, number in self.statuses.items() if status not in (200, 503))


class Line:
    """A connection of one user, opened again where the server closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def exchange(self, head: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send a request and take its whole response: status and body."""
        if self._writer is None or self._writer.is_closing():
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        assert self._reader is not None  # noqa: S101 - just made
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self._writer.write(f"{head}\r\nHost: 127.0.0.1\r\n{length}\r\n".encode() + body)
        await self._writer.drain()
        status, headers = await self._head(self._reader)
        whole = await self._body(self._reader, headers)
        if headers.get("connection") == "close":
            self.close()
        return status, whole

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def _head(self, reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        pairs = (line.partition(":") for line in lines if line)
        return int(first.split()[1]), {name.lower(): value.strip().lower() for name, _, value in pairs}

    async def _body(self, reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await reader.readexactly(int(headers.get("content-length", "0")))
        whole = b""
        while size := int(await reader.readline(), 16):
            whole += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return whole


async def ask_ours(line: Line, picture: Path) -> int:
    """`POST /v1/predict`."""
    status, _ = await line.exchange(*_upload("/v1/predict", "file", picture))
    return status


async def ask_gradio(line: Line, picture: Path) -> int:
    """Gradio's own way for programs, as its clients go it: upload, call, and wait for the result's event."""
    status, sent = await line.exchange(*_upload("/gradio_api/upload", "files", picture))
    if status != 200:
        return status
    file = {"path": json.loads(sent)[0], "meta": {"_type": "gradio.FileData"}}
    head = "POST /gradio_api/call/predict HTTP/1.1\r\nContent-Type: application/json"
    status, called = await line.exchange(head, json.dumps({"data": [file]}).encode())
    if status != 200:
        return status
    event = json.loads(called)["event_id"]
    status, stream = await line.exchange(f"GET /gradio_api/call/predict/{event} HTTP/1.1")
    return status if b"event: complete" in stream else 500


def run(ask: Ask, port: int, pictures: Sequence[Path], users: int, seconds: float) -> Load:
    """Users at a server for a while; each takes pictures in turn from the same row.

    Args:
        ask: how a picture is asked about.
        port: of the server, on loopback.
        pictures: taken again from the first when all were.
        users: at once.
        seconds: after which no new request begins.
    """
    return asyncio.run(_run(ask, port, pictures, users, seconds))


async def _run(ask: Ask, port: int, pictures: Sequence[Path], users: int, seconds: float) -> Load:
    numbers, statuses, spent = count(), Counter[int](), list[float]()
    begun = time.perf_counter()

    async def user() -> None:
        line = Line(port)
        while time.perf_counter() - begun < seconds:
            asked = time.perf_counter()
            try:
                status = await asyncio.wait_for(ask(line, pictures[next(numbers) % len(pictures)]), _PATIENCE)
            except (OSError, EOFError, TimeoutError):
                line.close()
                status = 0
            statuses[status] += 1
            if status == 200:
                spent.append(1e3 * (time.perf_counter() - asked))
            elif status == 503:
                await asyncio.sleep(0.5)  # well-behaved users come again later
        line.close()

    await asyncio.gather(*(user() for _ in range(users)))
    return Load(users, time.perf_counter() - begun, dict(statuses), sorted(spent))


_UPLOADS: dict[tuple[str, Path], tuple[str, bytes]] = {}


def _upload(path: str, field: str, picture: Path) -> tuple[str, bytes]:
    if (path, picture) not in _UPLOADS:
        part = f'Content-Disposition: form-data; name="{field}"; filename="{picture.name}"'
        body = (
            f"--{_BOUNDARY}\r\n{part}\r\n\r\n".encode()
            + picture.read_bytes()
            + f"\r\n--{_BOUNDARY}--\r\n".encode()
        )
        head = f"POST {path} HTTP/1.1\r\nContent-Type: multipart/form-data; boundary={_BOUNDARY}"
        _UPLOADS[path, picture] = head, body
    return _UPLOADS[path, picture]
