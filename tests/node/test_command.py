"""`tumorscan node` as people start it, with the shipped detector: the whole loop, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from node_peers import until
from orthanc import Orthanc, skip_without_orthanc, tool
from served import free_port

from tumorscan.app.cli import main
from tumorscan.data.phantom_study import write_study


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    skip_without_orthanc()
    one = Orthanc(tmp_path / "orthanc")
    yield one
    one.stop()


@pytest.fixture
def run_node(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start the command; whatever still runs in the end is killed."""
    running: list[subprocess.Popen] = []

    def start(*arguments: str) -> subprocess.Popen:
        log = (tmp_path / "node.log").open("ab")
        command = [
            sys.executable,
            "-m",
            "tumorscan.app.cli",
            "node",
            "--store",
            str(tmp_path / "store"),
            *arguments,
        ]
        running.append(
            subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "2"})
        )
        return running[-1]

    yield start
    for one in running:
        one.kill()
        one.wait()


def audit(tmp_path: Path) -> list[dict]:
    file = tmp_path / "store" / "audit.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def happened(tmp_path: Path, event: str) -> int:
    return [one["event"] for one in audit(tmp_path)].count(event)


@pytest.mark.slow
def test_the_whole_loop(orthanc, run_node, tmp_path):
    """Scanner -> Orthanc -> node, which is killed at work and started again -> Orthanc, same study."""
    port = free_port()
    orthanc.start(route_to=port)
    arguments = [
        "--port",
        str(port),
        "--send-to",
        f"ORTHANC@127.0.0.1:{orthanc.dicom}",
        "--quiet",
        "3",
        "--free-mb",
        "0",
    ]
    node = run_node(*arguments)
    until(lambda: happened(tmp_path, "started"), 120, 0.2)
    tool("echoscu", "-aet", "ORTHANC", "-aec", "TUMORSCAN", "127.0.0.1", str(port))
    write_study(tmp_path / "head", 3, slices=24, tumor=True)
    files = sorted(one for one in (tmp_path / "head").rglob("*") if one.is_file())
    orthanc.store(*files)
    until(lambda: happened(tmp_path, "complete"), 120)
    node.send_signal(signal.SIGKILL)
    node.wait()
    node = run_node(*arguments)
    study = pydicom.dcmread(files[0]).StudyInstanceUID
    until(lambda: happened(tmp_path, "done"), 240, 0.2)
    found = orthanc.modalities(study)
    assert found.count("SR") == 1
    assert len(found) >= 3, "picture, report and more"
    assert len(orthanc.ask("/studies")) == 1
    read = [pydicom.dcmread(BytesIO(data)) for data in orthanc.instances()]
    ours = [ds for ds in read if ds.ManufacturerModelName == "tumorscan"]
    assert len(read) - len(ours) == 24
    (report,) = [ds for ds in ours if ds.Modality == "SR"]
    assert report.VerificationFlag == "UNVERIFIED"
    assert report.PatientID == pydicom.dcmread(files[0]).PatientID
    assert happened(tmp_path, "analysed") == 1
    node.send_signal(signal.SIGTERM)
    assert node.wait(120) == 0
    assert audit(tmp_path)[-1]["event"] == "stopped"
    written = (tmp_path / "node.log").read_text() + (tmp_path / "store" / "audit.jsonl").read_text()
    patient = pydicom.dcmread(files[0])
    for secret in (str(patient.PatientName), patient.PatientID, study, report.SOPInstanceUID):
        assert secret
        assert secret not in written
    assert "Research and teaching software" in written


REFUSALS = {
    "nowhere to go": ([], 2, "say --send-to AET@HOST:PORT or --dicomweb URL"),
    "no peer": (["--send-to", "PACS"], 2, "write AET@HOST:PORT, for example PACS@127.0.0.1:4242"),
    "no port": (["--send-to", "PACS@host:0"], 2, "write AET@HOST:PORT"),
    "a long title": (["--send-to", f"{'A' * 17}@h:1"], 2, "1 to 16 printable characters"),
    "a backslash": (["--aet", "A\\B", "--send-to", "P@h:1"], 2, "no backslash"),
    "no address": (["--dicomweb", "ftp://x"], 2, "http://127.0.0.1:8042/dicom-web"),
    "a password": (["--dicomweb", "http://me:secret@h/dicom-web"], 2, "in ~/.netrc"),
    "no pair": (["--dicomweb", "http://h/d", "--dicomweb-filter", "x"], 2, "write KEYWORD=VALUE"),
    "accepted for nothing": (["--dicomweb", "http://h/d", "--accept", "A"], 2, "--accept needs --send-to"),
    "a port too far": (["--send-to", "P@h:1", "--port", "70000"], 2, "must lie in [0, 65535]"),
    "no patience": (["--send-to", "P@h:1", "--quiet", "0"], 2, "Patience.quiet is 0"),
    "half of TLS": (["--send-to", "P@h:1", "--tls-cert", "x"], 2, "all three: --tls-cert, --tls-key and --tls-ca"),
    "no certificate": (
        ["--send-to", "P@h:1", "--tls-cert", "no", "--tls-key", "no", "--tls-ca", "no"], 2, "No such file",
    ),
    "no store": (["--send-to", "P@h:1", "--store", "/dev/null/x"], 6, "choose another with --store"),
    "no host": (["--send-to", "P@h:1", "--host", "192.0.2.1"], 6, "choose another with --port or --host"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSALS)
def test_what_is_refused(what, tmp_path, capsys, monkeypatch):
    arguments, code, line = REFUSALS[what]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    # Without handlers of signals, which would outlive the test.
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main(["node", *arguments]) == code
    said = capsys.readouterr().err
    assert line in said
    assert "secret" not in said
