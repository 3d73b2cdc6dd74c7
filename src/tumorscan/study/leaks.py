"""Leaks: what training has seen of the pictures that it is tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tumorscan.data.fingerprints import Fingerprint
from tumorscan.data.records import Skipped
from tumorscan.data.split import PARTS, Split
from tumorscan.data.table import write_table
from tumorscan.errors import DataError
from tumorscan.study.leak_pairs import KINDS, LeakPair, Pictured, leak_pairs, take_missing

_COLUMNS: Final = ("test_file", "train_file", "kind", "correlation", "view")


@dataclass(frozen=True)
class Leaks:
    """What was found; true where there is any leak.

    Attributes:
        pairs: exact and near ones all; of each test picture one of its patient and one of its group.
        tested, trained: files on either side.
        unread: files that could not be read again, so that their near twins are not known.
    """

    pairs: tuple[LeakPair, ...]
    tested: int
    trained: int
    unread: tuple[Skipped, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def counts(self) -> dict[str, int]:
        """How many test files leak, by kind (one file can leak in several ways), and in any way."""
        files = {kind: len({p.test for p in self.pairs if p.kind == kind}) for kind in KINDS}
        return {**files, "any": len({pair.test for pair in self.pairs})}

    def to_table(self) -> dict[str, Any]:
        """Plain values, for programs and for the bundle's lineage."""
        return {"tested": self.tested, "trained": self.trained, "leaking": self.counts()}

    def sentence(self) -> str:
        """The counts in one sentence, without a full stop."""
        found = [f"{count} {KINDS[kind]}" for kind, count in self.counts().items() if kind in KINDS and count]
        how = ", ".join(found) or "none"
        return f"{self.counts()['any']} of {self.tested} pictures are known from training ({how})"

    def warning(self) -> str:
        """The first line of a report that was made all the same."""
        return f"LEAK: {self.sentence()}. The figures below are too good, and no measure of new pictures."


def find_leaks(
    train: Sequence[Pictured],
    test: Sequence[Pictured],
    *,
    fingerprints: Mapping[str, Fingerprint] | None = None,
    progress: bool = False,
) -> Leaks:
    """What training has of the test pictures: exact and near copies, their patients and groups.

    Args:
        train: all that the model, its threshold and its temperature were fitted or chosen on.
        test: what it is to be measured on.
        fingerprints: by pixels_sha256, as far as they are known; the other pictures are read.
        progress: bars on stderr.

    Raises:
        MissingExtra: faiss is not installed.
    """
    known = dict(fingerprints or {})
    unread = take_missing([*train, *test], known, progress)
    return Leaks(leak_pairs(train, test, known, progress), len(test), len(train), tuple(unread))


def split_leaks(split: Split, *, progress: bool = False) -> Leaks:
    """Leaks between any two of the four parts of a split; the earlier part counts as training.

    Raises:
        MissingExtra: faiss is not installed.
    """
    known: dict[str, Fingerprint] = {}
    parts = [split.parts.get(name, ()) for name in PARTS]
    unread = take_missing([record for part in parts for record in part], known, progress)
    pairs: dict[LeakPair, None] = {}
    for later in range(1, len(parts)):
        before = [record for part in parts[:later] for record in part]
        pairs |= dict.fromkeys(leak_pairs(before, parts[later], known, progress))
    sizes = [len(part) for part in parts]
    return Leaks(tuple(pairs), sum(sizes[1:]), sizes[0], tuple(unread))


def refuse_leaks(leaks: Leaks, where: Path) -> None:
    """Refuse a split that leaks.

    Raises:
        DataError: there is a leak; the message counts it and names the first pair.
    """
    if leaks:
        pair = leaks.pairs[0]
        raise DataError(
            f"{where}: the split leaks: {leaks.sentence()}, the first is {pair.test.name} "
            f"({KINDS[pair.kind]}: {pair.train.name}): let it be made anew, or say --allow-leaks"
        )


def write_leaks(leaks: Leaks, path: Path) -> None:
    """Write leaks.csv: test file, train file, kind, correlation, view; a line a pair.

    Raises:
        EnvironmentProblem: it cannot be written; an old file is as it was.
    """
    rows = (
        {
            "test_file": pair.test,
            "train_file": pair.train,
            "kind": pair.kind,
            "correlation": "" if pair.correlation is None else f"{pair.correlation:.4f}",
            "view": pair.view,
        }
        for pair in leaks.pairs
    )
    write_table(path, _COLUMNS, rows)
