"""Groups: what any chain of links joins stands on one side of a split."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class NearLink:
    """Two pictures of which one is a copy of the other, though not to the last pixel.

    Attributes:
        one, other: pixels_sha256 of both, the smaller first.
        correlation: of what they show once laid over each other, 1 at the most.
        view: how the one has to be laid down to look like the other; one of `views.VIEWS`.
    """

    one: str
    other: str
    correlation: float
    view: str


class Links:
    """Things and the links between them (union-find with path halving; Tarjan 1975).

    Being joined is an equivalence relation: it does not depend on the order of the links.
    """

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def join(self, one: Hashable, other: Hashable) -> None:
        """Link two things; either may be new."""
        self._parent[self.find(other)] = self.find(one)

    def find(self, thing: Hashable) -> Hashable:
        """The thing that stands for all that this one is joined with; a new thing stands for itself."""
        parent = self._parent
        parent.setdefault(thing, thing)
        while parent[thing] != thing:
            parent[thing] = parent[parent[thing]]
            thing = parent[thing]
        return thing


def group_names(hashes: Iterable[str], links: Links) -> dict[str, str]:
    """Name the group of each picture after its content, so that neither order nor place of files matters.

    Args:
        hashes: pixels_sha256 of the pictures; they are the things in `links` that count.
        links: joins hashes directly or through other things (a patient, a group of a csv).

    Returns:
        For each hash "g" and the first 12 hex digits of the smallest hash that it is joined with.
    """
    smallest: dict[Hashable, str] = {}
    distinct = sorted(set(hashes))
    for digest in distinct:
        smallest.setdefault(links.find(digest), digest)
    return {digest: f"g{smallest[links.find(digest)][:12]}" for digest in distinct}
