"""The gate of a bundle: fitted on its splits and on known negatives, and measured kind by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tumorscan.detect.detector import Detector
from tumorscan.detect.engine import Engine
from tumorscan.detect.gate import Floats, Gate, gate_bytes
from tumorscan.detect.gate_fit import fit_gate
from tumorscan.detect.plain import plain_reasons
from tumorscan.errors import BundleError, DataError, UnreadableScan
from tumorscan.evaluate.intervals import exact_binomial
from tumorscan.jsonable import plain_interval
from tumorscan.model.bundle import GATE, Bundle, add_files
from tumorscan.read import read_scan
from tumorscan.read.files import list_files
from tumorscan.types import Interval

ALL = "all"
_BATCH = 16


@dataclass(frozen=True)
class Seen:
    """What a gate gets to see of some pictures.

    Attributes:
        plain: reasons of the plain checks, a picture each; empty where they found nothing.
        embeddings: float32, N x C, also of pictures that the plain checks refuse.
        unread: files that the reader refuses; they are not among the N.
    """

    plain: tuple[tuple[str, ...], ...]
    embeddings: Floats
    unread: tuple[UnreadableScan, ...] = ()


@dataclass(frozen=True)
class Refused:
    """How many pictures of a set a gate refuses.

    Attributes:
        name: of the set.
        pictures: that could be read.
        share: refused, with its exact interval.
        names: how often each reason came first.
        unread: files that the reader refused.
    """

    name: str
    pictures: int
    share: Interval
    names: Mapping[str, int]
    unread: int = 0

    def to_table(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "set": self.name,
            "pictures": self.pictures,
            "refused": plain_interval(self.share),
            "reasons": dict(self.names),
            "unread": self.unread,
        }

    def to_text(self) -> str:
        """One line."""
        reasons = ", ".join(f"{name} {count}" for name, count in sorted(self.names.items()))
        unread = f"; {self.unread} not readable" if self.unread else ""
        return f"  {self.name:32}{self.pictures:6}   {self.share!s:24}{reasons}{unread}"


def kinds_of(folder: Path) -> dict[str, list[Path]]:
    """The files of a folder by kind: its subfolders, however deep; files beside these are a kind of its name.

    Raises:
        UnreadableScan: there is no such folder.
        DataError: it holds no file.
    """
    kinds: dict[str, list[Path]] = {}
    for file in list_files([folder]):
        parts = file.relative_to(folder).parts
        kinds.setdefault(parts[0] if len(parts) > 1 else folder.name, []).append(file)
    if not kinds:
        raise DataError(f"{folder}: holds no file: give a folder with one subfolder a kind of picture")
    return kinds


def see(detector: Detector, files: Sequence[Path], *, progress: bool = False) -> Seen:
    """Read, check, prepare and embed pictures, as answers are made.

    Raises:
        BundleError: the engine keeps no embedding.
    """
    plain: list[tuple[str, ...]] = []
    unread: list[UnreadableScan] = []
    rows: list[Floats] = []
    waiting: list[NDArray[np.uint8]] = []
    for file in tqdm(files, unit=" files", disable=not progress):
        try:
            scan = read_scan(file)
            waiting.append(detector.prepare(scan).pixels)
        except UnreadableScan as error:
            unread.append(error)
            continue
        plain.append(plain_reasons(scan))
        if len(waiting) == _BATCH:
            rows.append(_embedded(detector.engine, waiting))
            waiting = []
    if waiting:
        rows.append(_embedded(detector.engine, waiting))
    embeddings = np.concatenate(rows) if rows else np.empty((0, 0), np.float32)
    return Seen(tuple(plain), embeddings, tuple(unread))


def _embedded(engine: Engine, pictures: Sequence[NDArray[np.uint8]]) -> Floats:
    embedding = engine.run(np.stack(pictures)).embedding
    if embedding is None:
        raise BundleError(f"the engine {engine.name} keeps no embedding for a gate: choose another --engine")
    return embedding


def fit(
    train: Seen, calibration: Seen, negatives: Mapping[str, Seen] | None = None, most_refused: float = 0.005
) -> Gate:
    """The gate for what was seen of a training split, a calibration split and known negatives by kind.

    Raises:
        DataError, SettingsError: as `fit_gate` says.
    """
    known = {kind: seen.embeddings for kind, seen in (negatives or {}).items()}
    return fit_gate(train.embeddings, calibration.embeddings, negatives=known, most_refused=most_refused)


def unseen_kinds(
    train: Seen, calibration: Seen, negatives: Mapping[str, Seen], most_refused: float = 0.005
) -> list[Refused]:
    """Each kind of negative, judged by a gate that was fitted on the other kinds only."""
    rows = []
    for kind, seen in negatives.items():
        others = {name: one for name, one in negatives.items() if name != kind}
        rows.append(refused(fit(train, calibration, others, most_refused), kind, seen))
    return rows


def refused(gate: Gate, name: str, seen: Seen, level: float = 0.95) -> Refused:
    """How much of a set a gate refuses, plain checks included."""
    reasons = [
        plain or gate.unfamiliar(embedding)
        for plain, embedding in zip(seen.plain, seen.embeddings, strict=True)
    ]
    first = Counter(one[0].partition(":")[0] for one in reasons if one)
    share = exact_binomial(sum(first.values()), len(reasons), level)
    return Refused(name, len(reasons), share, dict(first), len(seen.unread))


def pooled(rows: Sequence[Refused], level: float = 0.95) -> Refused:
    """Several sets as one."""
    names: Counter[str] = Counter()
    for row in rows:
        names.update(row.names)
    pictures = sum(row.pictures for row in rows)
    share = exact_binomial(sum(names.values()), pictures, level)
    return Refused(ALL, pictures, share, dict(names), sum(row.unread for row in rows))


def add_gate(bundle: Bundle, gate: Gate, fitted_on: Mapping[str, Any]) -> Bundle:
    """The bundle with this gate, and what it was fitted on in its lineage.

    Raises:
        EnvironmentProblem: it cannot be written; the bundle is as it was.
    """
    lineage = {**bundle.manifest.lineage, "gate": dict(fitted_on)}
    told = Bundle(bundle.folder, replace(bundle.manifest, lineage=lineage))
    return add_files(told, {GATE: gate_bytes(gate)})
