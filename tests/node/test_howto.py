"""docs/how-to/pacs.md, run as it stands but for its ports."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
from orthanc import skip_without_orthanc
from served import free_port

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "pacs.md"
PORTS = ("4242", "8042", "11112")
NEEDS_ROOT = ("sudo ", "pip install ")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def test_it_takes_fewer_than_ten_commands_and_names_what_ci_installs():
    first = commands(blocks("console")[0])
    assert len(first) < 10
    packages = re.search(r"apt-get install -y (.*)", first[0])[1].split()
    assert set(packages) <= set(
        (PAGE.parents[2] / ".ci" / "run").read_text().replace("(", " ").replace(")", " ").split()
    )


@pytest.mark.slow
def test_the_page_works(tmp_path):
    skip_without_orthanc()
    ports = {port: str(free_port()) for port in PORTS}

    def here(text: str) -> str:
        return re.sub("|".join(PORTS), lambda found: ports[found[0]], text)

    (tmp_path / "orthanc.json").write_text(here(blocks("json")[0]))
    (tmp_path / "route.lua").write_text(blocks("lua")[0])
    lines = [line for block in blocks("console") for line in commands(block)]
    script = "\n".join(
        ["set -eo pipefail", *(here(line) for line in lines if not line.startswith(NEEDS_ROOT))]
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (tmp_path / "said.txt").open("wb") as said:
        shell = subprocess.Popen(
            ["bash", "-c", script], cwd=tmp_path, env={**os.environ, "PATH": path}, start_new_session=True,
            stdout=said, stderr=said,
        )  # fmt: skip
        try:
            code = shell.wait(540)
        finally:
            os.killpg(shell.pid, signal.SIGKILL)
    logs = "\n".join((tmp_path / name).read_text() for name in ("said.txt", "node.log", "web.log"))
    assert code == 0, logs
    assert "TUMOR DETECTED" in logs
    stored = [
        file for file in (tmp_path / "orthanc-db").rglob("*") if file.is_file() and "index" not in file.name
    ]
    kept = [pydicom.dcmread(file, force=True) for file in stored]
    assert len({ds.StudyInstanceUID for ds in kept if "StudyInstanceUID" in ds}) == 1
