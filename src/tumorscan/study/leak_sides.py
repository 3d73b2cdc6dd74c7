"""The two sides of a leak check: folders and csv files, whose pictures need no label here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tumorscan.config import ReadLimits
from tumorscan.data.fingerprints import Fingerprint, fingerprint
from tumorscan.data.parallel import in_order
from tumorscan.data.records import Skipped, pixels_sha256
from tumorscan.data.sources import file_of
from tumorscan.data.table import read_table
from tumorscan.errors import DataError, UnreadableScan, require
from tumorscan.read import read_scan
from tumorscan.read.files import list_files


@dataclass(frozen=True)
class Member:
    """A picture of one side; see `leak_pairs.Pictured`."""

    file: Path
    pixels_sha256: str
    source: str
    patient: str
    group: str = ""


@dataclass(frozen=True)
class Side:
    """All of one side.

    Attributes:
        members: its pictures.
        fingerprints: of them, by pixels_sha256.
        skipped: files that could not be read.
    """

    members: tuple[Member, ...]
    fingerprints: dict[str, Fingerprint]
    skipped: tuple[Skipped, ...]


def read_side(path: Path, *, progress: bool = False) -> Side:
    """Read the pictures of a folder, or those that a csv names in its column `file`.

    A csv may have the columns patient and source; where source is not given, a patient's name goes for
    both sides, as it does when one table was cut in two.

    Raises:
        DataError: the path is neither folder nor csv, or holds no picture that can be read.
        MissingExtra: faiss is not installed.
    """
    require("faiss", "train")  # before the reading, not after
    listed = list(dict.fromkeys(_listed(path)))
    members: list[Member] = []
    skipped: list[Skipped] = []
    prints: dict[str, Fingerprint] = {}
    read = partial(_read, limits=ReadLimits())
    title = f"reading {path.name}"
    for item, outcome in zip(listed, in_order(read, listed, title=title, progress=progress), strict=True):
        if isinstance(outcome, Skipped):
            skipped.append(outcome)
            continue
        digest, prints[digest] = outcome[0], outcome[1]
        members.append(Member(item[0], digest, item[1], item[2]))
    if not members:
        first = f": the first is {skipped[0].file}: {skipped[0].cause}" if skipped else ""
        raise DataError(f"no picture found in {path}{first}: name a folder or csv that holds some")
    return Side(tuple(members), prints, tuple(skipped))


def _listed(path: Path) -> Sequence[tuple[Path, str, str]]:
    """File, source and patient of each picture."""
    if path.is_dir():
        files = [file.resolve() for file in list_files([path]) if file.suffix.lower() != ".csv"]
        return [(file, "", "") for file in files]
    if path.suffix.lower() != ".csv" or not path.is_file():
        what = "is neither a folder nor a csv" if path.exists() else "there is no such folder or csv"
        raise DataError(f"{path}: {what}: name a folder of pictures or a csv with the column file")
    rows = read_table(path, ("file",))
    for line, row in rows:
        if not row["file"].strip():
            raise DataError(f"{path}: line {line}: no file: name a picture, relative to {path.parent}")
    return [
        (file_of(row["file"], path.parent), row.get("source", "").strip(), row.get("patient", "").strip())
        for _, row in rows
    ]


def _read(item: tuple[Path, str, str], limits: ReadLimits) -> tuple[str, Fingerprint] | Skipped:
    try:
        pixels = read_scan(item[0], limits).pixels
    except UnreadableScan as error:
        return Skipped(item[0], error.cause)
    return pixels_sha256(pixels), fingerprint(pixels)
