"""Many files to one result: the same numbers as one by one, whatever the batch, the threads or a kill."""

from __future__ import annotations

import csv
import json
import threading
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.detect import shard
from tumorscan.detect.bulk import journal_path, predict_all
from tumorscan.detect.rows import COLUMNS, Item
from tumorscan.detect.shard import BulkSettings, answers
from tumorscan.errors import DataError, EnvironmentProblem, SettingsError, UnreadableScan
from tumorscan.read import read_scan


def read_jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_times(rows: list[dict]) -> list[dict]:
    return [{key: value for key, value in row.items() if "milliseconds" not in key} for row in rows]


@pytest.mark.parametrize(("batch", "workers"), [(1, 1), (1, 4), (7, 2), (16, 0), (100, 3)])
def test_rows_are_those_of_single_predictions(counting, mixed, tmp_path, batch, workers):
    out = tmp_path / "r.jsonl"
    summary = predict_all(counting, mixed, out, carried=("patient",), settings=BulkSettings(batch, workers))
    rows = read_jsonl(out)
    assert [row["file"] for row in rows] == [item.name for item in mixed]
    assert (summary.files, summary.errors, summary.resumed) == (24, 3, 0)
    assert sum(summary.verdicts.values()) == 21
    assert max(counting.engine.batches) <= batch
    for item, row in zip(mixed, rows, strict=True):
        assert tuple(row) == (*COLUMNS, "patient")
        assert row["patient"] == "".join(item.carried)
        if row["error"] is None:
            single = counting.find(read_scan(item.file))
            assert row["probability"] == pytest.approx(single.probability, abs=1e-5)
            assert (row["verdict"], row["model"]) == (single.verdict, single.model)
            assert row["milliseconds_prepare"] > 0
        else:
            assert [row[name] for name in ("verdict", "probability", "milliseconds_infer")] == [None] * 3


def test_errors_are_named_in_their_place(counting, mixed, tmp_path):
    predict_all(counting, mixed, tmp_path / "r.jsonl", carried=("patient",))
    errors = {row["file"]: row["error"] for row in read_jsonl(tmp_path / "r.jsonl") if row["error"]}
    assert list(errors) == ["damaged.png", "missing.png", "void"]
    assert "damaged or cut PNG" in errors["damaged.png"]
    assert "does not exist" in errors["missing.png"]
    assert "holds no file" in errors["void"]


@pytest.mark.slow
def test_the_trained_network_says_the_same_in_batches(tiny_detector, mixed):
    single = {
        item.name: tiny_detector.find(read_scan(item.file)).probability for item in mixed[:3] + mixed[12:]
    }
    for settings in (BulkSettings(1, 1), BulkSettings(7, 2), BulkSettings(32, 4)):
        found = {
            item.name: answer.probability
            for item, answer in answers(tiny_detector, mixed, settings)
            if not isinstance(answer, UnreadableScan)
        }
        for name, probability in single.items():
            assert found[name] == pytest.approx(probability, abs=1e-5)


def test_an_unforeseen_error_is_that_files_alone(counting, mixed, monkeypatch):
    def strange(path, limits):
        if path.endswith("5.png"):
            raise ZeroDivisionError("first\nsecond")
        return read_scan(path, limits)

    monkeypatch.setattr(shard, "read_scan", strange)
    found = {item.name: answer for item, answer in answers(counting, mixed, BulkSettings(4, 2))}
    assert isinstance(found["5.png"], UnreadableScan)
    assert "error inside tumorscan (ZeroDivisionError: first)" in found["5.png"].cause
    assert found["6.png"].probability > 0


def test_what_concerns_every_file_ends_the_run_and_keeps_what_is_done(counting, mixed, tmp_path, monkeypatch):
    calls = []

    def unknown(scan):
        calls.append(scan.name)
        if len(calls) > 9:
            raise SettingsError("there is no such method")
        return type(counting).prepare(counting, scan)

    monkeypatch.setattr(counting, "prepare", unknown)
    out = tmp_path / "r.csv"
    with pytest.raises(SettingsError, match="no such method"):
        predict_all(counting, mixed, out, settings=BulkSettings(2, 1), carried=("patient",))
    assert not out.exists()
    kept = len(journal_path(out).read_bytes().splitlines()) - 1
    assert kept >= 6
    monkeypatch.undo()
    assert predict_all(counting, mixed, out, carried=("patient",)).resumed == kept


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_a_stopped_run_goes_on_without_doing_a_file_twice(counting, mixed, tmp_path, stop):
    whole = tmp_path / "whole.jsonl"
    predict_all(counting, mixed, whole, carried=("patient",))
    engine, out = counting.engine, tmp_path / "r.jsonl"
    engine.batches.clear()

    def interrupt():
        if len(engine.batches) == 3:
            raise stop

    engine.before_batch = interrupt
    with pytest.raises(stop):
        predict_all(counting, mixed, out, carried=("patient",), settings=BulkSettings(4, 2))
    assert not out.exists()
    engine.before_batch = lambda: None
    summary = predict_all(counting, mixed, out, carried=("patient",), settings=BulkSettings(5, 1))
    assert summary.resumed == 12
    assert sum(engine.batches) == 21, "each readable file went through the network once"
    assert without_times(read_jsonl(out)) == without_times(read_jsonl(whole))
    assert [file.name for file in tmp_path.iterdir() if file != whole] == ["r.jsonl"]


