"""The command line as a person meets it: results, and the table of bad input."""

from __future__ import annotations

import json
import re
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.app.cli import build_parser, main
from tumorscan.app.commands import COMMANDS
from tumorscan.types import Verdict


@pytest.fixture
def picture(tmp_path, rng):
    path = tmp_path / "head.png"
    Image.fromarray(rng.integers(0, 256, (80, 70), dtype=np.uint8)).save(path)
    return path


def fails(capsys, code: int, *arguments: object) -> str:
    """Run, expect an exit code, and return the one line on stderr."""
    with_json = main([str(a) for a in arguments])
    out = capsys.readouterr()
    assert with_json == code, out.err
    assert "Traceback" not in out.err
    lines = [line for line in out.err.splitlines() if line.startswith("tumorscan: ")]
    assert len(lines) == 1, out.err
    return lines[0]


def _png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def _truncated_jpeg(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90), dtype=np.uint8)).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BAD_FILES = [
    ("missing.png", None, "missing.png"),
    ("empty.png", lambda p: p.write_bytes(b""), "empty"),
    ("half.jpg", _truncated_jpeg, "half.jpg"),
    ("text.jpg", lambda p: p.write_text("this is a letter"), "text"),
    ("dot.png", lambda p: Image.new("L", (1, 1)).save(p), "1 x 1"),
    ("bomb.png", lambda p: p.write_bytes(_png_header(40_000, 40_000)), "40000 x 40000"),
]


@pytest.mark.parametrize(("name", "make", "cause"), BAD_FILES, ids=[row[0] for row in BAD_FILES])
def test_bad_picture_has_a_line_of_its_own_and_the_others_go_on(
    capsys, tmp_path, picture, tiny_bundle, name, make, cause
):
    path = tmp_path / name
    if make:
        make(path)
    code = main(["predict", str(path), str(picture), "--model", str(tiny_bundle), "--json"])
    out = capsys.readouterr()
    rows = [json.loads(line) for line in out.out.splitlines()]
    assert code == 3
    assert [Path(row["file"]).name for row in rows] == [name, "head.png"]
    assert set(rows[0]) == {"schema", "file", "error"}
    assert cause in rows[0]["file"] + rows[0]["error"]
    assert rows[1]["verdict"] in set(Verdict)
    assert "Traceback" not in out.err
    assert cause in fails(capsys, 3, "prepare", path, "--out", tmp_path / "o.png")
    assert not (tmp_path / "o.png").exists()


def _dataset(folder: Path, tumor: int, no_tumor: int) -> Path:
    rng = np.random.default_rng(2)
    for label, count in (("yes", tumor), ("no", no_tumor)):
        for i in range(count):
            (folder / label).mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8)).save(folder / label / f"{i}.png")
    return folder


@pytest.mark.parametrize(
    ("tumor", "no_tumor", "cause"),
    [(6, 0, "no_tumor"), (0, 6, "tumor"), (8, 1, "group"), (1, 8, "group")],
    ids=["no negatives", "no positives", "one negative", "one positive"],
)
def test_data_that_cannot_be_split(capsys, tmp_path, tumor, no_tumor, cause):
    data = _dataset(tmp_path / "data", tumor, no_tumor)
    line = fails(capsys, 4, "train", data, "--preset", "quick", "--out", tmp_path / "run")
    assert cause in line
    assert not (tmp_path / "run" / "split.csv").exists()
    assert not (tmp_path / "run" / "bundle").exists()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("file,group\na.png,1\n", "label"),
        ("label\ntumor\n", "file"),
        ("file,label\na.png,perhaps\n", "perhaps"),
        ("", "set.csv"),
    ],
)
def test_bad_csv(capsys, tmp_path, text, cause):
    table = tmp_path / "set.csv"
    table.write_text(text)
    line = fails(capsys, 4, "catalog", table, "--out", tmp_path / "catalog.csv")
    assert "set.csv" in line
    assert cause in line
    assert not (tmp_path / "catalog.csv").exists()


def test_changed_byte_in_a_bundle(capsys, tmp_path, tiny_bundle, picture):
    copy = tmp_path / "bundle"
    copy.mkdir()
    for file in tiny_bundle.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    data = bytearray((copy / "weights.npz").read_bytes())
    data[1000] ^= 1
    (copy / "weights.npz").write_bytes(data)
    line = fails(capsys, 5, "predict", picture, "--model", copy)
    assert "weights.npz" in line
    assert "changed" in line


@pytest.mark.parametrize(
    ("toml", "cause"),
    [
        ("[train]\nbach = 3\n", "unknown setting 'train.bach'"),
        ('preset = "best"\n', "there is no preset 'best'"),
        ("[train]\nbatch = 1\n", "it must lie in [2, 4096]"),
        ("= =", "not a TOML file"),
    ],
)
def test_bad_settings(capsys, tmp_path, toml, cause):
    path = tmp_path / "settings.toml"
    path.write_text(toml)
    line = fails(capsys, 2, "train", tmp_path, "--settings", path, "--out", tmp_path / "run")
    assert cause in line
    assert "settings.toml" in line
    assert not (tmp_path / "run").exists()


def test_missing_model(capsys, tmp_path, picture):
    assert "no bundle here" in fails(capsys, 5, "predict", picture, "--model", tmp_path / "nothing")


@pytest.mark.parametrize("command", ["predict", "app"])
def test_without_a_shipped_model(capsys, monkeypatch, tmp_path, picture, command):
    for user in ("app.commands.shared", "model.bundle"):
        monkeypatch.setattr(f"tumorscan.{user}.SHIPPED", tmp_path / "default")
    line = fails(capsys, 5, command, *([picture] if command == "predict" else []))
    assert "no bundle is shipped with this tumorscan: give --model FOLDER" in line


