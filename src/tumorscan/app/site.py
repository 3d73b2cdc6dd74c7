"""The site: page and API in one process, behind one guard, in front of one service."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from tumorscan.app.api.timed import Timed, for_api
from tumorscan.app.desk import Desk
from tumorscan.app.guard.asgi import App, Receive, Scope, Send
from tumorscan.app.guard.front import Guard, Rules
from tumorscan.app.guard.hosts import is_loopback
from tumorscan.app.guard.tokens import VARIABLE
from tumorscan.app.inbox import Inbox
from tumorscan.app.jobs import Jobs
from tumorscan.app.private import make_private, remove_private, sweep_private
from tumorscan.app.server import bind, make_app, make_server
from tumorscan.app.service import SERVED_LIMITS, Capacity, Service
from tumorscan.app.watch import Watch
from tumorscan.config import SHIPPED, ReadLimits
from tumorscan.detect.detector import load_detector
from tumorscan.detect.engines import AUTO
from tumorscan.errors import SettingsError, require
from tumorscan.heap import hold_heap

_FINISH_SECONDS = 30.0


@dataclass(frozen=True)
class SiteSettings:
    """What is served, where, and to whom.

    Attributes:
        host: address to listen on; 127.0.0.1 is this machine only.
        port: 1..65535, or 0 for any that is free.
        model: folder of a bundle, or of a run that holds one.
        engine: as `load_engine` takes it.
        operating_point: where a request names none; the bundle's default if empty.
        compare: folder of a second bundle, which the page shows beside the first; None: there is none.
        rules: who may ask, and how much.
        open_to_all: listen beyond this machine although there are no tokens.
        capacity: how much is taken on at once.
        limits: what the reader refuses of one picture.
        max_files: of one request to the API.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    model: Path = SHIPPED
    engine: str = AUTO
    operating_point: str = ""
    compare: Path | None = None
    rules: Rules = field(default_factory=Rules)
    open_to_all: bool = False
    capacity: Capacity = field(default_factory=Capacity)
    limits: ReadLimits = SERVED_LIMITS
    max_files: int = 64

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"--port is {self.port}: it must lie in [1, 65535]")
        if not 1 <= self.max_files <= (room := self.capacity.waiting):
            raise SettingsError(
                f"--max-files is {self.max_files}: it must lie in [1, {room}], as --queue says"
            )
        if not (is_loopback(self.host) or self.rules.tokens or self.open_to_all):
            raise SettingsError(
                f"--host {self.host} lets others reach this machine, and no token is set: give --token-file, "
                f"set {VARIABLE}, or say --no-token if whoever reaches it may use it"
            )


def serve_site(settings: SiteSettings, *, say: Callable[[str], None]) -> None:
    """Serve page and API until interrupted; what was accepted by then is finished.

    Args:
        settings: what, where and to whom.
        say: gets a line or two, where it is and who may come.

    Raises:
        BundleError: the bundle is absent, damaged, never fitted, or has no file for the engine.
        EnvironmentProblem: the port is in use or not ours to take, or there is no such address.
        MissingExtra: Gradio is not installed.
    """
    hold_heap()
    # A signal to end that comes while the model is loaded tidies up too; later ones are the server's.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)
    sweep_private()
    listening = bind(settings.host, settings.port)
    # Before Gradio is imported, which reads then where it may write.
    inbox = Inbox(settings.limits, settings.rules.bodies.most)
    # Not in the inbox, of which Gradio shows files to whoever knows their path.
    volumes = make_private("volumes")
    try:
        require("gradio", "app")
        from tumorscan.app.api.metrics import Metrics

        metrics = Metrics()
        service = open_service(settings, metrics.count_batch)
        metrics.watch(service)
        jobs = Jobs()
        site = make_site(service, inbox, settings, jobs=jobs, volumes=volumes, metrics=metrics)
        server = make_server(site, lambda: _finish(service, jobs))
        say(f"the page is at {address(settings, listening.getsockname()[1])} (Ctrl-C ends it)")
        with Watch(service):
            server.run(sockets=[listening])
        service.close()
    except KeyboardInterrupt:
        return
    finally:
        listening.close()
        inbox.close()
        remove_private(volumes)


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def open_service(settings: SiteSettings, on_batch: Callable[[int], None] | None = None) -> Service:
    """What answers behind the site."""
    return Service(
        settings.model,
        settings.engine,
        operating_point=settings.operating_point,
        capacity=settings.capacity,
        limits=settings.limits,
        on_batch=on_batch,
    )


def _finish(service: Service, jobs: Jobs) -> None:
    """Answer what was accepted, while the server still takes questions after jobs."""
    end = time.monotonic() + _FINISH_SECONDS
    service.stop(_FINISH_SECONDS)
    jobs.stop(max(end - time.monotonic(), 0))


def make_site(
    service: Service, inbox: Inbox, settings: SiteSettings, *, jobs: Jobs, volumes: Path, metrics: Any
) -> App:
    """Page and API as one guarded ASGI application.

    Args:
        service: what answers.
        inbox: where the page's uploads stand; made before Gradio is imported.
        settings: of the site.
        jobs: who answers for volumes.
        volumes: a private folder where studies stand until they are read.
        metrics: what counts.
    """
    from tumorscan.app.api.app import make_api
    from tumorscan.app.page import build_page

    other = load_detector(settings.compare, settings.engine) if settings.compare else None
    desk = Desk(service, inbox, other=other, on_answer=lambda answer: metrics.count(answer, "page"))
    page = make_app(build_page(desk), inbox)
    api = make_api(service, metrics, jobs, volumes, settings.max_files)
    return Timed(Guard(_Parted(api, page), settings.rules), metrics)


def address(settings: SiteSettings, port: int) -> str:
    """Where a browser on this machine finds the page, with a word of warning where others find it too."""
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    warning = ""
    if not is_loopback(settings.host) and not settings.rules.tokens:
        warning = ", open to everyone who reaches this machine: it asks for no token"
    return f"http://{shown}:{port}{warning}"


class _Parted:
    """Some paths to the API, all others to the page.

    Two applications side by side, for a page mounted at / would answer for every path and every method.
    """

    def __init__(self, api: App, page: App) -> None:
        self._api, self._page = api, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._api if for_api(scope) else self._page)(scope, receive, send)
