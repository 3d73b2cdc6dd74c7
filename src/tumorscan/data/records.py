"""What the catalog knows of a picture, and how that stands in a line of a csv."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from tumorscan.data.groups import NearLink
from tumorscan.data.labels import LABELS, plane_of
from tumorscan.data.table import relative_name, resolved_name
from tumorscan.errors import DataError
from tumorscan.types import Label, Picture


@dataclass(frozen=True)
class Record:
    """One readable picture with a label.

    Attributes:
        file: absolute, links resolved.
        label: tumor or no_tumor.
        pixels_sha256: of the decoded pixels, see `pixels_sha256`.
        group: pictures of one group stand on one side of a split; named after its content.
        source: where it comes from: a folder's name or the csv's word for it.
        patient: as the csv says, unique within a source; empty if not known.
        width, height: in pixels.
        mode: Pillow's mode of the stored pixels.
        format: PNG, JPEG, BMP, TIFF or WEBP, by content.
        file_bytes: size of the file in bytes.
        plane: axial, coronal or sagittal, another word as the csv says it; empty if not known.
    """

    file: Path
    label: Label
    pixels_sha256: str
    group: str
    source: str
    patient: str
    width: int
    height: int
    mode: str
    format: str
    file_bytes: int
    plane: str = ""


@dataclass(frozen=True)
class Skipped:
    """A file that is not in the catalog, and why."""

    file: Path
    cause: str


@dataclass(frozen=True)
class Catalog:
    """All pictures that can be used, and the files that cannot.

    Attributes:
        records: the pictures.
        skipped: the files that are none, or have no label.
        refused: near copies that bear different labels: not joined, but listed among the conflicts.
    """

    records: tuple[Record, ...]
    skipped: tuple[Skipped, ...] = ()
    refused: tuple[NearLink, ...] = ()


@dataclass(frozen=True)
class Conflict:
    """Pictures that belong together and bear both labels, for a person to decide.

    Attributes:
        group: its name; of near copies that of the first.
        same_pixels: some of them are the same picture to the last pixel.
        records: of `same_pixels` the contradicting copies, of a near copy both, else the whole group.
        link: what makes them near copies, if that is it.
    """

    group: str
    same_pixels: bool
    records: tuple[Record, ...]
    link: NearLink | None = None

    def __str__(self) -> str:
        files = ", ".join(f"{record.file} ({record.label})" for record in self.records[:4])
        more = f" and {len(self.records) - 4} more" if len(self.records) > 4 else ""
        return f"{self.cause}: {files}{more}"

    @property
    def cause(self) -> str:
        """What contradicts itself, in words."""
        if self.link is not None:
            return f"near copies ({self.link.view}, correlation {self.link.correlation:.3f}) have two labels"
        return "the same picture has two labels" if self.same_pixels else f"group {self.group} has two labels"


COLUMNS: Final = tuple(field.name for field in fields(Record))
REQUIRED: Final = tuple(name for name in COLUMNS if name != "plane")
"""What a csv must hold to be read back: files from before there were planes are read too."""
_NUMBERS: Final = ("width", "height", "file_bytes")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def pixels_sha256(pixels: Picture) -> str:
    """SHA-256 (FIPS 180-4), in hex, over the shape and the RGB bytes of a picture (uint8, H x W x 3)."""
    digest = hashlib.sha256("x".join(map(str, pixels.shape)).encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()


def to_row(record: Record, folder: Path) -> dict[str, object]:
    """A record as a line of a csv that stands in `folder` (resolved)."""
    row: dict[str, object] = {name: getattr(record, name) for name in COLUMNS}
    row["file"] = relative_name(record.file, folder)
    return row


def from_row(row: Mapping[str, str], path: Path, line: int, folder: Path) -> Record:
    """The record that `to_row` wrote into the csv `path`, which stands in `folder` (resolved).

    Raises:
        DataError: a value is not what `to_row` writes; names the line.
    """
    for name in _NUMBERS:
        if not re.fullmatch(r"[0-9]{1,18}", row[name], re.ASCII):
            raise _damaged(path, line, name, row[name], "a whole number")
    if row["label"] not in LABELS:
        raise _damaged(path, line, "label", row["label"], " or ".join(LABELS))
    if not _SHA256.fullmatch(row["pixels_sha256"]):
        raise _damaged(path, line, "pixels_sha256", row["pixels_sha256"], "64 hex digits")
    for name in ("file", "group"):
        if not row[name]:
            raise _damaged(path, line, name, "", f"a {name}'s name")
    return Record(
        file=resolved_name(row["file"], folder),
        label="tumor" if row["label"] == "tumor" else "no_tumor",
        width=int(row["width"]),
        height=int(row["height"]),
        file_bytes=int(row["file_bytes"]),
        plane=plane_of(row.get("plane", "")),
        **{name: row[name] for name in ("pixels_sha256", "group", "source", "patient", "mode", "format")},
    )


def _damaged(path: Path, line: int, name: str, value: str, wanted: str) -> DataError:
    return DataError(
        f"{path}: line {line}: {name} is {value!r}, it must be {wanted}: make the file anew with tumorscan"
    )


def conflicts(catalog: Catalog) -> tuple[Conflict, ...]:
    """What bears both labels although it should be one picture: exact copies, groups, near copies.

    A group whose pictures all name a patient may hold both labels: the slices of one head do. The same
    pixels may not.
    """
    copies = [
        Conflict(records[0].group, same_pixels=True, records=records)
        for records in _by(catalog.records, "pixels_sha256").values()
        if _both_labels(records)
    ]
    told = {conflict.group for conflict in copies}
    others = [
        Conflict(group, same_pixels=False, records=records)
        for group, records in _by(catalog.records, "group").items()
        if group not in told and _both_labels(records) and not all(r.patient for r in records)
    ]
    return (*copies, *others, *_near_conflicts(catalog))


def one_class_sources(records: Iterable[Record]) -> dict[str, Label]:
    """The sources that hold one class only, by name, with that class."""
    labels = {source: {one.label for one in found} for source, found in _by(records, "source").items()}
    return {source: next(iter(found)) for source, found in labels.items() if len(found) == 1}


def _near_conflicts(catalog: Catalog) -> Iterator[Conflict]:
    pixels = _by(catalog.records, "pixels_sha256")
    for link in catalog.refused:
        records = (*pixels.get(link.one, ()), *pixels.get(link.other, ()))
        if _both_labels(records):
            yield Conflict(records[0].group, same_pixels=False, records=records, link=link)


def _both_labels(records: Iterable[Record]) -> bool:
    return len({record.label for record in records}) > 1


def _by(records: Iterable[Record], name: str) -> dict[str, tuple[Record, ...]]:
    found: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[getattr(record, name)].append(record)
    return {key: tuple(found[key]) for key in sorted(found)}
