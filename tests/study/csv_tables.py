"""A csv of a test, changed as people change theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tumorscan.data.table import read_table, write_table

Row = dict[str, str]


def rewrite(table: Path, change: Callable[[Row], Row]) -> None:
    """Write a csv again with every row as `change` of it says; what that is silent on stays."""
    rows = [row | change(row) for _, row in read_table(table, ("file", "label"))]
    write_table(table, tuple(rows[0]), rows)