def test_rows_may_come_in_any_order(counting, mixed, tmp_path):
    def backwards(numbered):
        yield from reversed(
            list(shard.rows(counting, numbered, carried=("patient",), settings=BulkSettings(4, 2)))
        )

    predict_all(counting, mixed, tmp_path / "r.jsonl", carried=("patient",), work=backwards)
    assert [row["file"] for row in read_jsonl(tmp_path / "r.jsonl")] == [item.name for item in mixed]


@pytest.mark.parametrize(
    ("out", "carried", "settings", "kind", "cause"),
    [
        ("r.txt", (), (1, 1), SettingsError, r"r\.txt: its suffix says .*\.csv, \.jsonl, \.parquet"),
        ("r", (), (1, 1), SettingsError, "its suffix says the format"),
        ("folder.csv", (), (1, 1), SettingsError, "is a folder: name a file"),
        ("r.csv", ("verdict",), (1, 1), DataError, "column verdict: the result has a column of that name"),
        ("file/r.csv", (), (1, 1), EnvironmentProblem, r"r\.csv\.part\.jsonl: cannot be written"),
        ("r.csv", (), (0, 1), SettingsError, "batch is 0"),
        ("r.csv", (), (1025, 1), SettingsError, "batch is 1025"),
        ("r.csv", (), (1, -1), SettingsError, "workers is -1"),
    ],
)
def test_refusals_come_before_any_work(counting, mixed, tmp_path, out, carried, settings, kind, cause):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(kind, match=cause):
        predict_all(counting, mixed, tmp_path / out, carried=carried, settings=BulkSettings(*settings))
    assert counting.engine.batches == []
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder.csv"]


def test_another_runs_journal_is_refused(counting, mixed, tmp_path):
    out = tmp_path / "r.csv"

    def stop():
        raise KeyboardInterrupt

    counting.engine.before_batch = stop
    with pytest.raises(KeyboardInterrupt):
        predict_all(counting, mixed, out, carried=("patient",))
    counting.engine.before_batch = lambda: None
    before = journal_path(out).read_bytes()
    with pytest.raises(SettingsError, match=r"another run \(files .*, count 24, now 23\): finish that one"):
        predict_all(counting, mixed[1:], out, carried=("patient",))
    with pytest.raises(SettingsError, match=r"another run \(files"):
        predict_all(counting, mixed, out, carried=("group",))
    counting.operating_point = replace(counting.operating_point, threshold=0.4)
    with pytest.raises(SettingsError, match=r"another run \(settings"):
        predict_all(counting, mixed, out, carried=("patient",))
    assert journal_path(out).read_bytes() == before


def test_a_full_disk_at_the_end_keeps_the_journal(counting, mixed, tmp_path, monkeypatch):
    out = tmp_path / "r.csv"
    out.write_text("old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EnvironmentProblem, match=r"r\.csv: cannot be written \(no space left on device\)"):
        predict_all(counting, mixed, out, carried=("patient",))
    monkeypatch.undo()
    assert out.read_text() == "old"
    counting.engine.batches.clear()
    assert predict_all(counting, mixed, out, carried=("patient",)).resumed == len(mixed)
    assert counting.engine.batches == []
    with out.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(mixed)


def test_few_pictures_are_held_at_a_time(counting, tmp_path, monkeypatch):
    """With a network that stalls, the readers stop at the window."""
    file = tmp_path / "a.png"
    Image.fromarray(np.full((20, 20), 90, np.uint8)).save(file)
    read = []
    monkeypatch.setattr(shard, "read_scan", lambda path, limits: read.append(path) or read_scan(path, limits))
    release = threading.Event()
    counting.engine.before_batch = release.wait
    listed = (Item(str(i), str(file)) for i in range(10_000))
    found = answers(counting, listed, BulkSettings(3, 2))
    first = threading.Thread(target=lambda: next(found))
    first.start()
    deadline = time.monotonic() + 10
    while len(read) < 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert len(read) <= 2 * (3 + 2) + 3
    release.set()
    first.join(10)
    found.close()
    assert len(read) < 40


@pytest.mark.slow
def test_one_bad_file_in_a_thousand_is_one_row(counting, mixed, tmp_path):
    good = [item for item in mixed if item.name[0].isdigit()]
    items = [good[i % len(good)] for i in range(1000)]
    items[617] = next(item for item in mixed if item.name == "damaged.png")
    summary = predict_all(counting, items, tmp_path / "r.jsonl", carried=("patient",))
    assert (summary.files, summary.errors, sum(summary.verdicts.values())) == (1000, 1, 999)
    rows = read_jsonl(tmp_path / "r.jsonl")
    assert [i for i, row in enumerate(rows) if row["error"]] == [617]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_files(counting, tmp_path, rng):
    files = []
    for i in range(50):
        Image.fromarray(rng.integers(0, 256, (32, 32), dtype=np.uint8)).save(tmp_path / f"{i}.png")
        files.append(str(tmp_path / f"{i}.png"))

    def peak(count: int) -> int:
        items = [Item(f"{i}", files[i % len(files)]) for i in range(count)]
        tracemalloc.start()
        predict_all(counting, items, tmp_path / "found.csv", settings=BulkSettings(8, 2))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        (tmp_path / "found.csv").unlink()
        return most

    few = peak(100)
    # Not every time: Python's own tables grow in leaps (interned names), in whichever run that falls.
    assert any(peak(1000) < 1.15 * few + 50_000 for _ in range(3))
