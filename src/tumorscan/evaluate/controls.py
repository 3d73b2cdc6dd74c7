"""Controls: how well simple models that never see the brain tell the classes of a data set apart.

What they reach is what the choice of pictures gives away (Winkler 2019; Zech 2018 on confounded sets).
Every score is of a picture whose group the scoring model was not fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscan.errors import DataError, SettingsError, require
from tumorscan.evaluate.metrics import auc_over_groups
from tumorscan.evaluate.weighted import Floats, auc, check_labels
from tumorscan.jsonable import interval_from, plain_interval
from tumorscan.types import Interval

METADATA, STATISTICS, BOTH, RIM, SHUFFLED = (
    "File metadata alone",
    "Ten pixel statistics alone",
    "Metadata and pixel statistics",
    "Centre blanked out",
    "Shuffled labels",
)
Learner = Literal["forest", "small forest", "linear"]

_FOLDS: Final = 5
_TREES: Final = 100
# Chance needs no fine scores, and there are many permutations.
_TREES_OF_CHANCE: Final = 25
_COMPONENTS: Final = 12


@dataclass(frozen=True)
class Controls:
    """AUCs of the controls of one data set.

    Attributes:
        aucs: by name, in the order of a report.
        n: pictures.
        n_groups: groups; none stands on both sides of a fold.
        folds: of the cross-validation.
        repeats: scores are means over so many draws of the folds.
        shuffles: permutations behind "Shuffled labels".
        seed: of all lots.
    """

    aucs: Mapping[str, Interval]
    n: int
    n_groups: int
    folds: int
    repeats: int
    shuffles: int
    seed: int

    @property
    def strongest(self) -> tuple[str, Interval]:
        """The control with the highest AUC, shuffled labels left out."""
        true = {name: figure for name, figure in self.aucs.items() if name != SHUFFLED}
        name = max(true, key=lambda key: true[key].value)
        return name, true[name]

    @property
    def sound(self) -> bool:
        """Shuffled labels come out at 0.5 within their interval."""
        shuffled = self.aucs[SHUFFLED]
        return shuffled.low <= 0.5 <= shuffled.high

    def to_table(self) -> dict[str, Any]:
        """Plain values for metrics.json; undefined bounds are None."""
        return {
            "n": self.n,
            "n_groups": self.n_groups,
            "folds": self.folds,
            "repeats": self.repeats,
            "shuffles": self.shuffles,
            "seed": self.seed,
            "auc": {name: plain_interval(figure) for name, figure in self.aucs.items()},
        }


def controls_from(table: Mapping[str, Any]) -> Controls:
    """The controls that `Controls.to_table` wrote."""
    aucs = {name: interval_from(figure) for name, figure in table["auc"].items()}
    return Controls(**{**{key: value for key, value in table.items() if key != "auc"}, "aucs": aucs})


def measure_controls(
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    metadata: Floats,
    statistics: Floats,
    rim: Floats,
    repeats: int = 3,
    shuffles: int = 20,
    seed: int = 1,
    unit: str = "groups",
) -> Controls:
    """All controls of a data set, by grouped, stratified cross-validation.

    Args:
        labels: N, 1 for a tumor, 0 for none.
        groups: N names of what belongs together.
        metadata: N x K1, features of the files.
        statistics: N x K2, statistics of the pixels.
        rim: N x K3, the picture without its centre.
        repeats: draws of the folds; scores are averaged over them.
        shuffles: permutations of the labels, at least 2.
        seed: of folds, forests and permutations.
        unit: what the methods call a group.

    Raises:
        DataError: labels or features are unusable, or a class has fewer than two groups.
        SettingsError: seed, shuffles or repeats are out of range.
    """
    if seed < 0 or shuffles < 2 or repeats < 1:
        raise SettingsError(
            f"seed {seed}, shuffles {shuffles}, repeats {repeats}: at least 0, 2 and 1 are needed"
        )
    truth, names = check_labels(labels), np.asarray(groups).astype(np.str_)
    both = np.column_stack([metadata, statistics])
    kinds: dict[str, tuple[Floats, Learner]] = {
        METADATA: (metadata, "forest"),
        STATISTICS: (statistics, "forest"),
        BOTH: (both, "forest"),
        RIM: (rim, "linear"),
    }
    aucs = {}
    for name, (features, learner) in kinds.items():
        scores = out_of_fold(features, truth, names, learner, repeats=repeats, seed=seed)
        aucs[name] = auc_over_groups(truth, scores, names, seed=seed, unit=unit)
    aucs[SHUFFLED] = _shuffled(both, truth, names, shuffles, seed)
    return Controls(aucs, truth.size, np.unique(names).size, folds_of(truth, names), repeats, shuffles, seed)


def out_of_fold(
    features: Floats,
    labels: ArrayLike,
    groups: ArrayLike,
    learner: Learner,
    *,
    repeats: int = 1,
    seed: int = 1,
) -> Floats:
    """Scores of models that were fitted without the picture's group.

    Args:
        features: N x K, finite.
        labels: N, 0 or 1.
        groups: N names.
        learner: `forest` (random forest, Breiman 2001; `small forest` has 25 trees) or `linear`
            (standardised principal components and logistic regression). All that is fitted is fitted
            inside the fold.
        repeats: draws of the folds, averaged.
        seed: of folds and forests.

    Returns:
        float64, N, 0..1; higher means "tumor".

    Raises:
        DataError: features, labels or groups are unusable, or a class has fewer than two groups.
    """
    truth, names = check_labels(labels), np.asarray(groups).astype(np.str_)
    if features.ndim != 2 or len(features) != truth.size or not np.isfinite(features).all():
        raise DataError(f"features have the shape {features.shape} for {truth.size} labels: N x K, finite")
    selection = require("sklearn.model_selection", "train")
    total = np.zeros(truth.size)
    for repeat in range(repeats):
        folds = selection.StratifiedGroupKFold(
            folds_of(truth, names), shuffle=True, random_state=seed + repeat
        )
        for fitted, held in folds.split(features, truth, names):
            total[held] += _score(learner, features[fitted], truth[fitted], features[held], seed)
    return total / repeats


def folds_of(labels: NDArray[np.int64], groups: NDArray[np.str_]) -> int:
    """Five, or as many as the class with the fewest groups has.

    Raises:
        DataError: that is fewer than two.
    """
    fewest = min(np.unique(groups[labels == label]).size for label in (0, 1))
    if fewest < 2:
        raise DataError(
            f"controls need two groups of each class and one class has {fewest}: "
            "add pictures of it from other patients"
        )
    return min(_FOLDS, int(fewest))


def shuffle_labels(
    labels: NDArray[np.int64], groups: NDArray[np.str_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Labels permuted over groups: a group of one class takes the class of another such group.

    In groups that hold both classes (slices of one head) the labels change places within the group.
    """
    shuffled = labels.copy()
    _, member = np.unique(groups, return_inverse=True)
    pictures = np.bincount(member)
    tumors = np.bincount(member, weights=labels)
    pure = (tumors == 0) | (tumors == pictures)
    of_group = (tumors > 0).astype(np.int64)
    of_group[pure] = rng.permutation(of_group[pure])
    shuffled[pure[member]] = of_group[member][pure[member]]
    for group in np.flatnonzero(~pure):
        inside = np.flatnonzero(member == group)
        shuffled[inside] = rng.permutation(labels[inside])
    return shuffled


