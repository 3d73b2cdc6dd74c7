"""From scores to peers.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Table = Mapping[str, Any]

_HEAD = """\
# Beside the packages that can be installed

Written by `python benchmarks/peers/score.py`; edit `benchmarks/peers/report.py`, not this page.

Every system answers the same pictures by its own rule: ours at the bundle's default operating point, the
others by their most probable class. Exact copies are left out. Intervals are 95 %: exact binomial for
sensitivity and specificity, bootstrap over patients or groups for the AUC. A picture without an answer
("cannot say", refused, unreadable) counts neither as a tumor found nor as one cleared. An AUC stands only
where one source holds both classes.

Who has seen what: both packages look trained on the public pool of four classes, which holds most of
figshare, 96 of the 98 pictures of `kaggle253/no`, and the Sartaj set. What ours was trained on is in its
`card.md`. `progression` is in nobody's training as far as is known, and both of its classes come from the
same heads.
"""


def page(table: Table) -> str:
    """The page."""
    limited = f"**A trial: at most {table['limit']} pictures a set.**\n" if table["limit"] else ""
    labelled = [row for row in table["rows"] if not _is_other(row)]
    others = [row for row in table["rows"] if _is_other(row)]
    ours = f"{table['model']} at {table['rule']} (threshold {table['threshold']:.3f})"
    return "\n".join(
        [
            _HEAD,
            limited,
            f"Ours: {ours}. Measured {table['when']}.\n",
            "## Labelled sets\n",
            _labelled(labelled),
            "## What is no brain MRI\n",
            "Share that is called a tumor; in brackets what got no verdict, which is right here.\n",
            _others(others),
            "## The packages\n",
            _packages(table["peers"]),
        ]
    )


def _is_other(row: Table) -> bool:
    return bool(row["set"].startswith(("not_brain_mri", "an all-black")))


def _labelled(rows: Sequence[Table]) -> str:
    lines = [
        "| set | system | ROC AUC | sensitivity | specificity | no answer |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        name = f"{row['set']}, {row['pictures']} pictures, {row['tumors']} tumors"
        for system, one in row["systems"].items():
            cells = [_shown(one.get(key)) for key in ("roc_auc", "sensitivity", "specificity")]
            lines.append(f"| {name} | {system} | {' | '.join(cells)} | {one['without_answer']} |")
            name = ""
    return "\n".join(lines) + "\n"


def _shown(interval: Table | None) -> str:
    if interval is None or interval["value"] is None:
        return ""
    low, high = interval["low"], interval["high"]
    bounds = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
    return f"{interval['value']:.3f}{bounds}"


def _others(rows: Sequence[Table]) -> str:
    systems = list(rows[0]["systems"]) if rows else []
    lines = [f"| set | pictures | {' | '.join(systems)} |", "|---|---|" + "---|" * len(systems)]
    whole = [row for row in rows if row["pictures"] > 1]
    for row in [*rows, _sum(whole)] if whole else rows:
        cells = [
            f"{one['said_tumor'] / row['pictures']:.2f} ({one['without_answer'] / row['pictures']:.2f})"
            for one in row["systems"].values()
        ]
        lines.append(f"| {row['set']} | {row['pictures']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _sum(rows: Sequence[Table]) -> Table:
    keys = ("said_tumor", "without_answer")
    systems = {
        name: {key: sum(row["systems"][name][key] for row in rows) for key in keys}
        for name in rows[0]["systems"]
    }
    return {"set": "not_brain_mri, all", "pictures": sum(row["pictures"] for row in rows), "systems": systems}


def _packages(about: Sequence[Table]) -> str:
    lines = ["| package | version | licence | what it is |", "|---|---|---|---|"]
    lines += [f"| {one['name']} | {one['version']} | {one['licence']} | {one['what']} |" for one in about]
    return "\n".join(lines) + "\n"
