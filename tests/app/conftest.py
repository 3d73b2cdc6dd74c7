"""A page that is really served, and the pictures that are handed in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from chromium import CHROMIUM, QUIET
from handed_in import BAD_FILES, LIMIT, PICTURES
from served import in_thread

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
        # Not rglob, which stops at a folder that goes meanwhile.
        there = [
            Path(place) / name
            for root in (self.inbox.folder, self.inbox.work)
            for place, folders, files in os.walk(root)
            for name in (*folders, *files)
        ]
        return [one for one in there if one not in known and known[0] not in one.parents]


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
def page(tiny_bundle, tmp_path_factory) -> Iterator[Served]:
    """The page on a free port behind the guard of the site, with a limit of `LIMIT` bytes."""
    from tumorscan.app.desk import Desk
    from tumorscan.app.inbox import Inbox
    from tumorscan.app.jobs import Jobs
    from tumorscan.app.site import SiteSettings, make_site, open_service

    settings = SiteSettings(model=tiny_bundle, limits=ReadLimits(max_bytes=LIMIT))
    inbox = Inbox(settings.limits)
    pytest.importorskip("gradio")  # behind the inbox, for Gradio reads where to write when it is imported
    from tumorscan.app.api.metrics import Metrics

    service = open_service(settings)
    volumes = tmp_path_factory.mktemp("volumes")
    with in_thread(
        make_site(service, inbox, settings, jobs=Jobs(), volumes=volumes, metrics=Metrics())
    ) as url:
        yield Served(url, Desk(service, inbox), inbox)
    service.close()
    assert not inbox.folder.exists(), "the private folder outlived the server"
    assert not inbox.work.exists(), "the other one did"


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield running
        running.close()