def _score(learner: Learner, fitted: Floats, labels: NDArray[np.int64], held: Floats, seed: int) -> Floats:
    if np.unique(labels).size < 2:
        return np.full(len(held), float(labels[0]))
    model = _linear(fitted) if learner == "linear" else _forest(learner, seed)
    scores: Floats = model.fit(fitted, labels).predict_proba(held)[:, 1]
    return scores


def _forest(learner: Learner, seed: int) -> Any:
    forest = require("sklearn.ensemble", "train").RandomForestClassifier
    trees = _TREES if learner == "forest" else _TREES_OF_CHANCE
    return forest(trees, min_samples_leaf=2, class_weight="balanced", random_state=seed)


def _linear(fitted: Floats) -> Any:
    pipeline = require("sklearn.pipeline", "train").make_pipeline
    parts = min(_COMPONENTS, fitted.shape[1], len(fitted) - 1)
    return pipeline(
        require("sklearn.preprocessing", "train").StandardScaler(),
        require("sklearn.decomposition", "train").PCA(parts, svd_solver="full"),
        require("sklearn.linear_model", "train").LogisticRegression(max_iter=1000, class_weight="balanced"),
    )


def _shuffled(
    features: Floats, labels: NDArray[np.int64], groups: NDArray[np.str_], shuffles: int, seed: int
) -> Interval:
    """Mean over permutations, and where 95 % of single permutations lie: the reach of chance alone."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(shuffles):
        moved = shuffle_labels(labels, groups, rng)
        if min(np.unique(groups[moved == label]).size for label in (0, 1)) < 2:
            continue  # large groups changed classes with small ones; there is nothing to fold
        scores = out_of_fold(features, moved, groups, "small forest", seed=seed)
        found.append(float(auc(moved, scores)(np.ones((1, moved.size)))[0]))
    if len(found) < 2:
        return Interval(np.nan, np.nan, np.nan, "spread of permutations: undefined here")
    value, spread = float(np.mean(found)), 1.96 * float(np.std(found, ddof=1))
    return Interval(
        value, max(0.0, value - spread), min(1.0, value + spread), f"spread of {len(found)} permutations"
    )
