"""`predict --overlay`, and that answers and explanations need no training framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.app.cli import main

_PROGRAM = """
import sys

BLOCKED = {"tensorflow", "keras", "onnx", "sklearn", "scipy", "skimage", "matplotlib", "jinja2", "gradio"}

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r} (blocked)", name=name)
        return None

sys.meta_path.insert(0, Blocker())
from tumorscan.app.cli import main

code = main(sys.argv[1:])
assert not BLOCKED & set(sys.modules), sorted(BLOCKED & set(sys.modules))
sys.exit(code)
"""


@pytest.fixture
def picture(tmp_path, rng) -> Path:
    path = tmp_path / "head.png"
    Image.fromarray(rng.integers(0, 256, (80, 70), dtype=np.uint8)).save(path)
    return path


def _blocked(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )


def test_predict_without_any_framework(tmp_path, tiny_bundle, tiny_detector, picture):
    folder = tmp_path / "overlays"
    ended = _blocked("predict", picture, "--model", tiny_bundle, "--json", "--overlay", folder)
    assert ended.returncode == 0, ended.stderr
    row = json.loads(ended.stdout)
    assert row["probability"] == pytest.approx(_probability_by_keras(tiny_bundle, picture), abs=1e-5)
    assert Image.open(row["overlay"]).size == (70, 80)
    assert ended.stderr == ""


def _probability_by_keras(bundle: Path, picture: Path) -> float:
    from tumorscan.detect.detector import load_detector
    from tumorscan.read import read_scan

    return load_detector(bundle, "keras").find(read_scan(picture)).probability


def test_keras_without_keras(tiny_bundle, picture):
    ended = _blocked("predict", picture, "--model", tiny_bundle, "--engine", "keras")
    assert ended.returncode == 6
    assert ended.stderr == "tumorscan: keras is not installed: pip install 'tumorscan[train]'\n"


@pytest.mark.parametrize("engine", ["auto", "onnxruntime", "openvino", "keras"])
def test_one_png_a_picture(capsys, tmp_path, tiny_bundle, picture, engine):
    if engine == "openvino":
        pytest.importorskip("openvino")
    more = tmp_path / "more"
    more.mkdir()
    (more / "head.png").write_bytes(picture.read_bytes())
    (more / "text.png").write_text("a letter")
    folder = tmp_path / "overlays"
    asked = ["predict", str(picture), str(more), "--model", str(tiny_bundle), "--json"]
    code = main([*asked, "--overlay", str(folder), "--engine", engine])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 3
    assert sorted(path.name for path in folder.iterdir()) == [
        "head.png-2.overlay.png",
        "head.png.overlay.png",
    ]
    assert ["error" in row for row in rows] == [False, False, True]
    for row in rows[:2]:
        x, y = row["peak"]
        left, top, width, height = row["peak_box"]
        assert left <= x <= left + width <= 70.1
        assert top <= y <= top + height <= 80.1
        drawn = np.asarray(Image.open(row["overlay"])).astype(int)
        scan = np.asarray(Image.open(picture).convert("RGB")).astype(int)
        change = np.abs(drawn - scan).sum(axis=2)
        assert change[int(top) : int(top + height), int(left) : int(left + width)].mean() > change.mean()


def test_without_overlay_nothing_is_added(capsys, tiny_bundle, picture):
    assert main(["predict", str(picture), "--model", str(tiny_bundle), "--json"]) == 0
    assert not {"peak", "overlay"} & set(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("arguments", "code", "cause"),
    [
        (["--opacity", "2"], 2, "--opacity is 2"),
        (["--engine", "fast"], 2, "there is no engine 'fast'"),
        (["--engine", "onnxruntime-int8"], 5, "holds no model.int8.onnx"),
    ],
)
def test_refused(capsys, tmp_path, tiny_bundle, picture, arguments, code, cause):
    folder = tmp_path / "overlays"
    asked = ["predict", str(picture), "--model", str(tiny_bundle), "--overlay", str(folder)]
    assert main([*asked, *arguments]) == code
    assert cause in capsys.readouterr().err
    assert not folder.exists()


def test_an_overlay_that_cannot_be_written(capsys, tmp_path, tiny_bundle, picture):
    (tmp_path / "file").write_text("a file where a folder should be")
    asked = ["predict", str(picture), "--model", str(tiny_bundle), "--overlay", str(tmp_path / "file")]
    assert main(asked) == 6
    assert "head.png.overlay.png: cannot be written" in capsys.readouterr().err
