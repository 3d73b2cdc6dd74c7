"""The answer for one file as a row: of JSON lines, of a csv, of a Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tumorscan.errors import UnreadableScan
from tumorscan.types import Finding

SCHEMA: Final = "tumorscan.finding/1"
"""Of `to_table`: the number rises when a key changes its meaning or goes, not when one is added."""

STAGES: Final = ("read", "prepare", "infer")
"""What is timed, in this order; of a batch each picture has an equal share."""

COLUMNS: Final = (
    *(
        "file",
        "verdict",
        "probability",
        "confidence",
        "threshold",
        "operating_point",
        "model",
        "notes",
        "reasons",
        "type_hint",
        "type_hint_probability",
        "error",
    ),
    *(f"milliseconds_{stage}" for stage in STAGES),
)
"""Of every row; those that a csv of the user's brings along come after them."""

NUMBERS: Final = frozenset(
    name
    for name in COLUMNS
    if name.startswith("milliseconds_")
    or name in ("probability", "confidence", "threshold", "type_hint_probability")
)
"""The columns that hold a number."""

LISTS: Final = ("notes", "reasons")
"""The columns that hold a list of texts; all others hold a text."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """A file of a long list.

    Attributes:
        name: what the results call it.
        file: where it is, for the reader.
        carried: values of the user's own columns, passed through.
        problem: what was found out when it was listed; such a file is not read.
    """

    name: str
    file: str
    carried: tuple[str, ...] = ()
    problem: str = ""


def to_table(answer: Finding | UnreadableScan) -> Row:
    """The JSON form of an answer: a finding, or `file` and `error`. The command line's and the API's.

    A picture that the gate refused has None for probability and confidence, and its `reasons`. `tumor_type`
    is None where no tumor is reported or the bundle tells no types. `sha256` is of the file's bytes, and left
    out where the answer is not of one file.
    """
    if isinstance(answer, UnreadableScan):
        return {"schema": SCHEMA, "file": answer.file, "error": answer.cause}
    table = {
        "schema": SCHEMA,
        "file": answer.file,
        "verdict": str(answer.verdict),
        "probability": _rounded(answer.probability, 6),
        "confidence": _rounded(answer.confidence, 2),
        "threshold": round(answer.threshold, 6),
        "operating_point": answer.operating_point,
        "model": answer.model,
        "notes": list(answer.notes),
        "reasons": list(answer.reasons),
        "tumor_type": _type(answer),
        "milliseconds": answer.milliseconds,
    }
    return table | {"sha256": answer.sha256} if answer.sha256 else table


def to_row(answer: Finding | UnreadableScan, item: Item, carried: Sequence[str]) -> Row:
    """An answer with every column, None where it has no value.

    Args:
        answer: of the item.
        item: the file as it was listed; its name is the row's.
        carried: names of the item's carried columns; an item without values has empty ones.
    """
    table = to_table(answer)
    times = table.pop("milliseconds", {})
    del table["schema"]  # of the nested form; a row's columns are its own
    table.pop("sha256", None)  # lists of the user's that bring it along have a column of that name
    hint = table.pop("tumor_type", None)
    if hint:
        # Not `tumor_type`: lists of the user's that bring the truth along have a column of that name.
        table |= {"type_hint": hint["told"], "type_hint_probability": max(hint["probabilities"].values())}
    row: Row = dict.fromkeys(COLUMNS) | {name: [] for name in LISTS} | table | {"file": item.name}
    row |= {f"milliseconds_{stage}": times.get(stage) for stage in STAGES}
    values = item.carried or ("",) * len(carried)
    return row | dict(zip(carried, values, strict=True))


def _type(answer: Finding) -> Row | None:
    """The hint: what is told, and the probability of each type."""
    if not answer.tumor_type:
        return None
    shares = {name: round(share, 4) for name, share in answer.tumor_type.items()}
    return {"told": answer.tumor_type_told, "probabilities": shares}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