def test_port_in_use(capsys, tiny_bundle):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = fails(capsys, 6, "app", "--model", tiny_bundle, "--port", port)
    assert str(port) in line


def test_port_out_of_range(capsys, tiny_bundle):
    assert "70000" in fails(capsys, 2, "app", "--model", tiny_bundle, "--port", 70_000)


def test_unwritable_out(capsys, tmp_path, picture):
    (tmp_path / "file").write_text("a file where a folder should be")
    line = fails(capsys, 6, "prepare", picture, "--out", tmp_path / "file" / "o.png")
    assert "o.png" in line


def test_errors_speak_json_to_programs(capsys, tmp_path):
    code = main(["catalog", str(tmp_path / "none"), "--json", "--out", str(tmp_path / "c.csv")])
    table = json.loads(capsys.readouterr().out)
    assert code == table["exit_code"] != 0
    assert "none" in table["error"]


def test_an_unforeseen_error_is_one_line(capsys, monkeypatch):
    def bug(options):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(COMMANDS["info"], "run", bug)
    assert "RuntimeError: first line (TUMORSCAN_DEBUG=1" in fails(capsys, 1, "info")


def test_interrupt(capsys, monkeypatch):
    def stop(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(COMMANDS["info"], "run", stop)
    assert "interrupted" in fails(capsys, 130, "info")


@pytest.mark.parametrize("command", list(COMMANDS))
def test_help_of_every_command(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "usage: tumorscan" in capsys.readouterr().out


def test_help_names_commands_and_exit_codes():
    text = build_parser().format_help()
    assert all(re.search(rf"\n    {command}\s", text) for command in COMMANDS)
    assert all(f"\n  {code}  " in text for code in (0, 1, 2, 3, 4, 5, 6))


def test_predict_json(capsys, picture, tiny_bundle):
    assert main(["predict", str(picture), "--model", str(tiny_bundle), "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["file"] == str(picture)
    assert 0 <= row["probability"] <= 1
    assert row["confidence"] == pytest.approx(
        100 * (row["probability"] if row["verdict"] == "TUMOR DETECTED" else 1 - row["probability"]), abs=0.01
    )
    assert row["model"].startswith("tiny ")


def test_predict_walks_folders(capsys, tmp_path, picture, tiny_bundle):
    folder = tmp_path / "more"
    folder.mkdir()
    for name in ("b.png", "a.png"):
        (folder / name).write_bytes(picture.read_bytes())
    (tmp_path / "void").mkdir()
    code = main(["predict", str(folder), str(tmp_path / "void"), "--model", str(tiny_bundle)])
    out = capsys.readouterr()
    lines = out.out.splitlines()
    assert code == 3
    assert ["a.png" in lines[0], "b.png" in lines[1], "holds no file" in lines[2]] == [True] * 3
    assert "never a diagnosis" in out.err


def test_prepare_draws_every_step(capsys, tmp_path, picture):
    out = tmp_path / "steps.png"
    assert main(["prepare", str(picture), "--preset", "quick", "--out", str(out), "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["steps"] == ["framed", "denoised", "contrast"]
    assert Image.open(out).size == (3 * 96, 96 + 24)


def test_catalog(capsys, tmp_path):
    data = _dataset(tmp_path / "set", 3, 2)
    (data / "yes" / "copy.png").write_bytes((data / "yes" / "0.png").read_bytes())
    (data / "yes" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert main(["catalog", str(data), "--out", str(tmp_path / "c.csv"), "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert (table["pictures"], table["distinct"], table["groups"], table["skipped"]) == (6, 5, 5, 1)
    header = (tmp_path / "c.csv").read_text().partition("\n")[0].split(",")
    assert {"file", "label", "pixels_sha256", "group"} <= set(header)


def test_catalog_warns_of_folds_that_divide_a_patient(capsys, tmp_path):
    data = _dataset(tmp_path / "set", 2, 1)
    rows = ["yes/0.png,tumor,P1,1", "yes/1.png,tumor,P1,2", "no/0.png,no_tumor,P2,1"]
    (data / "set.csv").write_text("\n".join(["file,label,patient,fold", *rows]) + "\n")
    assert main(["catalog", str(data / "set.csv"), "--out", str(tmp_path / "c.csv"), "--json"]) == 0
    out = capsys.readouterr()
    assert "divides 1 patients (the first is P1)" in out.err
    assert json.loads(out.out)["groups"] == 2


def test_info(capsys, tiny_bundle):
    assert main(["info", "--json"]) == 0
    assert "original" in json.loads(capsys.readouterr().out)["presets"]
    assert main(["info", "--model", str(tiny_bundle)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[lines.index("operating_points:") + 1] == "  name: screening"
    assert any(line.startswith("  sensitivity: ") for line in lines)


def test_start_is_light():
    """`--help` must not wait for a framework."""
    code = "import sys; from tumorscan.app.cli import build_parser; build_parser().format_help(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {
        "keras",
        "tensorflow",
        "sklearn",
        "skimage",
        "matplotlib",
        "gradio",
        "cv2",
        "numpy",
        "ray",
        "onnxruntime",
    } & set(loaded)


def test_as_a_program():
    ended = subprocess.run(
        [sys.executable, "-m", "tumorscan.app.cli", "--version"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0
    assert ended.stdout.startswith("tumorscan ")
