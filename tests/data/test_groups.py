"""Being in one group is an equivalence relation, named after content."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.data.groups import Links, group_names

HASHES = [hashlib.sha256(bytes([i])).hexdigest() for i in range(12)]
PAIRS = st.lists(st.tuples(st.sampled_from(HASHES), st.sampled_from(HASHES)), max_size=14)


def _names(pairs: list[tuple[str, str]]) -> dict[str, str]:
    links = Links()
    for pair in pairs:
        links.join(*pair)
    return group_names(HASHES, links)


def _reachable(start: str, pairs: list[tuple[str, str]]) -> set[str]:
    seen, edge = {start}, [start]
    while edge:
        here = edge.pop()
        near = {b for a, b in pairs if a == here} | {a for a, b in pairs if b == here}
        edge += near - seen
        seen |= near
    return seen


@settings(max_examples=60, deadline=None)
@given(PAIRS)
def test_one_group_is_what_a_chain_reaches(pairs: list[tuple[str, str]]) -> None:
    names = _names(pairs)
    for digest in HASHES:
        together = {other for other in HASHES if names[other] == names[digest]}
        assert together == _reachable(digest, pairs)
        assert names[digest] == "g" + min(together)[:12]


@settings(max_examples=60, deadline=None)
@given(PAIRS, st.randoms(use_true_random=False))
def test_order_of_links_does_not_matter(pairs: list[tuple[str, str]], random: object) -> None:
    turned = [(b, a) for a, b in pairs]
    random.shuffle(turned)  # type: ignore[attr-defined]
    assert _names(turned) == _names(pairs)


def test_links_through_other_things() -> None:
    links = Links()
    links.join(HASHES[3], ("patient", "set", "7"))
    links.join(HASHES[5], ("patient", "set", "7"))
    names = group_names(HASHES, links)
    assert names[HASHES[3]] == names[HASHES[5]]
    assert len(set(names.values())) == len(HASHES) - 1
