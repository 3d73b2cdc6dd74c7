"""The page: drop a picture, read the verdict. The detector and the reader are the command line's."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tumorscan.app.desk import Desk
from tumorscan.app.inbox import Inbox
from tumorscan.app.layout import lay_out
from tumorscan.app.server import bind, make_app, make_server
from tumorscan.errors import require

if TYPE_CHECKING:
    from tumorscan.detect.detector import Detector

_EXAMPLE_SIDE = 256
_EXAMPLE_SEEDS = (3, 8)


def serve(detector: Detector, host: str, port: int, *, say: Callable[[str], None]) -> None:
    """Serve the page until interrupted.

    Args:
        detector: what answers.
        host: address to listen on; 127.0.0.1 is this machine only.
        port: 1..65535.
        say: gets one line, where the page is.

    Raises:
        EnvironmentProblem: the port is in use or not ours to take, or there is no such address.
        MissingExtra: Gradio is not installed.
    """
    listening = bind(host, port)
    inbox = Inbox()
    try:
        server = make_server(make_app(build_page(detector, inbox), inbox))
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


def build_page(detector: Detector, inbox: Inbox | None = None) -> Any:
    """The page as a `gradio.Blocks`, not yet served.

    Args:
        detector: what answers.
        inbox: where uploads stand; one of its own if not given.

    Raises:
        MissingExtra: Gradio is not installed.
    """
    inbox = inbox or Inbox()
    require("gradio", "app")
    return lay_out(Desk(detector, inbox), draw_examples(inbox.examples))


def draw_examples(folder: Path) -> list[tuple[Path, str]]:
    """Draw the example pictures; returns each file with what it shows."""
    from tumorscan.data.phantom import draw_phantom

    folder.mkdir(exist_ok=True)
    examples = []
    for number, seed in enumerate(_EXAMPLE_SEEDS, 1):
        for tumor, word in ((True, "with a lesion"), (False, "without a lesion")):
            file = folder / f"drawn-{number}-{'lesion' if tumor else 'plain'}.png"
            phantom = draw_phantom(np.random.default_rng([seed, tumor]), tumor=tumor, size=_EXAMPLE_SIDE)
            Image.fromarray(phantom.pixels).save(file)
            examples.append((file, f"Drawn slice {word}"))
    return examples
