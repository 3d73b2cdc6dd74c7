"""Private folders go with their process, also with one that was killed."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tumorscan.app import private
from tumorscan.app.private import make_private, remove_private, sweep_private
from tumorscan.errors import EnvironmentProblem

OPEN = Path("/proc/self/fd")
HOLD = """
from tumorscan.app.private import make_private
import time
folder = make_private("work")
(folder / "upload.png").write_bytes(b"picture")
print(folder, flush=True)
time.sleep(120)
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(private, "_BEING_MADE", -1.0)
    yield tmp_path
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.fixture
def other():
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert "tumorscan-work-" in process.stdout.readline()
    yield process
    process.kill()
    process.wait(30)


def test_only_this_user_may_enter(home):
    folder = make_private("page")
    assert folder.parent == home.resolve()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    remove_private(folder)
    remove_private(folder)
    assert list(home.iterdir()) == []


def test_what_a_killed_process_left_goes_when_the_next_one_starts(home, other):
    assert sweep_private() == 0, "its process lives"
    assert len(list(home.rglob("upload.png"))) == 1
    other.send_signal(signal.SIGKILL)
    other.wait(30)
    assert sweep_private() == 1
    assert list(home.iterdir()) == []


def test_nothing_of_this_process_or_of_others_is_swept(home):
    ours = make_private("bundle")
    (home / "tumorscan-notes").mkdir()
    (home / "somebody-work-1").mkdir()
    (home / "tumorscan-work-link").symlink_to(home / "somebody-work-1")
    assert sweep_private() == 0
    assert ours.is_dir()
    assert (home / "somebody-work-1").is_dir()
    remove_private(ours)


def test_a_folder_that_is_just_being_made_is_left_alone(home, monkeypatch):
    monkeypatch.setattr(private, "_BEING_MADE", 60.0)
    (home / "tumorscan-page-new").mkdir()
    assert sweep_private() == 0


@pytest.mark.skipif(not OPEN.is_dir(), reason="this system does not list a process's descriptors")
def test_no_descriptor_is_left_behind(home):
    for _ in range(20):
        remove_private(make_private("bundle"))
    left = []
    for descriptor in OPEN.iterdir():
        with suppress(OSError):  # closed meanwhile: servers of other tests are in this process too
            left.append(str(descriptor.readlink()))
    assert not [one for one in left if one.startswith(str(home.resolve()))]


def test_no_room_is_said(home, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(home / "none"))
    with pytest.raises(EnvironmentProblem, match="no private folder can be made"):
        make_private("page")


def test_a_server_that_is_told_to_end_while_it_starts_leaves_nothing(home):
    process = subprocess.Popen(
        [sys.executable, "-m", "tumorscan.app.cli", "app", "--port", "17911"],
        env={**os.environ, "TMPDIR": str(home)},
        stdout=subprocess.DEVNULL,
    )
    end = time.monotonic() + 120
    while not list(home.glob("tumorscan-*")) and time.monotonic() < end:
        time.sleep(0.01)
    assert list(home.glob("tumorscan-*")), "it made no folder"
    process.terminate()
    process.wait(120)
    assert list(home.glob("tumorscan-*")) == []
