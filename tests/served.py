"""A site that is really served, in a thread of the test or as a process of its own; all waits have an end."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

PATIENCE = 60.0
"""Seconds after which anything here gives up."""


def waits_for(happens, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def free_port() -> int:
    # Below those that outgoing connections are given, which could take it before it is bound, or while its
    # server is down; not by `random`, whose seed parallel workers may share.
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@contextmanager
def in_thread(app) -> Iterator[str]:
    """The address of an ASGI application, served by our server until the block ends."""
    from tumorscan.app.server import bind, make_server

    listening = bind("127.0.0.1", 0)
    server = make_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    waits_for(lambda: server.started or not thread.is_alive())
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


@contextmanager
def a_site(settings, volumes: Path, jobs=None) -> Iterator[tuple[str, object]]:
    """Address and service of a whole site in a thread; its private folders are empty at the end."""
    from tumorscan.app.inbox import Inbox
    from tumorscan.app.jobs import Jobs
    from tumorscan.app.site import make_site, open_service

    inbox = Inbox(settings.limits)  # before Gradio, which reads where to write when it is imported
    pytest.importorskip("gradio")
    from tumorscan.app.api.metrics import Metrics

    metrics = Metrics()
    service = open_service(settings, metrics.count_batch)
    metrics.watch(service)
    site = make_site(service, inbox, settings, jobs=jobs or Jobs(), volumes=volumes, metrics=metrics)
    with in_thread(site) as url:
        yield url, service
    service.close()
    assert not inbox.folder.exists()


class Process:
    """`tumorscan app` as people start it.

    Args:
        folder: its TMPDIR, so that all it leaves can be seen.
        arguments: of the command, without host and port.
    """

    def __init__(
        self, folder: Path, *arguments: str | Path, host: str = "127.0.0.1", **environment: str
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.lines: list[str] = []
        command = [sys.executable, "-m", "tumorscan.app.cli", "app", "--host", host, "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "TMPDIR": str(folder), **environment},
        )
        self._reading = threading.Thread(target=lambda: self.lines.extend(self.process.stderr), daemon=True)
        self._reading.start()

    def __enter__(self) -> Process:
        try:
            waits_for(lambda: answers(self.url) or self.process.poll() is not None, 3 * PATIENCE)
            assert self.process.poll() is None, self.log
        except BaseException:
            self.process.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._reading.join(PATIENCE)
        self.process.stderr.close()

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def end(self, by: int = signal.SIGTERM) -> int:
        self.process.send_signal(by)
        code = self.process.wait(PATIENCE)
        self._reading.join(PATIENCE)
        return code
