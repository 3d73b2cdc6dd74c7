"""The private folder: nothing comes from outside it, and nothing stays in it."""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from pathlib import Path

import pytest

from tumorscan.app.inbox import Inbox
from tumorscan.config import ReadLimits
from tumorscan.errors import EnvironmentProblem, UnreadableScan


@pytest.fixture
def inbox(monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "/before")
    monkeypatch.delenv("GRADIO_ANALYTICS_ENABLED", raising=False)
    box = Inbox(ReadLimits(max_bytes=100))
    box.examples.mkdir()
    yield box
    box.close()


def put(inbox: Inbox, content: bytes = b"pixels", folder: str = "hash") -> Path:
    file = inbox.folder / folder / "token"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    return file


def test_only_this_user_may_enter(inbox):
    assert stat.S_IMODE(inbox.folder.stat().st_mode) == 0o700
    assert os.environ["GRADIO_TEMP_DIR"] == str(inbox.folder)
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"


def test_what_is_taken_is_gone(inbox):
    file = put(inbox)
    assert inbox.take(str(file), "head.png") == b"pixels"
    assert list(inbox.folder.iterdir()) == [inbox.examples]


def test_another_upload_in_the_same_folder_stays(inbox):
    file, other = put(inbox), inbox.folder / "hash" / "other"
    other.write_bytes(b"other")
    inbox.take(str(file), "head.png")
    assert other.read_bytes() == b"other"


def test_no_more_is_read_than_tells_that_it_is_too_large(inbox):
    assert len(inbox.take(str(put(inbox, bytes(5000))), "head.png")) == 101


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("/etc/passwd", "no upload of this page"),
        ("{folder}/../other", "no upload of this page"),
        ("{folder}", "no upload of this page"),
        ("{folder}/examples", "no upload of this page"),
        ("{folder}/examples/drawn.png", "no upload of this page"),
        ("{folder}/link", "no upload of this page"),  # a link that leads outside
        ("nul\0byte", "no upload of this page"),
        ("", "no upload of this page"),
        ("{folder}/hash/gone", "no longer there"),
    ],
)
def test_refuses_what_is_no_upload(inbox, tmp_path, path, cause):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (inbox.folder / "link").symlink_to(secret)
    (inbox.examples / "drawn.png").write_bytes(b"drawn")
    with pytest.raises(UnreadableScan, match=cause):
        inbox.take(path.format(folder=inbox.folder), "head.png")
    inbox.discard(path.format(folder=inbox.folder))
    assert secret.read_bytes() == b"secret"
    assert (inbox.examples / "drawn.png").exists()


def test_sweeps_what_nobody_asked_about(inbox):
    old, fresh, drawn = put(inbox, folder="old"), put(inbox, folder="fresh"), inbox.examples / "drawn.png"
    drawn.write_bytes(b"drawn")
    half = inbox.folder / "tmp-half-sent"
    half.write_bytes(b"half")
    long_ago = time.time() - 3600
    for file in (old, half, drawn):
        os.utime(file, (long_ago, long_ago))
    assert inbox.sweep() == 2
    assert fresh.exists()
    assert drawn.exists()
    assert not old.parent.exists()
    assert not half.exists()


def test_sweeps_while_uploads_come_and_go(inbox):
    ended = threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            for file in [put(inbox, folder=f"f{i}") for i in range(20)]:
                shutil.rmtree(file.parent)

    guest = threading.Thread(target=come_and_go)
    guest.start()
    try:
        swept = [inbox.sweep() for _ in range(400)]
    finally:
        ended.set()
        guest.join()
    assert swept == [0] * 400


def test_is_gone_when_closed(inbox):
    put(inbox)
    inbox.close()
    inbox.close()
    assert not inbox.folder.exists()
    assert os.environ["GRADIO_TEMP_DIR"] == "/before"
    assert "GRADIO_ANALYTICS_ENABLED" not in os.environ


def test_says_so_where_no_folder_can_be_made(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(EnvironmentProblem, match=r"no private folder can be made .*: set TMPDIR"):
        Inbox()


def test_what_is_held_does_not_get_stale_and_is_gone_afterwards(inbox):
    one, other = put(inbox, folder="a"), put(inbox, folder="b")
    with inbox.held([str(one), "/etc/hostname", str(other), str(one)]) as places:
        assert [place is None for place in places] == [False, True, False, True]
        assert inbox.folder not in places[0].parents  # where Gradio would show it to whoever knows the path
        assert inbox.sweep(older_than=-10) == 0
        assert places[0].read_bytes() == places[2].read_bytes()
        assert not one.exists()
    assert list(inbox.work.rglob("*")) == []
