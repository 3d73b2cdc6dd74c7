"""Train without some pictures, test on them: a source at a time, or the folds of one source.

What is held out is never seen: not in training, not by the temperature, not by the operating point.
"""

from __future__ import annotations

import json
import multiprocessing
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.atomic import atomic_write_bytes, atomic_write_text
from tumorscan.config import Settings
from tumorscan.data.catalog import Catalog, kept_catalog
from tumorscan.data.folds import make_folds
from tumorscan.data.lesions import Lesion
from tumorscan.data.split import Split, make_source_split, without_copies
from tumorscan.detect.calibrate import fit_calibration
from tumorscan.detect.engines.keras_engine import KerasEngine
from tumorscan.detect.points import fit_points
from tumorscan.errors import DataError, SettingsError
from tumorscan.evaluate.intervals import exact_binomial
from tumorscan.evaluate.metrics import auc_over_groups
from tumorscan.evaluate.report import write_metrics
from tumorscan.jsonable import plain_interval
from tumorscan.model.checkpoint import Checkpoints, npz_bytes
from tumorscan.model.weights import named_weights
from tumorscan.study.evidence_fit import fit_evidence, lesions_of
from tumorscan.study.part import load_part
from tumorscan.study.run import CATALOG, Say
from tumorscan.types import Interval


@dataclass(frozen=True)
class Fit:
    """One training: its split, whose test part is what it does not see, and where it starts."""

    name: str
    split: Split
    settings: Settings


@dataclass(frozen=True)
class HeldOut:
    """What a fit said of the pictures that it never saw, calibrated without them.

    Attributes:
        files, labels (1 = tumor), groups, patients: of the test pictures.
        probabilities: of a tumor, 0..1.
        threshold: of the screening point.
    """

    files: list[str]
    labels: list[int]
    groups: list[str]
    patients: list[str]
    probabilities: list[float]
    threshold: float


@dataclass(frozen=True)
class Row:
    """A line of the table: figures of pictures that were held out; None where a class is missing."""

    name: str
    tumor: int
    no_tumor: int
    auc: Interval | None
    sensitivity: Interval | None
    specificity: Interval | None

    def to_table(self) -> dict[str, Any]:
        """As plain values."""
        figures = {
            name: None if value is None else plain_interval(value)
            for name, value in (
                ("auc", self.auc),
                ("sensitivity", self.sensitivity),
                ("specificity", self.specificity),
            )
        }
        return {"name": self.name, "tumor": self.tumor, "no_tumor": self.no_tumor, **figures}

    def to_text(self) -> str:
        """One line."""
        figures = "  ".join(
            f"{name} {'-' if value is None else value}"
            for name, value in (
                ("AUC", self.auc),
                ("sensitivity", self.sensitivity),
                ("specificity", self.specificity),
            )
        )
        return f"  {self.name:24} {self.tumor:4} tumor {self.no_tumor:4} none  {figures}"


def leave_one_out(catalog: Catalog, settings: Settings, only: Sequence[str] = ()) -> list[Fit]:
    """A fit for each source, trained without it.

    Args:
        catalog: of several sources.
        settings: of every fit.
        only: these sources; all if empty.

    Raises:
        DataError: an unknown source, or one without which a class is missing.
    """
    names = sorted({record.source for record in catalog.records})
    unknown = set(only) - set(names)
    if unknown or len(names) < 2:
        what = f"there is no source {', '.join(sorted(unknown))}" if unknown else "there is one source only"
        raise DataError(f"{what}: the sources are {', '.join(names)}")
    fits = []
    for name in only or names:
        groups = {record.group for record in catalog.records if record.source == name}
        rest = {record.label for record in catalog.records if record.group not in groups}
        if len(rest) < 2:
            raise DataError(
                f"source {name}: the other sources hold {' and '.join(sorted(rest)) or 'nothing'} only, so "
                "nothing can be trained without it: add a source of the other class"
            )
        fits.append(Fit(name, make_source_split(catalog, settings.split, groups), settings))
    return fits


def folds_of(catalog: Catalog, source: str, settings: Settings, folds: int, seed: int = 1) -> list[Fit]:
    """A fit for each fold of one source, trained on all others and on the rest of it.

    Raises:
        DataError: there is no such source, or it has too few groups.
    """
    mine, _ = without_copies([record for record in catalog.records if record.source == source])
    if not mine:
        raise DataError(f"there is no source {source}: name a folder or csv that holds it")
    fits = []
    for k, fold in enumerate(make_folds(mine, folds, settings.split, seed)):
        groups = {mine[i].group for i in fold.test}
        fits.append(
            Fit(f"{source} fold {k + 1}", make_source_split(catalog, settings.split, groups), settings)
        )
    return fits


