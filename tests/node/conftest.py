"""A PACS, an analysis and a node, each for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from node_peers import FAST, Analysis, Pacs

from tumorscan.app.node.node import Node
from tumorscan.app.node.settings import Limits, NodeSettings


@pytest.fixture(scope="session")
def one_pacs() -> Iterator[Pacs]:
    one = Pacs()
    yield one
    one.stop()


@pytest.fixture
def pacs(one_pacs: Pacs) -> Pacs:
    """Up, empty and willing."""
    one_pacs.objects.clear()
    one_pacs.status = 0x0000
    one_pacs.start()
    return one_pacs


@pytest.fixture
def analysis() -> Analysis:
    return Analysis()


@pytest.fixture
def make_node(tmp_path: Path, pacs: Pacs, analysis: Analysis) -> Iterator[Callable[..., Node]]:
    """Start a node on a free port; it can be stopped and started again on the same store."""
    nodes: list[Node] = []

    def start(limits: Limits | None = None, **changes) -> Node:
        limits = limits or Limits(free_bytes=0)
        settings = NodeSettings(
            store=tmp_path / "store", port=0, send_to=(pacs.peer,), patience=FAST, limits=limits
        )
        node = Node(replace(settings, **changes), changes.pop("analyse", analysis), lines.append)
        node.start()
        node.lines = lines
        nodes.append(node)
        return node

    lines: list[str] = []
    yield start
    analysis.go.set()
    for node in nodes:
        if not node.wait(0):
            node.stop()
