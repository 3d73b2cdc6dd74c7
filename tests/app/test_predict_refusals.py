"""What goes wrong in `predict`, as its user meets it: a process, its exit code, its one line, what is left."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.app.cli import main
from tumorscan.detect import engines
from tumorscan.model.bundle import ONNX, add_files, read_bundle


@dataclass(frozen=True)
class Place:
    """Where a command runs: pictures, a bundle of its own, and room for results."""

    heads: Path
    bundle: Path
    out: Path

    def command(self, *more: object) -> list[str]:
        return ["predict", *map(str, (self.heads, "--model", self.bundle, "--out", self.out, *more))]

    def left(self) -> list[str]:
        return sorted(file.name for file in self.out.parent.iterdir())


@pytest.fixture(scope="module")
def heads(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("heads")
    rng = np.random.default_rng(3)
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (64, 64), dtype=np.uint8)).save(folder / f"{i:02}.png")
    return folder


@pytest.fixture
def place(tmp_path, tiny_bundle, heads) -> Place:
    bundle = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, bundle)
    (tmp_path / "results").mkdir()
    return Place(heads, bundle, tmp_path / "results" / "r.jsonl")


def the_line(capsys, code: int, arguments: list[str]) -> str:
    ended = main(arguments)
    out = capsys.readouterr()
    assert (ended, out.out) == (code, ""), out.err
    lines = out.err.splitlines()
    assert len(lines) == 1, out.err
    assert lines[0].startswith("tumorscan: ")
    return lines[0]


def _exported(place: Place, **files: bytes) -> None:
    """Change files of the bundle as an export would have written them: their hashes are right."""
    add_files(read_bundle(place.bundle), {name.replace("_", "."): data for name, data in files.items()})


def _corrupt(place: Place, _: pytest.MonkeyPatch) -> None:
    file = place.bundle / ONNX
    file.write_bytes(file.read_bytes()[:200] + b"\0" + file.read_bytes()[201:-40])


def _no_network(place: Place, _: pytest.MonkeyPatch) -> None:
    _exported(place, model_onnx=b"\x08\x0a" + b"never an onnx file" * 9)


def _without(*packages: str) -> Callable[[Place, pytest.MonkeyPatch], None]:
    def remove(_: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        real = engines.find_spec
        monkeypatch.setattr(engines, "find_spec", lambda name: None if name in packages else real(name))
        for name in packages:
            monkeypatch.setitem(sys.modules, name, None)

    return remove


def _journal_in_use(place: Place, _: pytest.MonkeyPatch) -> None:
    (place.out.parent / "r.jsonl.part.jsonl").write_text("notes of mine\n")


def _nothing(place: Place, _: pytest.MonkeyPatch) -> None:
    pass


REFUSALS = [
    ("a changed onnx file", _corrupt, [], 5, "model.onnx: changed since it was written"),
    ("an onnx file that is none", _no_network, [], 5, "model.onnx: not a network that can be opened"),
    (
        "openvino is not installed",
        _without("openvino"),
        ["--engine", "openvino"],
        6,
        "openvino is not installed: pip install 'tumorscan[openvino]'",
    ),
    (
        "keras is not installed",
        _without("keras"),
        ["--engine", "keras"],
        6,
        "keras is not installed: pip install 'tumorscan[train]'",
    ),
    (
        "no engine is installed",
        _without("onnxruntime", "openvino", "keras"),
        [],
        6,
        "onnxruntime is not installed: pip install onnxruntime",
    ),
    (
        "pyarrow is not installed",
        _without("pyarrow", "pyarrow.parquet"),
        ["--out", "r.parquet"],
        6,
        "pyarrow is not installed: pip install 'tumorscan[parquet]'",
    ),
    (
        "ray is not installed",
        _without("ray"),
        ["--scale", "ray"],
        6,
        "ray is not installed: pip install 'tumorscan[scale]'",
    ),
    (
        "an address without ray",
        _nothing,
        ["--ray-address", "auto"],
        2,
        "--ray-address says where Ray runs: give --scale ray as well",
    ),
    (
        "an address of the client",
        _nothing,
        ["--scale", "ray", "--ray-address", "ray://head:1"],
        2,
        "ray://head:1: an address of the Ray client",
    ),
    ("a journal that is none", _journal_in_use, [], 2, "stands where the journal goes and is none"),
    ("an engine that is none", _nothing, ["--engine", "fast"], 2, "there is no engine 'fast': choose one of"),
]


@pytest.mark.parametrize(
    ("spoil", "more", "code", "cause"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_refusals(capsys, monkeypatch, place, spoil, more, code, cause):
    spoil(place, monkeypatch)
    before = place.left()
    assert cause in the_line(capsys, code, place.command(*more))
    assert place.left() == before


def test_scale_is_for_many_files(capsys, place):
    arguments = ["predict", str(place.heads), "--model", str(place.bundle), "--scale", "ray"]
    assert "--scale is for many files: name the result's file with --out" in the_line(capsys, 2, arguments)


def test_zero_files(capsys, place):
    empty = place.bundle.parent / "void"
    empty.mkdir()
    (empty / "list.csv").write_text("file\n")
    for source, cause in ((empty / "list.csv", "lists no file"), (empty / "*.png", "no file matches")):
        arguments = ["predict", str(source), "--model", str(place.bundle), "--out", str(place.out)]
        assert cause in the_line(capsys, 3, arguments)
    assert place.left() == []


def start(place: Place, *more: object, **how: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "tumorscan.app.cli", *place.command(*more)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


def went_on(capsys, place: Place, names: list[str]) -> int:
    """Run the same command to the end; returns how many rows the journal had kept."""
    assert main([*place.command(), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["files"], summary["errors"]) == (len(names), 0)
    rows = [json.loads(line) for line in place.out.read_text().splitlines()]
    assert [Path(row["file"]).name for row in rows] == names
    assert place.left() == ["r.jsonl"]
    return int(summary["resumed"])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_a_full_disk(capsys, place):
    """The system lets the process write 2,000 bytes a file, and tells it as a full disk would."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))

    process = start(place, "--batch", 2, preexec_fn=limit)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 6, err
    lines = [line for line in err.splitlines() if line.startswith("tumorscan: ")]
    assert len(lines) == 1
    assert "r.jsonl.part.jsonl: cannot be written (file too large): " in lines[0]
    assert "of 12 files are done and kept" in lines[0]
    assert place.left() == ["r.jsonl.part.jsonl"]
    kept = int(lines[0].partition("large): ")[2].split()[0])
    assert 1 <= kept < 12
    assert went_on(capsys, place, [f"{i:02}.png" for i in range(12)]) == kept


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_sigint_in_the_middle(capsys, place):
    """The signal that ctrl-C sends, to the process itself."""
    names = [f"{i % 12:02}.png" for i in range(600)]
    table = place.bundle.parent / "list.csv"
    table.write_text("file\n" + "".join(f"{place.heads / name}\n" for name in names))
    place = replace(place, heads=table)
    journal = place.out.parent / "r.jsonl.part.jsonl"
    process = start(place, "--batch", 2)
    deadline = time.monotonic() + 100
    while process.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"\n") > 20:
            process.send_signal(signal.SIGINT)
            break
        time.sleep(0.002)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    lines = [line for line in err.splitlines() if line]
    assert len(lines) == 1, err
    assert "interrupted: run the same command again to go on; what is done is kept in" in lines[0]
    assert place.left() == ["r.jsonl.part.jsonl"]
    done = journal.read_bytes().count(b"\n") - 1
    assert 20 <= done < 600
    assert went_on(capsys, place, names) == done


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="looks for a folder that even root cannot write"
)
def test_a_read_only_folder(capsys, place):
    place = replace(place, out=Path("/sys/r.jsonl"))
    line = the_line(capsys, 6, place.command())
    assert line.startswith("tumorscan: /sys/r.jsonl.part.jsonl: cannot be written (")
    assert line.endswith("choose a folder that you may write in")
