"""The work itself: a study on disk -> findings -> DICOM objects in the same study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tumorscan.app.node.record import shown
from tumorscan.app.node.worker import Outcome
from tumorscan.atomic import atomic_write_bytes
from tumorscan.deliver.objects import KINDS, deliver_objects, dicom_bytes, tell
from tumorscan.detect.detector import Detector
from tumorscan.detect.volume import find_volume
from tumorscan.errors import UnreadableScan
from tumorscan.read.study import read_study
from tumorscan.types import Volume

_TOLD_PROBLEMS = 5


class StudyAnalysis:
    """Answers for every series of a study.

    Args:
        detector: of a bundle.
        kinds: of the objects that are written, see `deliver_objects`.
    """

    def __init__(self, detector: Detector, kinds: Sequence[str] = KINDS) -> None:
        self._detector = detector
        self._kinds = tuple(kinds)

    def __call__(self, pictures: Path, results: Path) -> Outcome:
        """Read the study in one folder, write DICOM files into another.

        A series that cannot be answered for (no head, say) gets no objects, and is counted.

        Raises:
            UnreadableScan: nothing in it is a series.
            TumorscanError: as the rooms below do.
        """
        study = read_study(pictures)
        problems = [_nameless(one, pictures) for one in study.problems]
        verdicts = []
        for number, volume in enumerate(study.volumes):
            try:
                verdicts.append(self._answer(volume, results, number))
            except UnreadableScan as problem:
                problems.append(f"series {number + 1} {problem.cause}")
        return Outcome(
            tuple(verdicts),
            shown(self._detector.model),
            len(problems),
            {"told": [shown(one) for one in problems[:_TOLD_PROBLEMS]]} if problems else {},
        )

    def _answer(self, volume: Volume, results: Path, number: int) -> str:
        found = find_volume(self._detector, volume)
        if found.key_slice is not None:
            told = tell(self._detector, volume, found, self._kinds)
            for place, made in enumerate(deliver_objects(told, self._kinds)):
                atomic_write_bytes(results / f"{number}-{place}.dcm", dicom_bytes(made))
        return str(found.finding.verdict)


def _nameless(problem: str, pictures: Path) -> str:
    """A line of the reader without our folder; files are named by keyed hashes."""
    return problem.replace(f"{pictures}/", "").replace(str(pictures), "study")
