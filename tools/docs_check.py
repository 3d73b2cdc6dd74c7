"""Run what the documents tell a reader to run: every `sh` and `python` block of README.md and docs/.

Blocks of one file run in order, in one folder that holds nothing but `examples`. `make` lines are
gates of their own and `pip install` lines would change the environment: of those only the named
extra is checked. `tumorscan app` is started, asked for its page, and stopped. Blocks marked
`console` are records, and are not run.

    python tools/docs_check.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PORT = 17860
_PATIENCE = 180.0
"""Seconds for a page to come up, and to end."""


def main() -> int:
    """Check every document; returns the number of failures."""
    failures = 0
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        blocks = _BLOCK.findall(document.read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "examples").symlink_to(ROOT / "examples")
            for kind, text in blocks:
                for command in [text] if kind == "python" else _commands(text):
                    failures += not _check(kind, command, Path(folder), document)
    print(f"{failures} failures" if failures else "all commands of the documents work")
    return min(failures, 1)


def _commands(block: str) -> list[str]:
    lines = block.replace("\\\n", " ").splitlines()
    return [
        line for line in (re.sub(r"\s+#.*$", "", one).strip() for one in lines) if line and line[0] != "#"
    ]


def _check(kind: str, command: str, folder: Path, document: Path) -> bool:
    shown = command.strip().splitlines()[0]
    begun = time.monotonic()
    if kind == "python":
        problem = _run([sys.executable, "-c", command], folder)
    elif command.startswith("make "):
        problem = _check_target(command)
    elif "pip install" in command:
        problem = _check_extras(command)
    elif command.startswith("tumorscan app"):
        problem = _check_page(command, folder)
    else:
        problem = _run(["bash", "-c", command], folder)
    took = time.monotonic() - begun
    print(
        f"{'FAILED' if problem else 'ok':6} {took:6.1f} s  {document.relative_to(ROOT)}: {shown}", flush=True
    )
    if problem:
        print(problem)
    return not problem


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def _run(arguments: list[str], folder: Path) -> str:
    ended = subprocess.run(
        arguments, cwd=folder, env=_environment(), capture_output=True, text=True, check=False, timeout=600
    )
    return "" if ended.returncode == 0 else f"exit code {ended.returncode}\n{ended.stdout}{ended.stderr}"


def _check_target(command: str) -> str:
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    name = command.split()[1]
    return "" if re.search(rf"^{re.escape(name)}:", targets, re.MULTILINE) else f"no target {name}"


def _check_extras(command: str) -> str:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.search(r"\[(.*?)\]", command)
    missing = set(named[1].split(",")) - set(known["optional-dependencies"]) if named else set()
    return f"no extra {', '.join(missing)}" if missing else ""


def _check_page(command: str, folder: Path) -> str:
    arguments = ["bash", "-c", f"exec {command} --port {_PORT}"]
    server = subprocess.Popen(arguments, cwd=folder, env=_environment())
    try:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            if server.poll() is not None:
                return f"ended with exit code {server.returncode}"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{_PORT}/", timeout=5) as answer:
                    return "" if answer.status == 200 else f"the page answered {answer.status}"
            except OSError:  # not up yet: refused, or taken but not answered
                time.sleep(0.5)
        return f"the page did not answer within {_PATIENCE:.0f} s"
    finally:
        server.terminate()
        server.wait(timeout=_PATIENCE)


if __name__ == "__main__":
    sys.exit(main())
