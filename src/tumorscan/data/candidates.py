"""Which pictures may be copies of one another: a search of their hashes that need not look at all pairs.

The index is faiss's binary multi-index hash (Norouzi, Punjani and Fleet 2012): five tables of 25 bits
each. Two hashes that differ in at most nine bits of the 125 stand within one bit of each other in at least
one table, so they are always found; those farther apart nearly always. What is not in the tables is never
looked at, which is why the cost grows with the number of pictures and not with its square.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.data.fingerprints import BITS, HASHES, HEAD, WHOLE, turned
from tumorscan.errors import require

RADIUS: Final = 24
"""Hashes that differ in more bits than this are no candidates."""

TRIES: Final = 3
"""So many ways (view, thumbnail, trim) of laying a picture over another are kept, the likeliest first."""

# A turn to the left is not asked for: from the other picture it is one to the right.
_RIGHT: Final = 5
_UNTRIMMED_VIEWS: Final = (0, 1, 2, 3, 4, _RIGHT, 7)
_TRIMMED_VIEWS: Final = (0, 1)
_TABLES, _BITS_A_TABLE, _FLIPS = 5, 25, 1
_AT_ONCE: Final = 8192

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Ways in which one picture may be a copy of another, all arrays of one length (int64).

    Sorted by pair, the likeliest pair first; the ways of a pair stand together, the likeliest first.

    Attributes:
        one, other: numbers of the two pictures.
        view: `one` is to be seen in this view to look like `other`.
        kind: index into `HASHES`: the thumbnail of `one`, and how much of it `other` may lack.
        thumb: the thumbnail of `other`.
        distance: bits in which the hashes differ.
    """

    one: Numbers
    other: Numbers
    view: Numbers
    kind: Numbers
    thumb: Numbers
    distance: Numbers

    def pairs(self) -> Iterator[tuple[int, int]]:
        """First and last place (exclusive) of each pair, in order."""
        low, high = np.minimum(self.one, self.other), np.maximum(self.one, self.other)
        new = np.flatnonzero((np.diff(low) != 0) | (np.diff(high) != 0)) + 1
        edges = [0, *new.tolist(), len(low)]
        return pairwise(edges) if len(low) else iter(())


def find_candidates(hashes: NDArray[np.bool_], radius: int = RADIUS) -> Candidates:
    """Search hashes for pictures that may be copies in any of the eight views.

    Args:
        hashes: bool, N x 7 x 128, of N fingerprints.
        radius: how many bits may differ.

    Raises:
        MissingExtra: faiss is not installed.
    """
    rows = np.concatenate([np.zeros((6, 0), np.int64), *_search(hashes, radius)], axis=1)
    return _likeliest(rows, len(hashes))


def _search(hashes: NDArray[np.bool_], radius: int) -> Iterator[NDArray[np.int64]]:
    """Rows one, other, view, kind, thumb, distance; the untrimmed hashes are what is searched."""
    faiss = require("faiss", "train")
    index = faiss.IndexBinaryMultiHash(BITS, _TABLES, _BITS_A_TABLE)
    index.nflip = _FLIPS
    for thumb in (HEAD, WHOLE):
        index.add(np.packbits(hashes[:, HASHES.index((thumb, 0.0))], axis=1))
    for kind, (_, trim) in enumerate(HASHES):
        # Copies that are cut into and turned as well are too rare to pay for six more searches each.
        for view in _TRIMMED_VIEWS if trim else _UNTRIMMED_VIEWS:
            for start in range(0, len(hashes), _AT_ONCE):
                asked = turned(hashes[start : start + _AT_ONCE, kind], view)
                # faiss finds what is nearer than the radius, not what is as near.
                limits, distance, place = index.range_search(np.packbits(asked, axis=1), radius + 1)
                one = start + np.repeat(np.arange(len(asked)), np.diff(limits.astype(np.int64)))
                thumb, other = np.divmod(place, len(hashes))
                # All other views are their own way back: each pair would be found from both of its ends.
                kept = one != other if trim or view == _RIGHT else one < other
                same = np.ones(int(kept.sum()), np.int64)
                row = (one[kept], other[kept], view * same, kind * same, thumb[kept], distance[kept])
                yield np.stack([np.asarray(column, np.int64) for column in row])


def _likeliest(rows: NDArray[np.int64], count: int) -> Candidates:
    one, other, view, kind, thumb, distance = rows
    pair = np.minimum(one, other) * count + np.maximum(one, other)
    order = np.lexsort((view, thumb, kind, one, distance, pair))
    pair = pair[order]
    starts = np.flatnonzero(np.diff(pair, prepend=-1))
    sizes = np.diff(np.append(starts, len(pair)))
    rank = np.arange(len(pair)) - np.repeat(starts, sizes)
    nearest = np.repeat(distance[order][starts], sizes)
    kept = rank < TRIES
    order = order[kept][np.lexsort((rank[kept], pair[kept], nearest[kept]))]
    return Candidates(*(column[order] for column in (one, other, view, kind, thumb, distance)))
