"""An answer that `predict --json` wrote down, read again to be checked against the picture that it names."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tumorscan.errors import DataError, SettingsError, UnreadableScan
from tumorscan.types import Finding

_LARGEST = 64 * 1024**2
_SAME = 0.01
"""Probabilities that differ by less are those of two engines for one picture."""
_NO_ANSWER = "is no answer of `predict --json`: file, verdict or model is missing"


@dataclass(frozen=True)
class Earlier:
    """An answer as it was written.

    Attributes:
        written: the file that holds it.
        file: what was answered for: a picture or a study.
        verdict, operating_point, model: as they were said.
        probability: None where there was none.
        sha256: of the picture's file; None where it was not kept.
    """

    written: Path
    file: Path
    verdict: str
    operating_point: str
    model: str
    probability: float | None
    sha256: str | None

    def check_picture(self, sha256: str) -> None:
        """Refuse another picture.

        Raises:
            DataError: the SHA-256 was kept, and is another.
        """
        if self.sha256 not in (None, sha256):
            raise DataError(f"{self.file}: is not the picture that was answered for (SHA-256 differs)")

    def check_answer(self, now: Finding) -> None:
        """Refuse another answer.

        Raises:
            DataError: what is said now is not what was said then.
        """
        before = self.probability
        same = str(now.verdict) == self.verdict and (now.probability is None) == (before is None)
        if same and now.probability is not None and before is not None:
            same = math.isclose(now.probability, before, abs_tol=_SAME)
        if not same:
            raise DataError(
                f"{self.written}: says {self.verdict} ({before}), and {now.file} gives {now.verdict} "
                f"({now.probability}): the picture or the engine is another; answer for it anew"
            )


def is_json(file: Path) -> bool:
    """Whether a file begins as a JSON object does."""
    try:
        with file.open("rb") as stream:
            return stream.read(64).lstrip()[:1] == b"{"
    except OSError:
        return False


def read_earlier(file: Path, series: int | None = None) -> Earlier:
    """The one answer in a file of JSON or JSON lines.

    Args:
        file: as `predict --json` wrote it for a picture or a study.
        series: which of a study's answers, from 1; None for the first.

    Raises:
        UnreadableScan: it holds none, several, or something else.
        SettingsError: the study has no such series.
    """
    tables = _tables(file)
    if len(tables) != 1:
        raise UnreadableScan(str(file), f"holds {len(tables)} answers: a page is of one, give it alone")
    table = tables[0]
    if "error" in table:
        raise UnreadableScan(str(file), "holds an error and no answer")
    of_study = isinstance(table.get("volumes"), list)
    answer = _of_series(file, table["volumes"], series) if of_study else table
    texts = [table.get("file"), *(answer.get(one) for one in ("verdict", "operating_point", "model"))]
    p, digest = answer.get("probability"), table.get("sha256")
    if not all(isinstance(one, str) and one for one in texts) or not isinstance(p, float | int | None):
        raise UnreadableScan(str(file), _NO_ANSWER)
    name, verdict, point, model = (str(one) for one in texts)
    kept = digest if isinstance(digest, str) else None
    return Earlier(file, _where(name, file), verdict, point, model, p, kept)


def _of_series(file: Path, volumes: Sequence[Any], series: int | None) -> dict[str, Any]:
    number = 1 if series is None else series
    if not 1 <= number <= len(volumes):
        raise SettingsError(f"--series is {number}: {file} has {len(volumes)} answers")
    answer = volumes[number - 1]
    if not isinstance(answer, dict):
        raise UnreadableScan(str(file), _NO_ANSWER)
    return answer


def _tables(file: Path) -> list[dict[str, Any]]:
    try:
        if file.stat().st_size > _LARGEST:
            raise UnreadableScan(str(file), "is too large for the JSON of one answer")
        lines = [one for one in file.read_text(encoding="utf-8").splitlines() if one.strip()]
        whole = all(line.startswith("{") and line.endswith("}") for line in lines)
        tables = [json.loads(one) for one in (lines if whole else ["\n".join(lines)])]
    except OSError as error:
        raise UnreadableScan(str(file), f"cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UnreadableScan(str(file), "is damaged JSON: write it again with `predict --json`") from error
    return [one for one in tables if isinstance(one, dict)]


def _where(name: str, file: Path) -> Path:
    """What was answered for, from where we are, or from where its answer lies."""
    beside = file.parent / name
    return beside if not Path(name).exists() and beside.exists() else Path(name)
