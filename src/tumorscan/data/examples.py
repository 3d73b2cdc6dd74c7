"""Examples of the evidence training: which pictures an epoch sees, and what is done to each.

Everything about example i of epoch e follows from (seed, e, i), so an epoch can be made again by
anybody, in any order and by any number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import AugmentSettings, EvidenceSettings
from tumorscan.data.augment import Augmentation, Box, apply, apply_to_mask, draw
from tumorscan.data.cells import box_mask, cell_targets, oval_mask
from tumorscan.data.imitate import imitate
from tumorscan.data.moves import elsewhere, hide, paste
from tumorscan.types import Label, Picture

Floats = NDArray[np.float32]
_SEEN_ENOUGH, _SEEN_NOTHING = 0.4, 0.03
"""Of a lesion that a crop leaves: from here the picture is a tumor's, under there it is empty."""
_TWO_SIDED: Final = ("axial", "coronal", "")


@dataclass(frozen=True)
class Source:
    """A picture to make examples from.

    Attributes:
        label: of the picture.
        name: of the source.
        box: of the lesion, as fractions of the prepared picture; None if it is not known.
        plane: as the catalog says.
    """

    label: Label
    name: str
    box: Box | None
    plane: str


@dataclass(frozen=True)
class Example:
    """What the network is shown and what it should say.

    Attributes:
        picture: uint8 RGB, S x S x 3.
        cells: float32, g x g: 1 = tumor.
        cell_weights: float32, g x g: 0 = ignored.
        label: 1 = tumor.
        weight: of the label; 0 where nobody knows.
    """

    picture: Picture
    cells: Floats
    cell_weights: Floats
    label: float
    weight: float


@dataclass(frozen=True)
class _Draft:
    picture: Picture
    lesion: NDArray[np.bool_] | None
    around: NDArray[np.bool_] | None
    tumor: bool


def _with_lesion(picture: Picture, box: Box) -> _Draft:
    side = len(picture)
    return _Draft(picture, oval_mask(box, side), box_mask(box, side), tumor=True)


