"""The queue at a glance, beside a node that may be running."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tumorscan.app.node.database import FILE
from tumorscan.errors import EnvironmentProblem


def glance(folder: Path) -> dict[str, Any]:
    """What a node's store holds; it is only read.

    Returns:
        ``studies``: how many, by state; ``waiting``: results by peer, with the tries so far and the seconds
        since the epoch of the next; ``failed``: reasons by keyed hash.

    Raises:
        EnvironmentProblem: there is no queue, or it cannot be read.
    """
    file = folder.absolute() / FILE
    if not file.exists():
        raise EnvironmentProblem(f"{folder}: no node has been here: say its --store")
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
            states = dict(db.execute("SELECT state, COUNT(*) FROM studies GROUP BY state"))
            waiting = db.execute(
                "SELECT destination, COUNT(*), MAX(attempts), MIN(next_try) FROM deliveries "
                "WHERE state = 'waiting' GROUP BY destination"
            ).fetchall()
            failed = dict(db.execute("SELECT study, reason FROM studies WHERE state = 'failed' ORDER BY due"))
    except sqlite3.Error as error:
        raise EnvironmentProblem(f"{file}: cannot be read: {error}") from error
    names = ("results", "tries", "next_try")
    return {
        "studies": states,
        "waiting": {where: dict(zip(names, row, strict=True)) for where, *row in waiting},
        "failed": failed,
    }


def glance_text(found: dict[str, Any], now: float) -> str:
    """For people."""
    lines = [
        f"studies: {', '.join(f'{count} {state}' for state, count in found['studies'].items()) or 'none'}"
    ]
    for where, one in found["waiting"].items():
        due = max(0.0, one["next_try"] - now)
        lines.append(
            f"{where}: {one['results']} results wait, tried {one['tries']} times, next in {due:.0f} s"
        )
    lines += [f"failed: study {study[:12]}: {reason}" for study, reason in found["failed"].items()]
    return "\n".join(lines)
