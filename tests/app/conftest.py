"""A page that is really served, and the pictures that are handed in."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from handed_in import BAD_FILES, LIMIT, PICTURES

from tumorscan.config import ReadLimits


@dataclass(frozen=True)
class Served:
    """A running page: where it is, what answers in it, and its private folder."""

    url: str
    desk: object
    inbox: object

    def uploads(self) -> list[Path]:
        """What stands on disk besides the drawn examples and an empty folder that Gradio makes for itself."""
        known = (self.inbox.examples, self.inbox.folder / "vibe_edit_history")
        return [
            one for one in self.inbox.folder.rglob("*") if one not in known and known[0] not in one.parents
        ]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every one of `PICTURES` and `BAD_FILES`."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, make in PICTURES.items():
        (folder / name).write_bytes(make())
    for name, (make, _) in BAD_FILES.items():
        (folder / name).write_bytes(make())
    return folder


@pytest.fixture(scope="session")
def page(tiny_detector) -> Iterator[Served]:
    """The page on a free port, with a limit of `LIMIT` bytes."""
    from tumorscan.app.desk import Desk
    from tumorscan.app.inbox import Inbox
    from tumorscan.app.page import build_page
    from tumorscan.app.server import bind, make_app, make_server

    inbox = Inbox(ReadLimits(max_bytes=LIMIT))
    pytest.importorskip("gradio")  # behind the inbox, for Gradio reads where to write when it is imported
    listening = bind("127.0.0.1", 0)
    server = make_server(make_app(build_page(tiny_detector, inbox), inbox))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.05)
    yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", Desk(tiny_detector, inbox), inbox)
    server.should_exit = True
    thread.join(20)
    listening.close()
    assert not inbox.folder.exists(), "the private folder outlived the server"
