"""A short share of tools/fuzz.py: damaged DICOM and NIfTI files give an answer or a named refusal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of memory are set in forked processes")
def test_mutants_give_an_answer_or_a_refusal(tmp_path: Path) -> None:
    count = int(os.environ.get("TUMORSCAN_FUZZ", "300"))
    done = subprocess.run(
        [sys.executable, "tools/fuzz.py", "--count", str(count), "--keep", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {kind: int(number) for number, kind in re.findall(r"(\d+) (answer|refusal)", done.stdout)}
    assert sum(counts.values()) == count
    assert min(counts.values()) > count / 20, "mutants that are all refused, or all read, test nothing"
