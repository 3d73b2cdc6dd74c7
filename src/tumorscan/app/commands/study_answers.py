"""What `predict` does with a study: one answer a volume, problems named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tumorscan.app.commands.said import volume_lines
from tumorscan.errors import UnreadableScan

if TYPE_CHECKING:
    from pathlib import Path

    from tumorscan.app.commands.overlays import Overlays
    from tumorscan.detect.detector import Detector
    from tumorscan.detect.stack import Progress


@dataclass(frozen=True)
class StudyAnswer:
    """Of one path.

    Attributes:
        table: for programs.
        text: for people.
        failed: something of it could not be read.
    """

    table: dict[str, Any]
    text: str
    failed: bool


def answer_study(
    detector: Detector, path: Path, overlays: Overlays | None = None, *, progress: bool = False
) -> StudyAnswer:
    """The answer for every volume of a path; a path that cannot be read is an answer too.

    Args:
        detector: of the bundle.
        path: a DICOM or NIfTI file, or a folder or zip of such.
        overlays: draws the key slice of each volume that has one.
        progress: a bar a volume on stderr.

    Raises:
        TumorscanError: what concerns every volume alike: a missing extra, no head to explain with.
    """
    from tumorscan.detect.volume import find_volume
    from tumorscan.detect.volume_table import SCHEMA, study_table, volume_table
    from tumorscan.read.study import read_study

    try:
        study = read_study(path)
    except UnreadableScan as error:
        table = {"schema": SCHEMA, "file": error.file, "error": error.cause}
        return StudyAnswer(table, f"{error.file}: ERROR {error.cause}", failed=True)
    tables, lines = [], []
    for volume in study.volumes:
        with _bar(volume.name, len(volume), shown=progress) as told:
            found = find_volume(detector, volume, progress=told)
        drawn = overlays.key_slice(volume, found) if overlays else {}
        tables.append({**volume_table(volume, found), **drawn})
        lines += volume_lines(volume, found)
        lines += [f"  overlay: {drawn['overlay']}"] if drawn.get("overlay") else []
    lines += [f"  problem: {problem}" for problem in study.problems]
    return StudyAnswer(study_table(study, tables), "\n".join(lines), failed=bool(study.problems))


@contextmanager
def _bar(name: str, slices: int, *, shown: bool) -> Iterator[Progress]:
    from tqdm import tqdm

    with tqdm(total=slices, desc=name[-40:], unit="slice", disable=not shown, leave=False) as bar:
        yield lambda done, _: bar.update(done - bar.n) and None