class Examples:
    """Makes the examples of every epoch from prepared pictures."""

    def __init__(
        self,
        pictures: NDArray[np.uint8],
        sources: Sequence[Source],
        grid: int,
        augment: AugmentSettings,
        settings: EvidenceSettings,
    ) -> None:
        self._pictures, self._sources, self._grid = pictures, sources, grid
        self._augment, self._settings = augment, settings
        self._strata: dict[str, list[int]] = {}
        labels: dict[str, set[str]] = {}
        for i, source in enumerate(sources):
            self._strata.setdefault(f"{source.name} {source.label}", []).append(i)
            labels.setdefault(source.name, set()).add(source.label)
        self._boxed = [i for i, source in enumerate(sources) if source.box is not None]
        self._one_class = {name for name, found in labels.items() if len(found) < 2}

    def rows(self, epoch: int) -> list[int]:
        """The pictures of an epoch in order: each stratum gets a part by a power of its size.

        Within a stratum all pictures come once before any comes twice, over epochs too.
        """
        parts = {name: len(rows) ** self._settings.balance for name, rows in self._strata.items()}
        total, chosen = sum(parts.values()), []
        for k, (name, rows) in enumerate(sorted(self._strata.items())):
            count = max(1, round(self._settings.pictures * parts[name] / total))
            chosen += self._dealt(rows, k, range(epoch * count, (epoch + 1) * count))
        rng = np.random.default_rng([self._settings.seed, epoch, 0])
        return [int(i) for i in rng.permutation(chosen)]

    def _dealt(self, rows: Sequence[int], stratum: int, places: range) -> list[int]:
        """The rows at some places of an endless deal, in which each lap has an order of its own."""
        first = places.start // len(rows)
        laps = range(first, -(-places.stop // len(rows)))
        seed = self._settings.seed
        orders = [np.random.default_rng([seed, stratum, lap, 1]).permutation(len(rows)) for lap in laps]
        dealt = np.concatenate(orders)
        return [rows[int(dealt[place - first * len(rows)])] for place in places]

    def make(self, epoch: int, place: int, row: int) -> Example:
        """The example at a place of an epoch, from the picture of a row."""
        rng = np.random.default_rng([self._settings.seed, epoch, place, 2])
        source = self._sources[row]
        lot = np.random.default_rng([self._settings.seed, epoch, place, 3]).random()
        if lot < self._settings.as_it_is_in(epoch):
            example = self._mirrored(row, rng)
        else:
            draft = self._moved(row, rng)
            lots = draw(self._augment, rng)
            looks, stripped = imitate(draft.picture, self._settings.imitate, rng)
            picture = apply(looks, lots, self._augment.fill)
            example = self._finished(draft, picture, lots, stripped)
        # Where all are tumor, or none is, a label teaches what the source looks like. Its cells do not: the
        # empty ones lie in the same pictures.
        return replace(example, weight=0.0) if source.name in self._one_class else example

    def plain(self, row: int) -> Example:
        """A picture as it is, with its targets."""
        draft = self._as_it_is(row)
        return self._finished(draft, draft.picture, Augmentation(), None)

    def _mirrored(self, row: int, rng: np.random.Generator) -> Example:
        draft = self._as_it_is(row)
        lots = Augmentation(mirror=draw(self._augment, rng).mirror)
        return self._finished(draft, apply(draft.picture, lots, self._augment.fill), lots, None)

    def _as_it_is(self, row: int) -> _Draft:
        source, picture = self._sources[row], self._pictures[row]
        if source.box is None:
            return _Draft(picture, None, None, source.label == "tumor")
        return _with_lesion(picture, source.box)

    def _moved(self, row: int, rng: np.random.Generator) -> _Draft:
        source, moves, lot = self._sources[row], self._settings.moves, rng.random()
        if source.label == "tumor":
            if source.box is not None and source.plane in _TWO_SIDED and lot < moves.hidden:
                covered = hide(self._pictures[row], source.box)
                if covered is not None:
                    return _Draft(covered, None, box_mask(source.box, len(covered)), tumor=False)
        elif self._boxed and lot < moves.moved + moves.decoy:
            pasted = self._with_patch(row, rng, lesion=lot < moves.moved)
            if pasted is not None:
                return pasted
        return self._as_it_is(row)

    def _with_patch(self, row: int, rng: np.random.Generator, *, lesion: bool) -> _Draft | None:
        donor = int(rng.choice(self._boxed))
        box = self._sources[donor].box
        if box is not None and not lesion:
            box = elsewhere(box, self._pictures[donor], rng)
        pasted = paste(self._pictures[donor], box, self._pictures[row], rng) if box is not None else None
        if pasted is None:
            return None
        if not lesion:
            return _Draft(pasted.picture, None, None, tumor=False)
        return _with_lesion(pasted.picture, pasted.box)

    def _finished(
        self, draft: _Draft, picture: Picture, lots: Augmentation, stripped: NDArray[np.bool_] | None
    ) -> Example:
        nothing = np.zeros(picture.shape[:2], np.bool_)
        kept = nothing if draft.lesion is None else draft.lesion
        if stripped is not None:
            kept = kept & ~stripped
        lesion = apply_to_mask(kept, lots)
        around = apply_to_mask(draft.around, lots) if draft.around is not None else nothing
        cells, weights = cell_targets(lesion, around, self._grid)
        if draft.lesion is None:
            # Of a tumor without a box the place is not known; of an empty picture every cell is.
            unknown = np.zeros_like(weights) if draft.tumor else weights
            return Example(picture, cells, unknown, float(draft.tumor), 1.0)
        share = lesion.sum() / max(draft.lesion.sum() * lots.zoom**2, 1)
        weight = 1.0 if share >= _SEEN_ENOUGH or share <= _SEEN_NOTHING else 0.0
        return Example(picture, cells, weights, float(share > _SEEN_NOTHING), weight)
