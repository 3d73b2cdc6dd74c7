"""`tumorscan predict --out` as a person meets it: results, refusals, and a process that is killed."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.app.cli import main
from tumorscan.data.phantom import draw_phantom
from tumorscan.detect import detector as detector_module


@pytest.fixture(scope="module")
def heads(tmp_path_factory) -> Path:
    """Twelve drawn heads."""
    folder = tmp_path_factory.mktemp("heads")
    for i in range(12):
        pixels = draw_phantom(np.random.default_rng(i), tumor=i % 2 == 0, size=96).pixels
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def predict(capsys, code: int, *arguments: object) -> tuple[str, str]:
    ended = main(["predict", *map(str, arguments)])
    out = capsys.readouterr()
    assert ended == code, out.err
    assert "Traceback" not in out.err
    return out.out, out.err


def count_batches(monkeypatch: pytest.MonkeyPatch, after: Callable[[], None] = lambda: None) -> list[int]:
    """The sizes of the batches that the engine gets, whichever it is; `after` is called with each counted."""
    real, batches = detector_module.load_detector, []

    def load(*arguments: object, **named: object) -> object:
        detector = real(*arguments, **named)
        run = detector.engine.run

        def counted(pictures: np.ndarray) -> object:
            batches.append(len(pictures))
            after()
            return run(pictures)

        detector.engine.run = counted
        return detector

    monkeypatch.setattr(detector_module, "load_detector", load)
    return batches


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def rows_of(out: Path) -> list[dict[str, str]]:
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_csv_list_to_a_csv(capsys, tmp_path, heads, tiny_bundle):
    listed = [f"{i}.png" for i in (3, 1, 11, 3)]
    (heads / "list.csv").write_text(
        "patient,file\n" + "".join(f"p{i},{name}\n" for i, name in enumerate(listed))
    )
    out = tmp_path / "r.csv"
    text, err = predict(capsys, 0, heads / "list.csv", "--out", out, "--model", tiny_bundle, "--batch", 3)
    rows = rows_of(out)
    assert [row["file"] for row in rows] == listed
    assert [row["patient"] for row in rows] == ["p0", "p1", "p2", "p3"]
    assert text.startswith("4 files: ")
    assert "0 errors" in text
    assert str(out) in text
    assert "never a diagnosis" in err
    assert names_in(tmp_path) == ["r.csv"]
    (heads / "list.csv").unlink()

    single, _ = predict(capsys, 0, *(heads / name for name in listed), "--model", tiny_bundle, "--json")
    for row, line in zip(rows, single.splitlines(), strict=True):
        assert float(row["probability"]) == pytest.approx(json.loads(line)["probability"], abs=1e-5)
        assert row["verdict"] == json.loads(line)["verdict"]


def test_one_bad_file_is_one_row_and_exit_code_3(capsys, tmp_path, heads, tiny_bundle):
    (tmp_path / "bad.png").write_text("a letter")
    out = tmp_path / "r.jsonl"
    text, _ = predict(
        capsys, 3, f"{heads}/1*.png", tmp_path / "bad.png", "--out", out, "--model", tiny_bundle, "--json"
    )
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [Path(row["file"]).name for row in rows] == ["1.png", "10.png", "11.png", "bad.png"]
    assert [row["error"] is None for row in rows] == [True, True, True, False]
    summary = json.loads(text)
    assert (summary["files"], summary["errors"], summary["resumed"]) == (4, 1, 0)
    assert sum(summary["verdicts"].values()) == 3


def test_parquet(capsys, tmp_path, heads, tiny_bundle):
    parquet = pytest.importorskip("pyarrow.parquet")
    predict(capsys, 0, heads, "--out", tmp_path / "r.parquet", "--model", tiny_bundle)
    table = parquet.read_table(tmp_path / "r.parquet").to_pydict()
    assert [Path(file).name for file in table["file"]] == [f"{i}.png" for i in range(12)]
    assert all(0 <= p <= 1 for p in table["probability"])


@pytest.mark.parametrize(
    ("arguments", "code", "cause"),
    [
        (["{void}", "--out", "{tmp}/r.csv"], 3, "void: holds no file"),
        (["{tmp}/none.png", "--out", "{tmp}/r.csv"], 3, "none.png: does not exist"),
        (["{tmp}/*.gif", "--out", "{tmp}/r.csv"], 3, "no file matches this pattern"),
        (["{heads}", "--out", "{tmp}/r.xlsx"], 2, ".csv, .jsonl, .parquet"),
        (["{heads}", "--out", "{void}"], 2, "its suffix says the format"),
        (["{heads}", "--out", "{tmp}/r.csv", "--batch", "0"], 2, "batch is 0"),
        (["{heads}", "--out", "{tmp}/r.csv", "--workers", "1000"], 2, "workers is 1000"),
        (["{heads}", "--batch", "4"], 2, "--batch is for many files: name the result's file with --out"),
        (["{heads}", "--progress"], 2, "--progress is for many files"),
        (["{bad}", "--out", "{tmp}/r.csv"], 4, "no column file"),
        (["{clash}", "--out", "{tmp}/r.csv"], 4, "column error: the result has a column of that name"),
    ],
)
def test_refusals(capsys, tmp_path, heads, tiny_bundle, arguments, code, cause):
    places = {
        "tmp": tmp_path, "heads": heads, "void": tmp_path / "void", "bad": tmp_path / "bad.csv",
        "clash": tmp_path / "clash.csv",
    }  # fmt: skip
    places["void"].mkdir()
    places["bad"].write_text("name\na.png\n")
    places["clash"].write_text(f"file,error\n{heads / '1.png'},none\n")
    arguments = [argument.format(**places) for argument in arguments]
    _, err = predict(capsys, code, *arguments, "--model", tiny_bundle)
    lines = [line for line in err.splitlines() if line.startswith("tumorscan: ")]
    assert len(lines) == 1
    assert cause in lines[0]
    assert names_in(tmp_path) == ["bad.csv", "clash.csv", "void"]


def test_a_read_only_folder(capsys, tmp_path, heads, tiny_bundle, monkeypatch):
    real = os.open

    def read_only(path, flags, *more, **named):
        if str(path).startswith(str(tmp_path)) and flags & (os.O_RDWR | os.O_WRONLY):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", read_only)
    _, err = predict(capsys, 6, heads, "--out", tmp_path / "r.csv", "--model", tiny_bundle)
    assert "r.csv.part.jsonl: cannot be written (read-only file system)" in err
    assert names_in(tmp_path) == []


def test_ctrl_c_says_how_to_go_on(capsys, tmp_path, heads, tiny_bundle, monkeypatch):
    def at_the_third():
        if len(batches) == 3:
            raise KeyboardInterrupt

    batches = count_batches(monkeypatch, at_the_third)
    command = (heads, "--out", tmp_path / "r.csv", "--model", tiny_bundle, "--batch", 4)
    _, err = predict(capsys, 130, *command)
    assert "interrupted: run the same command again to go on; what is done is kept in" in err
    assert names_in(tmp_path) == ["r.csv.part.jsonl"]
    text, _ = predict(capsys, 0, *command)
    assert "8 of them done before" in text
    assert batches == [4, 4, 4, 4]
    assert len(rows_of(tmp_path / "r.csv")) == 12


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on(capsys, tmp_path, heads, tiny_bundle, monkeypatch):
    """SIGKILL to a real process; what its journal holds whole is not done again."""
    for i in range(600):
        (tmp_path / "many" / f"{i // 100}").mkdir(parents=True, exist_ok=True)
        os.link(heads / f"{i % 12}.png", tmp_path / "many" / f"{i // 100}" / f"{i}.png")
    out = tmp_path / "many" / "r.csv"
    journal = tmp_path / "many" / "r.csv.part.jsonl"
    command = [tmp_path / "many", "--out", out, "--model", tiny_bundle, "--batch", "4"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tumorscan.app.cli", "predict", *map(str, command)], stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"\n") > 40:
            process.kill()
            break
        time.sleep(0.005)
    _, err = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL, err
    assert not out.exists()
    done = journal.read_bytes().count(b"\n") - 1
    assert 40 <= done < 600

    scored = count_batches(monkeypatch)
    text, _ = predict(capsys, 0, *command)
    assert f"{done} of them done before" in text
    assert sum(scored) == 600 - done
    assert not journal.exists()
    rows = rows_of(out)
    assert [Path(row["file"]).name for row in rows] == [f"{i}.png" for i in range(600)]
    for i, row in enumerate(rows):
        assert float(row["probability"]) == pytest.approx(float(rows[i % 12]["probability"]), abs=1e-5)
