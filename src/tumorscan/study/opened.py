"""External sets as an experiment opens them: checked for leaks, looks counted, a share drawn."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tumorscan.data.external import joined, read_set
from tumorscan.data.labels import LABELS
from tumorscan.data.records import Record
from tumorscan.detect.detector import Detector
from tumorscan.errors import SettingsError
from tumorscan.evaluate.blocks import in_words
from tumorscan.study.external import count_looks, distinct_sets
from tumorscan.study.external_leaks import LeakCheck
from tumorscan.study.external_result import Look


@dataclass(frozen=True)
class Opened:
    """Sets that were opened for an experiment.

    Attributes:
        looks: the sets, with how often each was looked at.
        records: all pictures, each once.
        warnings: the report's first lines.
    """

    looks: tuple[Look, ...]
    records: tuple[Record, ...]
    warnings: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of all sets together."""
        return "+".join(look.external.name for look in self.looks)

    @property
    def folder_name(self) -> str:
        """The name, fit for a folder."""
        safe = "".join(c if c.isalnum() or c in ".=,+-" else "_" for c in self.name)
        return safe.strip("._")[:100] or "set"

    def facts(self, detector: Detector) -> list[tuple[str, str]]:
        """What a report says of the sets and the model."""
        point = detector.operating_point
        sets = [
            (
                f"External set {look.external.name}",
                (
                    f"{len(look.external.records)} pictures, {len(look.external.copies)} copies left out, "
                    f"{len(look.external.skipped)} files left out; look number {look.count}"
                ),
            )
            for look in self.looks
        ]
        reached = f"sensitivity {in_words(point.sensitivity)}, specificity {in_words(point.specificity)}"
        return [
            *sets,
            ("Model", f"{detector.model} on {detector.engine.name}"),
            ("Operating point", f"{point.name}: a tumor is said at {point.threshold:.4g} or more"),
            ("Fitted on", f"{point.fitted_on}; there {reached}"),
        ]


@dataclass(frozen=True)
class Listed:
    """Facts as they stand."""

    rows: tuple[tuple[str, str], ...]

    def facts(self) -> list[tuple[str, str]]:
        """Name and text, in the order of the report."""
        return list(self.rows)


def open_sets(
    detector: Detector,
    paths: Sequence[Path],
    where: Mapping[str, str],
    leak_check: LeakCheck | None = None,
    *,
    progress: bool = False,
) -> Opened:
    """Read the sets, look for leaks, then count a look at each.

    Args:
        detector: its bundle keeps the count.
        paths: a folder or csv for each set.
        where: only the csv rows whose columns hold these values.
        leak_check: as for `evaluate_external`.
        progress: bars on stderr.

    Raises:
        SettingsError: no set is named.
        DataError: a set cannot be used, or training has seen it.
    """
    if not paths:
        raise SettingsError("no set is named: give --sets CSV|FOLDER")
    sets = distinct_sets([read_set(Path(path), where, progress=progress) for path in paths])
    records = joined(sets)
    warnings = tuple(leak_check(records)) if leak_check else ()
    _, looks = count_looks(detector.bundle, sets)
    return Opened(looks, records, warnings)


def drawn(records: Sequence[Record], most: int, seed: int) -> tuple[Record, ...]:
    """At most so many pictures: both classes alike as far as they reach, their sources in turn.

    Args:
        records: to draw from; their order plays no part.
        most: pictures, at least 2.
        seed: of the draw.

    Raises:
        SettingsError: fewer than two pictures are wanted.
    """
    if most < 2:
        raise SettingsError(f"--most {most}: at least 2, one of each class")
    queues = {label: _in_turn([one for one in records if one.label == label], seed) for label in LABELS}
    tumors, others = queues["tumor"], queues["no_tumor"]
    clear = min(len(others), max(most // 2, most - len(tumors)))
    return (*others[:clear], *tumors[: most - clear])


def _in_turn(records: Sequence[Record], seed: int) -> list[Record]:
    """Sources take turns; within one the order is a lot that the picture's hash and the seed decide."""

    def lot(record: Record) -> str:
        return hashlib.sha256(f"{seed}:{record.pixels_sha256}".encode()).hexdigest()

    turns: defaultdict[str, int] = defaultdict(int)
    placed = []
    for record in sorted(records, key=lot):
        placed.append((turns[record.source], record.source, record))
        turns[record.source] += 1
    return [record for _, _, record in sorted(placed, key=lambda one: one[:2])]
