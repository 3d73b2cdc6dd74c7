"""Work on Ray Data: the rows of the local run, whatever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tumorscan.detect import scale_ray
from tumorscan.detect.bulk import journal_path, predict_all
from tumorscan.detect.detector import load_detector
from tumorscan.detect.ray_session import Cluster, check_ray, running
from tumorscan.detect.rows import Item
from tumorscan.detect.scale_ray import work_on_ray
from tumorscan.detect.shard import BulkSettings
from tumorscan.errors import BundleError, EnvironmentProblem, SettingsError

CLUSTER = Cluster(workers=2)


def rows_without_times(path: Path) -> list[dict]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in row.items() if "milliseconds" not in key} for row in rows]


def processes(title: str) -> list[int]:
    """Of this machine, by how they call themselves."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if (place / "cmdline").read_bytes().startswith(title.encode()):
                found.append(int(place.name))
    return found


def family(pid: int) -> Iterator[int]:
    """A process and all that came from it."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread ended meanwhile
            for child in children.read_text().split():
                yield from family(int(child))


def workers_of_ours() -> list[int]:
    ours = set(family(os.getpid()))
    return [pid for pid in processes("ray::Map") if pid in ours]


@pytest.fixture(scope="module")
def ray():
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'tumorscan[scale]'")
    if not Path("/proc/self/task").is_dir():
        pytest.skip("finds Ray's processes in /proc, which this system has not")
    check_ray(CLUSTER)
    import ray

    with running(ray, CLUSTER):
        yield ray
    assert not ray.is_initialized()


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> list[Item]:
    """Pictures that have to be found twice and more, among them bad ones and a name that is no UTF-8."""
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(8)
    names = [os.fsdecode(f"{i}\xe9.png".encode("latin-1")) for i in range(24)]
    for name in names:
        smooth = Image.fromarray(rng.integers(0, 256, (12, 12), dtype=np.uint8))
        smooth.resize((300, 300)).save(folder / name)
    (folder / names[5]).write_bytes(b"a letter")
    items = [Item(names[i % 24], str(folder / names[i % 24]), (f"p{i}",)) for i in range(960)]
    items[100] = Item("gone.png", str(folder / "gone.png"))
    items[200] = Item("void", "void", problem="holds no file: name a folder with pictures")
    return items


@given(
    count=st.integers(1, 3000), workers=st.integers(1, 64), batch=st.integers(1, 200), start=st.integers(0, 9)
)
def test_shards_are_whole_batches_in_order(count, workers, batch, start):
    wave = [(number, Item("a", "a")) for number in range(start, start + count)]
    shards = list(scale_ray._shards(wave, workers, batch))
    assert [pair for shard in shards for pair in shard] == wave
    assert all(len(shard) % batch == 0 for shard in shards[:-1])
    assert max(map(len, shards)) <= max(64, batch)
    if count >= workers * batch:
        assert len(shards) >= workers


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ({"workers": -1}, "workers is -1"),
        ({"workers": 100_001}, "workers is 100001"),
        ({"address": "ray://head:10001"}, "an address of the Ray client: run this on a machine of the clus"),
    ],
)
def test_clusters_that_are_refused(arguments, cause):
    with pytest.raises(SettingsError, match=cause):
        Cluster(**arguments)


def test_nothing_is_started_when_all_is_done(counting, monkeypatch):
    monkeypatch.setattr(scale_ray, "check_ray", lambda _: pytest.fail("Ray was started"))
    assert list(work_on_ray(counting, CLUSTER, (), BulkSettings())(iter(()))) == []


def test_a_ray_that_was_imported_before_is_not_started(monkeypatch):
    """It would listen on all interfaces, for it reads its settings when it is imported."""
    monkeypatch.delenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", raising=False)
    imported = SimpleNamespace(is_initialized=lambda: False)
    monkeypatch.setitem(sys.modules, "ray", imported)
    monkeypatch.setitem(sys.modules, "ray.data", imported)
    check_ray(CLUSTER)
    with pytest.raises(EnvironmentProblem, match="Ray was imported before"), running(imported, CLUSTER):
        pytest.fail("it was started")


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(ray, tiny_detector, many, tmp_path):
    local, out = tmp_path / "local.jsonl", tmp_path / "ray.jsonl"
    predict_all(tiny_detector, many, local, carried=("patient",))
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + 100
        journal = journal_path(out)
        while time.monotonic() < deadline:
            if journal.exists() and journal.read_bytes().count(b"\n") > 60 and (found := workers_of_ours()):
                with suppress(ProcessLookupError):  # it ended by itself: the next one then
                    os.kill(found[0], signal.SIGKILL)
                    killed.append(journal.read_bytes().count(b"\n"))
                    return
            time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    work = work_on_ray(tiny_detector, CLUSTER, ("patient",), BulkSettings())
    summary = predict_all(tiny_detector, many, out, carried=("patient",), work=work)
    killer.join()
    assert killed, "no worker was killed"
    assert killed[0] < 900, "the run was over when its worker was killed"
    assert (summary.files, summary.resumed) == (960, 0)
    assert summary.errors == 42
    assert rows_without_times(out) == rows_without_times(local)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("load", "kind", "cause"),
    [
        (partial(os._exit, 1), EnvironmentProblem, "Ray gave up .*what is done is kept"),
        (partial(load_detector, "/nowhere"), BundleError, "/nowhere: no bundle here"),
        (
            None,
            BundleError,
            "a worker has tumorscan .* is wanted: have the same tumorscan and the same bundle",
        ),
    ],
    ids=["a worker that always dies", "a bundle that only this machine sees", "another bundle there"],
)
def test_what_concerns_every_file_ends_the_run(ray, tiny_bundle, many, tmp_path, load, kind, cause):
    detector = load_detector(tiny_bundle)
    settings = BulkSettings()
    load = load or partial(load_detector, tiny_bundle)
    # Only the detector here: a worker that loads the bundle anew has another one.
    detector.calibration = replace(detector.calibration, parameters={"slope": (1 / 3.0,)})
    job = scale_ray._Job(load, scale_ray._identity(detector, settings), ("patient",), settings)
    work = partial(scale_ray._rows, job, CLUSTER)
    with pytest.raises(kind, match=cause):
        predict_all(detector, many[:64], tmp_path / "r.jsonl", carried=("patient",), work=work)
    assert [file.name for file in tmp_path.iterdir()] == ["r.jsonl.part.jsonl"]


@pytest.mark.slow
def test_ray_keeps_to_itself(ray):
    """It listens on the loopback interface only, has no dashboard, and reports to nobody."""
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    ours = set(family(os.getpid()))
    sockets = set()
    for pid in ours:
        for handle in Path(f"/proc/{pid}/fd").glob("*"):
            with suppress(OSError):  # it was closed meanwhile
                sockets.add(handle.readlink().name)
    listening = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                listening.append(fields[1].partition(":")[0])
    assert len(listening) >= 3
    assert all(place.endswith("0100007F") for place in listening), listening
    assert not processes("ray::Dashboard::Server")