def run_fits(
    fits: Sequence[Fit], lesions: Mapping[Path, Lesion], folder: Path, *, say: Say = lambda _: None
) -> dict[str, HeldOut]:
    """Do all fits, each in a process of its own: TensorFlow gives memory back only then. Resumes.

    Args:
        fits: what to train.
        lesions: where the tumors are.
        folder: of the study; a fit's predictions are `folder/NAME.json`.
        say: gets a line a fit.
    """
    results = {}
    for fit in fits:
        # A csv may name its sources in any way: lab/2021 is no folder.
        name = re.sub(r"[^\w.-]+", "-", fit.name)
        file = folder / f"{name}.json"
        if not file.is_file():
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                result = pool.submit(held_out, fit, lesions, file.with_suffix("")).result()
            atomic_write_text(file, json.dumps(asdict(result)))
        results[fit.name] = HeldOut(**json.loads(file.read_text(encoding="utf-8")))
        say(row_of(fit.name, [results[fit.name]]).to_text())
    return results


def held_out(fit: Fit, lesions: Mapping[Path, Lesion], folder: Path) -> HeldOut:
    """Train a fit and ask it about its test pictures; its weights are kept as `folder/weights.npz`."""
    parts, settings = fit.split.parts, fit.settings
    state = Checkpoints(folder / "state")
    train, validation = (load_part(parts[name], settings) for name in ("train", "validation"))
    trained = fit_evidence(train, validation, lesions, settings, state)
    atomic_write_bytes(folder / "weights.npz", npz_bytes(named_weights(trained.network.layers)))
    engine = KerasEngine(trained.network)
    known = load_part([*parts["validation"], *parts["calibration"]], settings)
    groups, sources = (
        np.array([getattr(one, name) for one in known.records]) for name in ("group", "source")
    )
    logits = engine.run_all(known.pictures)
    calibration = fit_calibration(logits, known.labels, groups, sources)
    screening = fit_points(
        calibration.probability(logits),
        known.labels,
        groups,
        fit.name,
        sensitivity=settings.decide.sensitivity,
    )[0]
    test = load_part(parts["test"], settings)
    for leftover in (folder / "state").glob("*"):
        leftover.unlink()
    return HeldOut(
        [str(record.file) for record in test.records],
        test.labels.tolist(),
        [record.group for record in test.records],
        [record.patient or record.group for record in test.records],
        calibration.probability(engine.run_all(test.pictures)).tolist(),
        screening.threshold,
    )


def row_of(name: str, results: Sequence[HeldOut]) -> Row:
    """Figures of one or more fits' test pictures, pooled; thresholds are each fit's own."""
    labels = np.concatenate([one.labels for one in results]).astype(np.int64)
    scores = np.concatenate([one.probabilities for one in results])
    groups = [group for one in results for group in one.groups]
    said = np.concatenate([np.array(one.probabilities) >= one.threshold for one in results])
    tumors, others = labels == 1, labels == 0
    return Row(
        name,
        int(tumors.sum()),
        int(others.sum()),
        auc_over_groups(labels, scores, groups) if tumors.any() and others.any() else None,
        _share(said[tumors]),
        _share(~said[others]),
    )


def _share(right: NDArray[np.bool_]) -> Interval | None:
    return exact_binomial(int(right.sum()), len(right)) if len(right) else None


@dataclass(frozen=True)
class HeldOutTable:
    """All lines of a study, and its settings."""

    rows: tuple[Row, ...]

    def to_table(self) -> dict[str, Any]:
        """As plain values."""
        return {"rows": [row.to_table() for row in self.rows]}

    def to_text(self) -> str:
        """A line a row."""
        return "\n".join(
            [
                "trained without it, tested on it; sensitivity and specificity at the screening point",
                *(row.to_text() for row in self.rows),
            ]
        )


def sources_experiment(
    sources: Sequence[Path],
    settings: Settings,
    folder: Path,
    *,
    only: Sequence[str] = (),
    within: str = "",
    folds: int = 5,
    progress: bool = False,
    say: Say = lambda _: None,
) -> HeldOutTable:
    """Leave one source out at a time; or, `within` one source, one fold of it at a time.

    Args:
        sources: folders or csv files; csv files may give boxes.
        settings: of every fit, with an evidence head.
        folder: of the study; what is there is not done again.
        only: leave out these sources; all if empty.
        within: a source whose folds are left out instead.
        folds: of that.
        progress: bars on stderr.
        say: gets a line a fit.

    Raises:
        SettingsError: the settings are of another head.
        DataError, BundleError, EnvironmentProblem: as their messages say.
    """
    if settings.model.head != "evidence":
        raise SettingsError(f"the preset {settings.preset} has no evidence head: give --preset evidence")
    catalog = kept_catalog(sources, folder / CATALOG, progress=progress)
    fits = folds_of(catalog, within, settings, folds) if within else leave_one_out(catalog, settings, only)
    results = run_fits(fits, lesions_of(sources), folder, say=say)
    rows = [row_of(name, [result]) for name, result in results.items()]
    if within:
        rows.append(row_of(f"{within}, all folds", list(results.values())))
    table = HeldOutTable(tuple(rows))
    write_metrics(folder / ("folds.json" if within else "sources.json"), table.to_table())
    return table
