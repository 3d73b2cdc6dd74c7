"""Prepared pictures, cached on disk by content and settings, and augmented views of them."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.atomic import atomic_write_bytes, atomic_write_text
from tumorscan.config import AugmentSettings, PrepareSettings, ReadLimits, to_table
from tumorscan.data.augment import apply, draw
from tumorscan.data.parallel import in_order
from tumorscan.data.records import Record, pixels_sha256
from tumorscan.errors import DataError
from tumorscan.prepare.pipeline import fingerprint, prepare
from tumorscan.read import read_scan
from tumorscan.types import Picture

_DIGEST_BYTES: Final = hashlib.sha256().digest_size
_LIMITS: Final = ReadLimits()


def default_cache() -> Path:
    """$TUMORSCAN_CACHE, else the folder tumorscan in the platform's user cache folder."""
    chosen = os.environ.get("TUMORSCAN_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "tumorscan"


@dataclass(frozen=True)
class PreparedPictures:
    """The disk cache of prepared pictures.

    A picture's file is named after its pixels and stands in a folder named after the settings and the
    code of the preparation, so neither a change of settings nor of code can bring up a stale picture.
    Each file holds the picture's bytes and their SHA-256, and no header: NumPy parses that of a .npy as
    Python, which threads must not do at once before Python 3.11.8 (python/cpython#106905).

    Attributes:
        folder: the cache's; made when first needed.
        settings: of the preparation.
        limits: of the reader.
    """

    folder: Path
    settings: PrepareSettings
    limits: ReadLimits = _LIMITS

    @property
    def home(self) -> Path:
        """Where the pictures of these settings stand."""
        return self.folder / "prepared" / _key(self.settings)

    def load(self, records: Sequence[Record], *, progress: bool = False) -> NDArray[np.uint8]:
        """Prepared pictures in the order of the records, whatever the number of threads.

        What is missing or damaged in the cache is prepared and stored, in parallel.

        Args:
            records: of the catalog.
            progress: show a bar on stderr.

        Returns:
            uint8 RGB, N x S x S x 3.

        Raises:
            UnreadableScan: a file cannot be read any more, or cannot be prepared.
            DataError: a file's pixels have changed since it was put in the catalog.
            EnvironmentProblem: the cache cannot be written.
        """
        size = self.settings.frame.size
        pictures = np.empty((len(records), size, size, 3), np.uint8)
        for i, picture in enumerate(in_order(self._picture, records, title="preparing", progress=progress)):
            pictures[i] = picture
        return pictures

    def _picture(self, record: Record) -> Picture:
        size = self.settings.frame.size
        file = self.home / record.pixels_sha256[:2] / f"{record.pixels_sha256}.rgb"
        stored = _unpacked(file, (size, size, 3))
        if stored is not None:
            return stored
        scan = read_scan(record.file, self.limits)
        if pixels_sha256(scan.pixels) != record.pixels_sha256:
            raise DataError(
                f"{record.file}: changed since it was put in the catalog: make catalog and split anew"
            )
        picture = prepare(scan, self.settings).pixels
        self._say_what_this_is()
        atomic_write_bytes(file, _packed(picture))
        return picture

    def _say_what_this_is(self) -> None:
        note = self.home / "settings.json"
        if not note.exists():
            atomic_write_text(note, json.dumps(to_table(self.settings), indent=2) + "\n")


def augmented_view(
    pictures: NDArray[np.uint8], settings: AugmentSettings, *, seed: int, view: int
) -> NDArray[np.uint8]:
    """One augmented copy of each picture.

    Picture i of view v draws from its own generator, ``default_rng([seed, v, i])``, so a view can be
    made again at any time, alone and in any order.

    Args:
        pictures: uint8 RGB, N x S x S x 3.
        settings: how far the changes go.
        seed: of all views, not negative.
        view: which one, not negative.

    Returns:
        uint8 RGB, N x S x S x 3, a new array.
    """
    changed = np.empty_like(pictures)
    for i, picture in enumerate(pictures):
        lots = draw(settings, np.random.default_rng([seed, view, i]))
        changed[i] = apply(picture, lots, settings.fill)
    return changed


def _key(settings: PrepareSettings) -> str:
    return hashlib.sha256(f"{fingerprint(settings)}\n{_code_of_preparation()}".encode()).hexdigest()[:16]


@cache
def _code_of_preparation() -> str:
    """Hash of the room `prepare`: its `ALGORITHM` speaks for releases, this for a day of changing it."""
    digest = hashlib.sha256()
    for file in sorted(files("tumorscan.prepare").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py"):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _packed(picture: Picture) -> bytes:
    data = picture.tobytes()
    return data + hashlib.sha256(data).digest()


def _unpacked(file: Path, shape: tuple[int, int, int]) -> Picture | None:
    """The picture in a cache file, None if there is none, or it is damaged or of another shape."""
    try:
        raw = file.read_bytes()
    except OSError:
        return None
    data, digest = raw[:-_DIGEST_BYTES], raw[-_DIGEST_BYTES:]
    if len(data) != math.prod(shape) or hashlib.sha256(data).digest() != digest:
        return None
    return np.frombuffer(data, np.uint8).reshape(shape)
