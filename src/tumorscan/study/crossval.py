"""Repeated grouped cross-validation: everything that is fitted is fitted inside the fold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.atomic import atomic_write_text
from tumorscan.config import Settings
from tumorscan.data.catalog import kept_catalog, read_catalog
from tumorscan.data.folds import make_folds
from tumorscan.data.records import Catalog, Record
from tumorscan.data.split import refuse_conflicts, without_copies
from tumorscan.data.table import relative_name, write_table
from tumorscan.errors import DataError, SettingsError
from tumorscan.model.bank import FeatureBank
from tumorscan.study.claim import CATALOG, claim
from tumorscan.study.fits import Job, Plan, run_fits
from tumorscan.study.part import load_part
from tumorscan.study.run import Say
from tumorscan.types import Verdict

FITS = "fits"
PREDICTIONS = "predictions.csv"


@dataclass(frozen=True)
class Repeats:
    """A recipe to be cross-validated.

    Attributes:
        sources: folders of pictures or csv files.
        settings: of every fit; the shares of train, validation and calibration hold inside a fold.
        folder: where it is kept.
        repeats: how often the folds are dealt anew.
        folds: of each repeat.
    """

    sources: Sequence[Path]
    settings: Settings
    folder: Path
    repeats: int = 5
    folds: int = 5

    def __post_init__(self) -> None:
        if self.settings.model.head == "evidence":
            raise SettingsError(
                "an evidence head is cross-validated by `tumorscan experiment sources ... --within SOURCE`: "
                "give another --preset here"
            )
        if self.repeats < 1:
            raise SettingsError(f"repeats is {self.repeats}: it must be at least 1")


@dataclass(frozen=True)
class OutOfFold:
    """What R repeats said of N pictures, each by a fit that had not seen its group.

    Attributes:
        records: the N pictures.
        labels: N, 1 = tumor.
        probabilities: R x N, calibrated inside the fold.
        reported: R x N, 1 where the fold's own threshold says tumor.
        validation_auc: R x folds, at the chosen epoch.
    """

    records: tuple[Record, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    reported: NDArray[np.int64]
    validation_auc: NDArray[np.float64]

    @property
    def groups(self) -> list[str]:
        """N names of what belongs together."""
        return [record.group for record in self.records]


def cross_validate(study: Repeats, *, progress: bool = False, say: Say = lambda _: None) -> OutOfFold:
    """Fit `repeats` x `folds` times; a killed run goes on at the next fit.

    Args:
        study: what is cross-validated; its folder gets all fits and predictions.csv.
        progress: bars on stderr.
        say: gets a line a fit.

    Raises:
        SettingsError: folds are out of range, or the folder holds other settings.
        DataError, BundleError, EnvironmentProblem: as their messages say.
    """
    catalog = catalog_of(study, progress=progress)
    records, _ = without_copies(catalog.records)
    plan = make_plan(records, study)
    fit_all(records, study, plan, progress=progress, say=say)
    result = gather(records, plan, study.folder)
    _write_predictions(result, study.folder / PREDICTIONS)
    return result


def catalog_of(study: Repeats, *, progress: bool = False) -> Catalog:
    """The catalog of a cross-validation's folder, made once and read back.

    Raises:
        SettingsError: the folder holds another cross-validation.
        DataError: pictures that belong together bear both labels.
    """
    _claim(study)
    path = study.folder / CATALOG
    kept_catalog(study.sources, path, progress=progress)
    catalog = read_catalog(path)
    refuse_conflicts(catalog)
    return catalog


def make_plan(
    records: Sequence[Record], study: Repeats, *, groups: Sequence[str] | None = None, prefix: str = ""
) -> Plan:
    """The fits of a repeated cross-validation; `make_folds` says what `groups` is for."""
    split = study.settings.split
    seeds = [split.seed + repeat for repeat in range(study.repeats)]
    return {
        f"{prefix}r{repeat}f{k}": Job(repeat, fold, seed)
        for repeat, seed in enumerate(seeds)
        for k, fold in enumerate(make_folds(records, study.folds, split, seed, groups=groups))
    }


def fit_all(
    records: Sequence[Record],
    study: Repeats,
    plan: Plan,
    *,
    progress: bool = False,
    say: Say = lambda _: None,
) -> None:
    """Do the fits of a plan that are not on disk yet; the shared features are run once for all."""
    settings, folder = study.settings, study.folder
    todo = {name: job for name, job in plan.items() if not _fit_file(folder, name).is_file()}
    if not todo:
        return
    part = load_part(records, settings, progress=progress)
    features = folder / "features"
    FeatureBank.make(part.pictures, settings, features, progress=progress)
    done = len(plan) - len(todo)
    for name, row in run_fits(todo, features, part.labels, settings):
        atomic_write_text(_fit_file(folder, name), json.dumps(row))
        done += 1
        say(f"fit {done} of {len(plan)} ({name}): validation AUC {row['validation_auc']:.3f}")
    shutil.rmtree(features, ignore_errors=True)


def gather(records: Sequence[Record], plan: Plan, folder: Path) -> OutOfFold:
    """Put the out-of-fold predictions of all fits together.

    Raises:
        DataError: a fit's file is absent, damaged or of other data.
    """
    repeats = 1 + max(job.repeat for job in plan.values())
    probabilities = np.full((repeats, len(records)), np.nan)
    reported = np.zeros((repeats, len(records)), np.int64)
    aucs: list[list[float]] = [[] for _ in range(repeats)]
    for name, job in plan.items():
        row = _read_fit(_fit_file(folder, name), job)
        rows, said = np.array(job.fold.test), np.array(row["probabilities"])
        probabilities[job.repeat, rows] = said
        reported[job.repeat, rows] = said >= row["threshold"]
        aucs[job.repeat].append(row["validation_auc"])
    labels = np.array([record.label == "tumor" for record in records], np.int64)
    return OutOfFold(tuple(records), labels, probabilities, reported, np.array(aucs))


def _read_fit(file: Path, job: Job) -> dict[str, Any]:
    try:
        row: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        row["threshold"], row["validation_auc"] = float(row["threshold"]), float(row["validation_auc"])
        pictures, said = list(row["rows"]), [float(p) for p in row["probabilities"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file}: damaged ({error}); delete it and run again") from error
    if pictures != list(job.fold.test) or len(said) != len(pictures):
        raise DataError(f"{file}: is of other pictures; delete it and run again")
    return row


def _fit_file(folder: Path, name: str) -> Path:
    return folder / FITS / f"{name}.json"


def _claim(study: Repeats) -> None:
    """Make the folder this cross-validation's own, or recognise it as such; more repeats may be added."""
    what, mark = "a cross-validation", study.folder / "folds"
    begun = (study.folder / FITS).is_dir()
    if claim(study.folder, study.settings, study.sources, what, begun=begun) or not begun:
        atomic_write_text(mark, f"{study.folds}\n")
    elif mark.read_text(encoding="utf-8").strip() != str(study.folds):
        raise SettingsError(f"{study.folder}: holds {what} with other settings; choose another --out")


def _write_predictions(result: OutOfFold, path: Path) -> None:
    """One line a picture and repeat."""
    rows = [
        {
            "file": relative_name(record.file, path.parent.resolve()),
            "label": record.label,
            "group": record.group,
            "repeat": repeat,
            "probability": repr(float(result.probabilities[repeat, i])),
            "verdict": str(Verdict.TUMOR if result.reported[repeat, i] else Verdict.NO_TUMOR),
        }
        for repeat in range(len(result.probabilities))
        for i, record in enumerate(result.records)
    ]
    write_table(path, ("file", "label", "group", "repeat", "probability", "verdict"), rows)
