"""Pairs of pictures by which a test is known from training: exact and near copies, patients, groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tumorscan.data.duplicates import near_links
from tumorscan.data.fingerprints import Fingerprint, fingerprint
from tumorscan.data.parallel import in_order
from tumorscan.data.records import Skipped, pixels_sha256
from tumorscan.errors import UnreadableScan
from tumorscan.read import read_scan

KINDS: Final = {
    "exact": "an exact twin",
    "near": "a near twin",
    "patient": "the same patient",
    "group": "the same group",
}
"""How a test picture can be known from training, in words."""


class Pictured(Protocol):
    """What is known of a picture: a `Record` is one."""

    @property
    def file(self) -> Path:
        """Where it is."""

    @property
    def pixels_sha256(self) -> str:
        """Of its decoded pixels."""

    @property
    def source(self) -> str:
        """Where it comes from; empty if that is not said, which goes with every source."""

    @property
    def patient(self) -> str:
        """Unique within a source; empty if not known."""

    @property
    def group(self) -> str:
        """Of the catalog that both sides come from; empty if they do not."""


@dataclass(frozen=True)
class LeakPair:
    """A test picture and what training has of it.

    Attributes:
        test, train: the files.
        kind: one of `KINDS`.
        correlation: of near copies, 1 for exact ones, None for a patient or a group.
        view: how the one has to be laid down to look like the other, of near copies.
    """

    test: Path
    train: Path
    kind: str
    correlation: float | None = None
    view: str = ""


def leak_pairs(
    train: Sequence[Pictured], test: Sequence[Pictured], known: Mapping[str, Fingerprint], progress: bool
) -> tuple[LeakPair, ...]:
    """The pairs, sorted by test file, kind and training file.

    Args:
        train: what the fit has seen.
        test: what it is measured on.
        known: fingerprints by pixels_sha256; a picture without one has no near twin.
        progress: a bar on stderr.
    """
    digests = {picture.pixels_sha256 for picture in (*train, *test)}
    prints = {digest: known[digest] for digest in digests if digest in known}
    pairs = [*_exact(train, test), *_near(train, test, prints, progress)]
    pairs += _shared(train, test, "patient")
    # A group says no more than the copy or the patient that makes it, where there is one.
    told = {pair.test for pair in pairs}
    pairs += [pair for pair in _shared(train, test, "group") if pair.test not in told]
    return tuple(sorted(set(pairs), key=lambda p: (p.test, list(KINDS).index(p.kind), p.train)))


def _by_pixels(pictures: Iterable[Pictured]) -> dict[str, list[Path]]:
    files: defaultdict[str, list[Path]] = defaultdict(list)
    for picture in pictures:
        files[picture.pixels_sha256].append(picture.file)
    return files


def _exact(train: Sequence[Pictured], test: Sequence[Pictured]) -> Iterator[LeakPair]:
    files = _by_pixels(train)
    for picture in test:
        for file in files.get(picture.pixels_sha256, ()):
            yield LeakPair(picture.file, file, "exact", 1.0)


def _near(
    train: Sequence[Pictured], test: Sequence[Pictured], known: Mapping[str, Fingerprint], progress: bool
) -> Iterator[LeakPair]:
    trained, tested = _by_pixels(train), _by_pixels(test)

    def one_side(one: str, other: str) -> bool:
        return not ((one in trained and other in tested) or (one in tested and other in trained))

    for link in near_links(known, skip=one_side, progress=progress):
        for here, there in ((link.one, link.other), (link.other, link.one)):
            for test_file in tested.get(here, ()):
                for train_file in trained.get(there, ()):
                    yield LeakPair(test_file, train_file, "near", link.correlation, link.view)


def _shared(train: Sequence[Pictured], test: Sequence[Pictured], what: str) -> Iterator[LeakPair]:
    """One pair for each test picture whose patient or group is in training."""
    homes: defaultdict[str, list[Pictured]] = defaultdict(list)
    for picture in sorted(train, key=lambda picture: picture.file):
        homes[getattr(picture, what)].append(picture)
    for picture in test:
        name = getattr(picture, what)
        for other in homes.get(name, ()) if name else ():
            if what == "group" or "" in (picture.source, other.source) or picture.source == other.source:
                yield LeakPair(picture.file, other.file, what)
                break


def take_missing(
    pictures: Sequence[Pictured], known: dict[str, Fingerprint], progress: bool
) -> list[Skipped]:
    """Add the fingerprints that are not known yet; returns what could not be read or has changed."""
    first: dict[str, Pictured] = {}
    for picture in pictures:
        if picture.pixels_sha256 not in known:
            first.setdefault(picture.pixels_sha256, picture)
    unread = []
    for digest, taken in zip(
        first, in_order(_take, list(first.values()), title="reading", progress=progress), strict=True
    ):
        if isinstance(taken, Fingerprint):
            known[digest] = taken
        else:
            unread.append(taken)
    return unread


def _take(picture: Pictured) -> Fingerprint | Skipped:
    try:
        pixels = read_scan(picture.file).pixels
    except UnreadableScan as error:
        return Skipped(picture.file, error.cause)
    if pixels_sha256(pixels) != picture.pixels_sha256:
        return Skipped(picture.file, "changed since it was put in the catalog")
    return fingerprint(pixels)
