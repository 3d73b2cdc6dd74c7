"""How often nothing is said, and how often the rest is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscan.errors import DataError
from tumorscan.evaluate import weighted
from tumorscan.evaluate.blocks import Section, Table, Text, interval_table
from tumorscan.evaluate.intervals import exact_binomial, group_bootstrap
from tumorscan.jsonable import plain_interval
from tumorscan.types import Interval, Verdict

_TITLES = {
    "cannot_say": "CANNOT SAY",
    "accuracy": "Accuracy of the rest",
    "missed": "Tumors called no tumor",
    "false_alarms": "Others called tumor",
}


@dataclass(frozen=True)
class Answered:
    """What a system with an uncertain band did on pictures whose truth is known.

    Attributes:
        n: pictures.
        said: those with a verdict.
        figures: `cannot_say`, the share without one; `accuracy` of those with one; `missed`, tumors called
            no tumor, and `false_alarms`, others called tumor, both as a share of all of their class, which
            is what the band limits. Exact binomial; nan where undefined.
        over_groups: the same by the bootstrap over groups, which is the one to quote where groups hold
            several pictures.
    """

    n: int
    said: int
    figures: Mapping[str, Interval]
    over_groups: Mapping[str, Interval]

    def to_table(self) -> dict[str, Any]:
        """Plain values for metrics.json; what is undefined is None."""
        return {
            "n": self.n,
            "said": self.said,
            "figures": {name: plain_interval(figure) for name, figure in self.figures.items()},
            "over_groups": {name: plain_interval(figure) for name, figure in self.over_groups.items()},
        }

    def lines(self) -> list[str]:
        """A line a figure."""
        return [f"{_TITLES[name]:24} {figure}" for name, figure in self.figures.items()]


def answered(
    labels: ArrayLike, verdicts: Sequence[Verdict], groups: ArrayLike, *, unit: str = "groups"
) -> Answered:
    """Measure what was said and what was not.

    Args:
        labels: N, 1 for a tumor, 0 for none.
        verdicts: N; those that are neither `TUMOR` nor `NO_TUMOR` say nothing.
        groups: N names of what belongs together.
        unit: what the methods call a group: "groups", "patients".

    Raises:
        DataError: labels are unusable, or the lengths differ.
    """
    truth = weighted.check_labels(labels)
    if not len(verdicts) == np.size(groups) == truth.size:
        raise DataError(
            f"{len(verdicts)} verdicts and {np.size(groups)} groups for {truth.size} labels: "
            "give one of each for each picture"
        )
    tumor, none = (np.array([one is kind for one in verdicts]) for kind in (Verdict.TUMOR, Verdict.NO_TUMOR))
    parts = _parts(truth == 1, tumor, none)
    statistics = {name: weighted.ratio(*part) for name, part in parts.items()}
    return Answered(
        n=int(truth.size),
        said=int((tumor | none).sum()),
        figures={name: exact_binomial(int(hits.sum()), int(of.sum())) for name, (hits, of) in parts.items()},
        over_groups=group_bootstrap(statistics, np.asarray(groups).astype(np.str_), unit=unit),
    )


def _parts(
    is_tumor: NDArray[np.bool_], tumor: NDArray[np.bool_], none: NDArray[np.bool_]
) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Hits, and what they are a share of."""
    said = tumor | none
    return {
        "cannot_say": (~said, np.ones_like(said)),
        "accuracy": (np.where(is_tumor, tumor, none), said),
        "missed": (none & is_tumor, is_tumor),
        "false_alarms": (tumor & ~is_tumor, ~is_tumor),
    }


def is_correct(said: Verdict, label: str) -> bool | None:
    """Whether a verdict is the truth; None where nothing was said.

    Args:
        said: the verdict.
        label: "tumor" or "no_tumor".
    """
    if said not in (Verdict.TUMOR, Verdict.NO_TUMOR):
        return None
    return (said is Verdict.TUMOR) == (label == "tumor")


def abstention_section(rows: Mapping[str, Answered]) -> Section:
    """A report's section; one row for each part of the data, by name."""
    head = ("", *_TITLES.values())
    exact = interval_table(
        "Exact binomial 95% intervals, which take pictures as independent.",
        head,
        {f"{name} ({one.n} pictures)": [one.figures[key] for key in _TITLES] for name, one in rows.items()},
    )
    drawn: Table = interval_table(
        "The same with 95% intervals by the bootstrap over whole groups or patients.",
        head,
        {name: [one.over_groups[key] for key in _TITLES] for name, one in rows.items()},
    )
    text = (
        "CANNOT SAY - please review: operating point and uncertain band do not agree on these pictures. All "
        "other figures of this report take the operating point alone, as if each picture had a verdict."
    )
    return Section("What is left unsaid", (Text(text), exact, drawn))
