"""How well tumor types are told apart: fitted and calibrated without a fold's patients, tested on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import SHIPPED
from tumorscan.data.table import relative_name, write_table
from tumorscan.detect.detector import load_detector
from tumorscan.detect.engines import AUTO
from tumorscan.detect.tumor_type import NOT_SURE, Doubles, Floats, TypeModel
from tumorscan.detect.tumor_type_fit import check_error, fit_types
from tumorscan.errors import DataError
from tumorscan.evaluate.kinds import kind_figures
from tumorscan.evaluate.report import write_metrics
from tumorscan.study.tumor_type_result import TypeRow, TypeTable
from tumorscan.study.type_features import Seen, see_types
from tumorscan.study.typed_slices import TypedSlices, read_typed

OWN, OTHER = "the bundle's features", "another trunk's features"
WHOLE: Final = "all folds, patients kept whole"
NAIVE: Final = "all folds as the table says, which divides patients"
Say = Callable[[str], None]


@dataclass(frozen=True)
class TypeTrial:
    """What is tried.

    Attributes:
        table: csv, see `read_typed`.
        out: folder of the experiment; features are kept there.
        model: bundle that finds the tumors.
        engine: what runs it.
        trunk: weights of another trunk to compare with; None for none.
        clean: a fold of whose patients the bundle's training saw no picture; empty for none.
        error: see `fit_types`.
        progress: bar on stderr.
        say: gets a line at each stage.
    """

    table: Path
    out: Path
    model: Path = SHIPPED
    engine: str = AUTO
    trunk: Path | None = None
    clean: str = ""
    error: float = 0.05
    progress: bool = False
    say: Say = lambda _: None


def type_experiment(trial: TypeTrial) -> TypeTable:
    """Measure on every fold, and write metrics.json and slices.csv.

    Raises:
        DataError: the table cannot be used, or a fold leaves too few patients.
        SettingsError: the error is out of range.
        BundleError, EnvironmentProblem: as `see_types` says.
    """
    check_error(trial.error)
    slices = read_typed(trial.table)
    _check_clean(trial, slices)
    detector = load_detector(trial.model, trial.engine)
    trial.say(f"{detector.model}: {len(slices)} slices, {len(np.unique(slices.patients))} patients")
    kinds = {OWN: None} if trial.trunk is None else {OWN: None, OTHER: trial.trunk}
    rows: list[TypeRow] = []
    written = False
    for name, trunk in kinds.items():
        kept = trial.out / ("features.npz" if trunk is None else "features_trunk.npz")
        seen = see_types(detector, slices.files, trunk=trunk, kept=kept, progress=trial.progress)
        trial.say(f"fitting on {name}")
        whole = _folds(slices, seen, slices.whole, trial)
        rows += _rows(name, slices, seen, whole, trial)
        if not written:
            _write_slices(trial, slices, seen, whole)
            written = True
    table = TypeTable(
        detector.model, trial.table.name, slices.names, slices.divided, tuple(rows), trial.error, trial.out
    )
    write_metrics(trial.out / "metrics.json", table.to_table())
    return table


@dataclass(frozen=True, eq=False)
class Answers:
    """What was said of slices by fits that had not seen their patients.

    Attributes:
        test: bool, N: those that were asked.
        probabilities: N x K; nan where not asked.
        told: N; the type, `NOT_SURE`, or empty.
        pooled: K by patient.
        patient_told: by patient.
    """

    test: NDArray[np.bool_]
    probabilities: Doubles
    told: NDArray[np.str_]
    pooled: dict[str, Doubles]
    patient_told: dict[str, str]


def _folds(slices: TypedSlices, seen: Seen, folds: NDArray[np.str_], trial: TypeTrial) -> Answers:
    """Every fold once, by a fit on the others. A patient in two folds has the last one's answer."""
    whole = _nothing(slices)
    for fold in np.unique(folds):
        test = folds == fold
        model = _fitted(slices, seen.features, ~test, trial)
        _answer(whole, model, slices, seen.features, test)
    return whole


