"""The page by itself, served until interrupted."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING

from tumorscan.app.inbox import Inbox
from tumorscan.app.page.build import build_page
from tumorscan.app.server import bind, make_app, make_server

if TYPE_CHECKING:
    from tumorscan.detect.detector import Detector


def serve(
    detector: Detector, host: str, port: int, *, say: Callable[[str], None], other: Detector | None = None
) -> None:
    """Serve the page until interrupted.

    Args:
        detector: what answers.
        host: address to listen on; 127.0.0.1 is this machine only.
        port: 1..65535.
        say: gets one line, where the page is.
        other: a second detector to compare with.

    Raises:
        EnvironmentProblem: the port is in use or not ours to take, or there is no such address.
        MissingExtra: Gradio is not installed.
    """
    listening = bind(host, port)
    inbox = Inbox()
    try:
        server = make_server(make_app(build_page(detector, inbox, other=other), inbox))
        say(f"the page is at {address(host, port)} (Ctrl-C ends it)")
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        return
    finally:
        listening.close()
        inbox.close()


def address(host: str, port: int) -> str:
    """Where a browser on this machine finds the page, with a word of warning where others find it too."""
    shown = f"[{host}]" if ":" in host else host
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    warning = "" if local else ", open to everyone who reaches this machine: it asks for no password"
    return f"http://{shown}:{port}{warning}"
