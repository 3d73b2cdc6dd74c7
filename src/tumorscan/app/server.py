"""The web server under the page: one socket of ours, no request to anyone, folders emptied."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from types import FrameType
from typing import Any

from tumorscan.app.inbox import Inbox
from tumorscan.app.look import page_style, page_theme
from tumorscan.errors import EnvironmentProblem, require

_SWEEP_SECONDS = 60.0
# Browsers hold a connection open for as long as a tab is; nobody waits for those at the end.
_PATIENCE_SECONDS = 2
_HEADER_SECONDS = 15.0


def bind(host: str, port: int) -> socket.socket:
    """Take the port before anything else is done.

    Raises:
        EnvironmentProblem: it is in use or not ours to take, or the address is not this machine's.
    """
    try:
        family, kind, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise EnvironmentProblem(f"host {host!r} is no address ({error.strerror}): try 127.0.0.1") from error
    listening = socket.socket(family, kind)
    if sys.platform != "win32":  # there the option would let two programs share a port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(where)
        listening.listen()
    except OSError as error:
        listening.close()
        raise EnvironmentProblem(_refused(host, port, error)) from error
    return listening


def make_app(blocks: Any, inbox: Inbox) -> Any:
    """The page as an ASGI application.

    Args:
        blocks: the page, a `gradio.Blocks`.
        inbox: where its uploads stand; swept while the application runs, deleted when it ends.
    """
    require("gradio", "app")
    import gradio as gr
    from fastapi import FastAPI

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(inbox))
        try:
            yield
        finally:
            sweeping.cancel()
            try:
                with suppress(asyncio.CancelledError):
                    await sweeping
            finally:
                inbox.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    # Gradio checks that an input is an upload, and no other file of this machine, only where this says
    # so; `launch` sets it and `mount_gradio_app` does not.
    blocks.has_launched = True
    return gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        show_error=False,
        # One more than the reader takes, so that it is the reader who refuses, in its own words.
        max_file_size=inbox.max_upload + 1,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        mcp_server=False,
        i18n=blocks.words.i18n(),
        pwa=False,
        theme=page_theme(),
        css=page_style(),
    )


def make_server(app: Any, finish: Callable[[], object] = lambda: None) -> Any:
    """A `uvicorn.Server` that says nothing, unless TUMORSCAN_DEBUG is set.

    Args:
        app: as ASGI.
        finish: called at the first signal to end, in a thread: what was accepted is finished in it while
            the server still answers. A second signal does not wait for it.
    """
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Patient(H11Protocol):  # type: ignore[misc]
        """Hangs up on whoever connects and does not say what it wants; uvicorn itself waits without end."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.loop.call_later(_HEADER_SECONDS, self._hang_up)

        def _hang_up(self) -> None:
            if self.cycle is None and not self.transport.is_closing():
                self.transport.close()

    class Server(uvicorn.Server):  # type: ignore[misc]
        finishing = False

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if self.finishing:
                self._end(sig, frame)
                return
            self.finishing = True
            threading.Thread(target=self._finish, args=(sig, frame), daemon=True).start()

        def _finish(self, sig: int, frame: FrameType | None) -> None:
            try:
                finish()
            finally:
                self._end(sig, frame)

        def _end(self, sig: int, frame: FrameType | None) -> None:
            super().handle_exit(sig, frame)
            # Kept, it would be raised again after the last request, and end us before we have tidied up.
            self._captured_signals.clear()

    level = "info" if os.environ.get("TUMORSCAN_DEBUG") else "critical"
    config = uvicorn.Config(
        app,
        log_level=level,
        timeout_graceful_shutdown=_PATIENCE_SECONDS,
        server_header=False,
        http=Patient,
        ws="none",
    )
    return Server(config)


async def _sweep(inbox: Inbox) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        await asyncio.to_thread(inbox.sweep)


def _refused(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: end the program that has it, or choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} is not ours to take: choose one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"host {host!r} is not an address of this machine: try 127.0.0.1"
    return f"port {port} on {host} cannot be opened ({error.strerror}): choose another with --port"
