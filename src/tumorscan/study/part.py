"""A split's pictures ready for a network, and those of a run that its export is judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import Settings
from tumorscan.data.batches import PreparedPictures, default_cache
from tumorscan.data.records import Record
from tumorscan.study.export import ParityPictures

_JUDGED_ON: Final = 400
"""Pictures that an export is compared on: more would take minutes and tell nothing new."""


@dataclass(frozen=True)
class Part:
    """One split, ready for a network: prepared pictures (uint8, N x S x S x 3) and labels (1 = tumor)."""

    records: tuple[Record, ...]
    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]


def load_part(records: Sequence[Record], settings: Settings, *, progress: bool = False) -> Part:
    """Prepare the pictures of some records, or take them from the cache."""
    prepared = PreparedPictures(default_cache(), settings.prepare)
    labels = np.array([record.label == "tumor" for record in records], np.int64)
    return Part(tuple(records), prepared.load(records, progress=progress), labels)


def judged_on(parts: Mapping[str, Part], calibration: Part, source: str) -> ParityPictures:
    """Pictures for judging an export, evenly out of all parts; only those are copied.

    Args:
        parts: by name; together they hold at least one picture.
        calibration: whose pictures set int8's ranges.
        source: the data, in words.
    """
    everything = [picture for part in parts.values() for picture in part.pictures]
    labels = np.concatenate([part.labels for part in parts.values()])
    some = np.linspace(0, len(labels) - 1, min(len(labels), _JUDGED_ON)).astype(int)
    return ParityPictures(
        pictures=np.stack([everything[i] for i in some]),
        labels=labels[some],
        calibration=calibration.pictures,
        source=source,
        real=True,
    )
