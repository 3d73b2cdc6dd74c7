"""Near copies among pictures: candidates by hash, then each one checked; only what was checked is a link."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice

import numpy as np

from tumorscan.data.candidates import Candidates, find_candidates
from tumorscan.data.compare import COPY, correlation
from tumorscan.data.fingerprints import HASHES, Fingerprint
from tumorscan.data.groups import NearLink
from tumorscan.data.parallel import in_order
from tumorscan.data.views import VIEWS, seen

Skip = Callable[[str, str], bool]
_BATCH = 128


def near_links(
    fingerprints: Mapping[str, Fingerprint],
    *,
    skip: Skip = lambda _one, _other: False,
    least: float = COPY,
    progress: bool = False,
) -> Iterator[NearLink]:
    """Yield the near copies, the likeliest candidates first; the order follows from the pictures alone.

    Args:
        fingerprints: by pixels_sha256. Flat pictures, which all look alike, are left out.
        skip: asked for each pair before it is checked; may look at what was yielded so far, so that
            pictures known to belong together need not be compared again.
        least: correlation of a copy.
        progress: show a bar on stderr.

    Raises:
        MissingExtra: faiss is not installed.
    """
    names = sorted(name for name, print_ in fingerprints.items() if not print_.is_flat)
    if len(names) < 2:
        return
    prints = [fingerprints[name] for name in names]
    found = find_candidates(np.stack([print_.hashes for print_ in prints]))
    pairs = found.pairs()
    check = partial(_check, found=found, prints=prints, least=least)
    while batch := list(islice(pairs, _BATCH)):
        open_ = [(start, end) for start, end in batch if not skip(*_named(found, start, names))]
        for (start, _), best in zip(
            open_, in_order(check, open_, title="comparing", progress=progress), strict=True
        ):
            if best is not None:
                yield NearLink(*_named(found, start, names), *best)


def _named(found: Candidates, place: int, names: list[str]) -> tuple[str, str]:
    one, other = sorted((int(found.one[place]), int(found.other[place])))
    return names[one], names[other]


def _check(
    span: tuple[int, int], found: Candidates, prints: list[Fingerprint], least: float
) -> tuple[float, str] | None:
    """Correlation and view of the first way that passes, if one does."""
    for place in range(*span):
        thumb, trim = HASHES[found.kind[place]]
        view = int(found.view[place])
        one = seen(prints[found.one[place]].thumbs[thumb], view)
        other = prints[found.other[place]].thumbs[found.thumb[place]]
        reached = correlation(one, other, trim)
        if reached >= least:
            return reached, VIEWS[view]
    return None