def _nothing(slices: TypedSlices) -> Answers:
    count, kinds = len(slices), len(slices.names)
    told = np.full(count, "", dtype=f"<U{max(map(len, (*slices.names, NOT_SURE)))}")
    return Answers(np.zeros(count, bool), np.full((count, kinds), np.nan), told, {}, {})


def _fitted(slices: TypedSlices, features: Floats, rows: NDArray[np.bool_], trial: TypeTrial) -> TypeModel:
    return fit_types(
        features[rows], slices.types[rows], slices.patients[rows], slices.names, error=trial.error
    )


def _answer(
    into: Answers, model: TypeModel, slices: TypedSlices, features: Floats, test: NDArray[np.bool_]
) -> None:
    p = model.probabilities(features[test])
    into.test[test] = True
    into.probabilities[test] = p
    into.told[test] = [model.told(one) for one in p]
    for patient in np.unique(slices.patients[test]):
        head = model.of_series(p[slices.patients[test] == patient])
        into.pooled[str(patient)] = head
        into.patient_told[str(patient)] = model.told(head, series=True)


def _rows(name: str, slices: TypedSlices, seen: Seen, whole: Answers, trial: TypeTrial) -> list[TypeRow]:
    rows = [_row(name, WHOLE, slices, whole)]
    rows += [
        _row(name, f"fold {fold}, whole patients", slices, whole, slices.whole == fold)
        for fold in np.unique(slices.whole)
    ]
    rows.append(_row(name, f"{WHOLE}, tumor reported", slices, whole, seen.found))
    rows.append(_row(name, NAIVE, slices, _folds(slices, seen, slices.folds, trial)))
    if trial.clean:
        touched = np.unique(slices.patients[slices.folds == trial.clean])
        test = np.isin(slices.patients, touched)
        clean = _nothing(slices)
        _answer(clean, _fitted(slices, seen.features, ~test, trial), slices, seen.features, test)
        rows.append(_row(name, f"every patient with a slice in fold {trial.clean}", slices, clean))
    return rows


def _row(
    features: str, what: str, slices: TypedSlices, answers: Answers, only: NDArray[np.bool_] | None = None
) -> TypeRow:
    some = answers.test if only is None else answers.test & only
    figures = kind_figures(
        answers.probabilities[some],
        slices.types[some],
        slices.patients[some],
        slices.names,
        pooled=answers.pooled,
        said=answers.told[some] != NOT_SURE,
        patient_said={name: told != NOT_SURE for name, told in answers.patient_told.items()},
    )
    return TypeRow(features, what, figures)


def _check_clean(trial: TypeTrial, slices: TypedSlices) -> None:
    if trial.clean and trial.clean not in slices.folds:
        raise DataError(
            f"{trial.table}: no fold {trial.clean}: there are {', '.join(np.unique(slices.folds).tolist())}"
        )


def _write_slices(trial: TypeTrial, slices: TypedSlices, seen: Seen, answers: Answers) -> None:
    """A row a slice: what a fit said that had not seen its patient."""
    head = ("file", "patient", "fold", "whole_fold", "plane", "tumor_type", "told", "found", *slices.names)
    home = trial.table.resolve().parent
    rows = [
        {
            "file": relative_name(file, home),
            "patient": slices.patients[i],
            "fold": slices.folds[i],
            "whole_fold": slices.whole[i],
            "plane": slices.planes[i],
            "tumor_type": slices.names[slices.types[i]],
            "told": answers.told[i],
            "found": str(bool(seen.found[i])).lower(),
            **dict(zip(slices.names, (f"{one:.4f}" for one in answers.probabilities[i]), strict=True)),
        }
        for i, file in enumerate(slices.files)
    ]
    write_table(trial.out / "slices.csv", head, rows)
