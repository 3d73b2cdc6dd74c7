"""The fits of a study, one after the other, in processes that are replaced before they grow too large."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import Settings
from tumorscan.data.folds import Fold
from tumorscan.detect.calibrate import fit_temperature, probability
from tumorscan.detect.decide import threshold_for
from tumorscan.errors import require
from tumorscan.model.bank import FeatureBank
from tumorscan.model.checkpoint import InMemory
from tumorscan.model.train import train_network

# TensorFlow keeps about half a gigabyte of each ResNet50V2 fit until its process ends; importing it
# anew costs some seconds. Five fits a process keep both small.
FITS_PER_PROCESS = 5


@dataclass(frozen=True)
class Job:
    """One fit: which repeat it belongs to, its parts, and the seed of what starts fresh."""

    repeat: int
    fold: Fold
    seed: int


Plan = dict[str, Job]
"""By name; a fit's predictions are FOLDER/fits/NAME.json."""


def run_fits(
    plan: Plan, features: Path, labels: NDArray[np.int64], settings: Settings
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Do all fits of a plan, in order.

    Args:
        plan: the fits.
        features: folder of the `FeatureBank` of all pictures.
        labels: N, 1 = tumor.
        settings: of every fit.

    Yields:
        A fit's name, and what `fit` returned.
    """
    if len(plan) <= FITS_PER_PROCESS:
        bank = FeatureBank.open(features, settings)
        yield from ((name, fit(bank, labels, job, settings)) for name, job in plan.items())
        return
    with ProcessPoolExecutor(
        max_workers=1,
        mp_context=multiprocessing.get_context("spawn"),
        max_tasks_per_child=FITS_PER_PROCESS,
    ) as pool:
        for name, job in plan.items():
            yield name, pool.submit(_fit_in_child, features, labels, job, settings).result()


def fit(bank: FeatureBank, labels: NDArray[np.int64], job: Job, settings: Settings) -> dict[str, Any]:
    """One fit, with all that is fitted fitted inside the fold.

    Returns:
        seed, chosen epoch, validation_auc, temperature, threshold, and rows and calibrated
        probabilities of the test part; plain values.
    """
    require("keras", "train").utils.clear_session()
    fold = job.fold
    network, report, inputs = bank.start(labels, fold.train, fold.validation, job.seed)
    trained = train_network(network, report, inputs, settings, InMemory())
    logits, known = bank.logits(network, fold.calibration), labels[np.array(fold.calibration)]
    temperature = fit_temperature(logits, known)
    threshold = threshold_for(probability(logits, temperature), known, settings.decide.sensitivity)
    return {
        "seed": job.seed,
        "chosen": trained.chosen.to_table(),
        "validation_auc": trained.chosen.val_auc,
        "temperature": temperature,
        "threshold": threshold,
        "rows": list(fold.test),
        "probabilities": probability(bank.logits(network, fold.test), temperature).tolist(),
    }


def _fit_in_child(features: Path, labels: NDArray[np.int64], job: Job, settings: Settings) -> dict[str, Any]:
    return fit(FeatureBank.open(features, settings), labels, job, settings)
