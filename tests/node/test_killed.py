"""kill -9 at any moment: no study is lost, and none is analysed twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from node_peers import send, series_of, until
from served import free_port


def start(store: Path, port: int, peer: object) -> subprocess.Popen:
    program = Path(__file__).with_name("killed_node.py")
    process = subprocess.Popen(
        [sys.executable, str(program), str(store), str(port), str(peer)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline(), "ended at once"
    return process


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def deliver(port: int, study: list, process: subprocess.Popen) -> bool:
    """As a PACS does: all of it again, until all of it was taken."""
    return process.poll() is None and send(port, study) == [0] * len(study)


def events(store: Path) -> list[dict]:
    file = store / "audit.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.slow
def test_kill_9_loses_no_study_and_makes_none_be_analysed_twice(tmp_path, pacs):
    store, port = tmp_path / "store", free_port()
    waiting = [series_of(2) for _ in range(4)]
    uids = {study[0].StudyInstanceUID for study in waiting}
    process = start(store, port, pacs.peer)
    for seconds in (0.3, 0.6, 1.0, 0.8):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if waiting and deliver(port, waiting[0], process):
                waiting.pop(0)
            time.sleep(0.05)
        kill(process)
        process = start(store, port, pacs.peer)
    try:
        for study in waiting:
            until(lambda study=study: deliver(port, study, process), 90, 0.1)
        until(lambda: {one.StudyInstanceUID for one in pacs.objects} == uids, 90)
        until(lambda: len({one["study"] for one in events(store) if one["event"] == "done"}) == 4, 90)
    finally:
        kill(process)
    told = events(store)
    analysed = Counter(one["study"] for one in told if one["event"] == "analysed")
    # Killed after the results were there and before the audit was told, a study's results are found instead.
    found = {one["study"] for one in told if "were found" in one.get("what", "")}
    assert set(analysed.values()) <= {1}
    assert len(analysed.keys() | found) == 4
    assert len({one.SOPInstanceUID for one in pacs.objects}) == 4


def test_a_study_that_ends_the_node_again_and_again_is_given_up(tmp_path, make_node, analysis, pacs):
    from tumorscan.app.node.settings import Limits

    node = make_node(Limits(free_bytes=0))
    analysis.go.clear()
    send(node.receiver.port, series_of(1))
    until(lambda: node.ledger.states() == {"working": 1})
    database = node.store.database
    with database.transaction() as db:
        db.execute("UPDATE studies SET attempts = 3")
    node.worker.recover()
    assert node.ledger.states() == {"failed": 1}
    assert any("the node ended 3 times while at it" in line for line in node.lines)
