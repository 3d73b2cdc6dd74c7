"""External sets as a trial of a bundle opens them: checked for leaks, looks counted, a share drawn."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tumorscan.data.external import ExternalSet, joined, read_set
from tumorscan.data.labels import LABELS
from tumorscan.data.records import Record
from tumorscan.detect.detector import Detector, load_detector
from tumorscan.detect.engines import AUTO
from tumorscan.errors import SettingsError
from tumorscan.evaluate.card import write_card
from tumorscan.evaluate.report import point_facts
from tumorscan.model.bundle import Bundle
from tumorscan.study.external_leaks import LeakCheck
from tumorscan.study.external_result import Look
from tumorscan.study.run import Say

_UNSAFE = re.compile(r"[^\w.=,+-]+")


@dataclass(frozen=True)
class Trial:
    """A bundle to be tried on some sets.

    Attributes:
        model: folder of the bundle, or of a run that holds one.
        paths: a folder or csv for each set.
        where: only the csv rows whose columns hold these values.
        out: where the report goes; by default KIND/NAME beside the bundle's folder.
        engine: what runs the network.
        leak_check: called with all records before the sets are opened; what it returns are the
            report's first lines, and what it raises ends the trial before a look is counted.
        progress: bars on stderr.
        say: gets a line at each stage.

    Raises:
        SettingsError: no set is named.
    """

    model: Path
    paths: Sequence[Path]
    where: Mapping[str, str] = field(default_factory=dict)
    out: Path | None = None
    engine: str = AUTO
    leak_check: LeakCheck | None = None
    progress: bool = False
    say: Say = lambda _: None

    def __post_init__(self) -> None:
        if not self.paths:
            raise SettingsError("no set is named: give a folder or a csv")

    def detector(self, operating_point: str = "") -> Detector:
        """The bundle's detector; see `load_detector`."""
        return load_detector(self.model, self.engine, operating_point=operating_point)

    def open(self, detector: Detector) -> Opened:
        """Read the sets, look for leaks, then count a look at each in the detector's bundle.

        Raises:
            DataError: a set cannot be used, or training has seen it.
            EnvironmentProblem: the count cannot be written.
        """
        sets = _distinct([read_set(Path(path), self.where, progress=self.progress) for path in self.paths])
        records = joined(sets)
        warnings = tuple(self.leak_check(records)) if self.leak_check else ()
        bundle, keys = count_looks(detector.bundle, [(one.name, one.sha256) for one in sets])
        counts = bundle.manifest.looks
        looks = tuple(Look(one, key, counts[key]) for one, key in zip(sets, keys, strict=True))
        return Opened(bundle, looks, records, warnings)

    def folder(self, kind: str, opened: Opened) -> Path:
        """Where the report goes."""
        return self.out or opened.bundle.folder.resolve().parent / kind / opened.folder_name


@dataclass(frozen=True)
class Opened:
    """Sets that were opened for a trial.

    Attributes:
        bundle: as it stands on disk, its looks counted.
        looks: the sets, with how often each was looked at.
        records: all pictures, each once.
        warnings: the report's first lines.
    """

    bundle: Bundle
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
        return _UNSAFE.sub("_", self.name).strip("._")[:100] or "set"

    def facts(self, detector: Detector) -> list[tuple[str, str]]:
        """What a report says of the sets and the model."""
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
        return [
            *sets,
            ("Model", f"{detector.model} on {detector.engine.name}"),
            *point_facts(detector.operating_point),
        ]


@dataclass(frozen=True)
class Listed:
    """Facts as they stand."""

    rows: tuple[tuple[str, str], ...]

    def facts(self) -> list[tuple[str, str]]:
        """Name and text, in the order of the report."""
        return list(self.rows)


def count_looks(bundle: Bundle, sets: Iterable[tuple[str, str]]) -> tuple[Bundle, tuple[str, ...]]:
    """Count a look at each set, all or none, in the bundle and on its card.

    Args:
        bundle: whose looks they are.
        sets: the name of each, and the SHA-256 of its pictures.

    Returns:
        The bundle as it now stands on disk, and the names under which it counts the sets.

    Raises:
        EnvironmentProblem: bundle or card cannot be written.
    """
    keys: list[str] = []
    for name, sha256 in sets:
        keys.append(look_key([*bundle.manifest.looks, *keys], name, sha256))
    bundle = bundle.count_look(*keys)
    write_card(bundle)
    return bundle, tuple(keys)


def look_key(known: Iterable[str], name: str, sha256: str) -> str:
    """Under what a bundle counts its looks at a set: a name known of the same pictures, else a new one."""
    mark = f"sha256:{sha256[:16]}"
    return next((key for key in known if key.endswith(mark)), f"{name} {mark}")


def _distinct(sets: Sequence[ExternalSet]) -> tuple[ExternalSet, ...]:
    """A set named twice is looked at once."""
    return tuple({one.sha256: one for one in reversed(sets)}.values())[::-1]


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
