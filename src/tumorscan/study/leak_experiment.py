"""What a leak is worth: one recipe, split at random by picture and split by group, on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tumorscan.data.records import Record
from tumorscan.evaluate.blocks import in_words
from tumorscan.evaluate.intervals import group_bootstrap
from tumorscan.evaluate.repeated import difference, mean_auc
from tumorscan.evaluate.report import write_metrics
from tumorscan.jsonable import plain_interval
from tumorscan.study.crossval import OutOfFold, Repeats, catalog_of, fit_all, gather, make_plan
from tumorscan.study.run import Say
from tumorscan.types import Interval

_ARMS = ("random", "grouped")


@dataclass(frozen=True)
class LeakExperiment:
    """Mean AUC of both ways to split, and random minus grouped, each with its interval."""

    random: Interval
    grouped: Interval
    inflation: Interval
    pictures: int
    groups: int
    repeats: int
    folds: int

    def to_table(self) -> dict[str, Any]:
        """As plain values."""
        arms = {name: plain_interval(getattr(self, name)) for name in ("random", "grouped", "inflation")}
        counts = {name: getattr(self, name) for name in ("pictures", "groups", "repeats", "folds")}
        return {**arms, **counts}

    def to_text(self) -> str:
        """A line an arm."""
        return (
            f"{self.pictures} pictures in {self.groups} groups, {self.repeats} x {self.folds} folds, "
            f"mean ROC AUC with bootstrap over groups\n"
            f"  split at random   {in_words(self.random)}\n"
            f"  split by group    {in_words(self.grouped)}\n"
            f"  random - grouped  {in_words(self.inflation)}"
        )


def leak_experiment(study: Repeats, *, progress: bool = False, say: Say = lambda _: None) -> LeakExperiment:
    """Cross-validate twice over all files, copies included; goes on after a kill.

    Args:
        study: the one recipe of both arms; its folder gets the fits and metrics.json.
        progress: bars on stderr.
        say: gets a line a fit.

    Raises:
        SettingsError, DataError, BundleError, EnvironmentProblem: as their messages say.
    """
    records = catalog_of(study, progress=progress).records
    alone = [f"file{i}" for i in range(len(records))]
    plans = {
        "random": make_plan(records, study, groups=alone, prefix="random-"),
        "grouped": make_plan(records, study, prefix="grouped-"),
    }
    fit_all(records, study, {**plans["random"], **plans["grouped"]}, progress=progress, say=say)
    arms = {name: gather(records, plans[name], study.folder) for name in _ARMS}
    result = _compare(arms, records, study)
    write_metrics(study.folder / "metrics.json", result.to_table())
    return result


def _compare(arms: dict[str, OutOfFold], records: Sequence[Record], study: Repeats) -> LeakExperiment:
    statistics = {name: mean_auc(arm.labels, arm.probabilities) for name, arm in arms.items()}
    statistics["inflation"] = difference(statistics["random"], statistics["grouped"])
    groups = [record.group for record in records]
    figures = group_bootstrap(statistics, groups)
    return LeakExperiment(
        **figures,
        pictures=len(records),
        groups=len(set(groups)),
        repeats=study.repeats,
        folds=study.folds,
    )
