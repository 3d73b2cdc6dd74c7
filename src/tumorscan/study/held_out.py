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

from tumorscan.atomic import atomic_write_bytes, atomic_write_text
from tumorscan.config import Settings
from tumorscan.data.catalog import Catalog, kept_catalog
from tumorscan.data.folds import make_folds
from tumorscan.data.lesions import Lesion
from tumorscan.data.split import Split, make_source_split, without_copies
from tumorscan.detect.decide import verdict
from tumorscan.detect.engines.keras_engine import KerasEngine
from tumorscan.errors import DataError, SettingsError
from tumorscan.evaluate.report import write_metrics
from tumorscan.model.checkpoint import Checkpoints, npz_bytes
from tumorscan.model.weights import named_weights
from tumorscan.study.claim import CATALOG, claim
from tumorscan.study.decision import fit_decision, refuse_too_few
from tumorscan.study.evidence_fit import fit_evidence, lesions_of, lessons
from tumorscan.study.held_out_result import HeldOut, HeldOutTable, row_of, rows_of
from tumorscan.study.part import load_part
from tumorscan.study.run import Say


@dataclass(frozen=True)
class Fit:
    """One training: its split, whose test part is what it does not see, and where it starts."""

    name: str
    split: Split
    settings: Settings


def leave_one_out(catalog: Catalog, settings: Settings, only: Sequence[str] = ()) -> list[Fit]:
    """A fit for each source, trained without it.

    Args:
        catalog: of several sources.
        settings: of every fit.
        only: these sources; all if empty. ``"a+b"`` leaves out both at once.

    Raises:
        DataError: an unknown source, or one without which a class is missing.
    """
    names = sorted({record.source for record in catalog.records})
    unknown = {name for joined in only for name in joined.split("+")} - set(names)
    if len(names) < 2:
        raise DataError(
            f"there is one source only, {', '.join(names)}: add another, or leave out the folds of this "
            "one with --within"
        )
    if unknown:
        raise DataError(
            f"there is no source {', '.join(sorted(unknown))}: the sources are {', '.join(names)}"
        )
    fits = []
    for name in only or names:
        groups = {record.group for record in catalog.records if record.source in name.split("+")}
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

    Raises:
        DataError: a fit's split teaches nothing, or is too small to calibrate on.
    """
    results = {}
    for fit in fits:
        # A csv may name its sources in any way: lab/2021 is no folder.
        name = re.sub(r"[^\w.-]+", "-", fit.name)
        file = folder / f"{name}.json"
        if not file.is_file():
            parts = fit.split.parts
            for line in lessons(parts, lesions):
                say(f"{fit.name}: {line}")
            refuse_too_few([*parts["validation"], *parts["calibration"]], fit.settings.decide)
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                result = pool.submit(held_out, fit, lesions, file.with_suffix("")).result()
            atomic_write_text(file, json.dumps(asdict(result)))
        results[fit.name] = HeldOut.read(file)
        for row in rows_of(fit.name, results[fit.name]):
            say(row.to_text())
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
    logits = engine.run_all(known.pictures)
    decided = fit_decision(logits, known.records, settings.decide, "validation and calibration splits")
    test = load_part(parts["test"], settings)
    for leftover in (folder / "state").glob("*"):
        leftover.unlink()
    probabilities = decided.calibration.probability(engine.run_all(test.pictures))
    point = decided.points[0]
    return HeldOut(
        [str(record.file) for record in test.records],
        test.labels.tolist(),
        [record.group for record in test.records],
        [record.patient or record.group for record in test.records],
        probabilities.tolist(),
        point.threshold,
        [str(verdict(p, point, decided.band)) for p in probabilities],
        [record.source for record in test.records],
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
        only: leave out these sources; all if empty; see `leave_one_out`.
        within: a source whose folds are left out instead.
        folds: of that.
        progress: bars on stderr.
        say: gets a line a fit.

    Raises:
        SettingsError: the settings are of another head, or the folder holds fits of other settings.
        DataError, BundleError, EnvironmentProblem: as their messages say.
    """
    if settings.model.head != "evidence":
        raise SettingsError(f"the preset {settings.preset} has no evidence head: give --preset evidence")
    lesions = lesions_of(sources)
    # Fits are told by their names alone.
    claim(folder, settings, sources, "fits", begun=any(one.is_dir() for one in folder.glob("*")))
    catalog = kept_catalog(sources, folder / CATALOG, progress=progress)
    fits = folds_of(catalog, within, settings, folds) if within else leave_one_out(catalog, settings, only)
    results = run_fits(fits, lesions, folder, say=say)
    rows = [row for name, result in results.items() for row in rows_of(name, result)]
    if within:
        rows.append(row_of(f"{within}, all folds", list(results.values())))
    table = HeldOutTable(tuple(rows))
    write_metrics(folder / ("folds.json" if within else "sources.json"), table.to_table())
    return table
