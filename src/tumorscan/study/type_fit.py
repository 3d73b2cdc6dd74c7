"""The tumor types of a bundle: fitted without the patients of a fold, and measured on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.detect.detector import Detector
from tumorscan.detect.engines import AUTO, load_engine
from tumorscan.detect.tumor_type import NOT_SURE, TypeModel, types_bytes
from tumorscan.detect.tumor_type_fit import check_error, fit_types
from tumorscan.errors import BundleError, DataError
from tumorscan.evaluate.card import write_card
from tumorscan.evaluate.kinds import KindFigures, kind_figures
from tumorscan.jsonable import plain_interval
from tumorscan.model.bundle import TYPES, Bundle, add_files, read_bundle
from tumorscan.study.type_features import Seen, see_types
from tumorscan.study.typed_slices import TypedSlices, read_typed


def open_untyped(path: Path, engine: str = AUTO) -> Detector:
    """The detector of a bundle, whatever its tumor types are, damaged or of an older form.

    Raises:
        BundleError, EnvironmentProblem, SettingsError: as `load_detector` says.
    """
    bundle = read_bundle(path)
    files = {name: digest for name, digest in bundle.manifest.files.items() if name != TYPES}
    untyped = Bundle(bundle.folder, replace(bundle.manifest, files=files))
    return Detector(untyped, load_engine(untyped, engine))


def fit_bundle_types(
    detector: Detector,
    table: Path,
    *,
    keep_out: str = "",
    error: float = 0.05,
    kept: Path | None = None,
    progress: bool = False,
) -> tuple[Bundle, KindFigures | None]:
    """Fit the types, write them into the detector's bundle with its card, and measure what was kept out.

    Args:
        detector: of the bundle.
        table: csv, see `read_typed`.
        keep_out: a fold; no patient with a slice in it is fitted on. Empty: all are.
        error: see `fit_types`.
        kept: see `see_types`.
        progress: bar on stderr.

    Returns:
        The bundle as it now stands on disk, and the figures of the fold kept out, None without one.

    Raises:
        DataError, SettingsError, BundleError, EnvironmentProblem: as `read_typed`, `fit_types` and
            `see_types` say; the bundle is as it was.
    """
    check_error(error)
    slices = read_typed(table)
    out = patients_of(slices, table, keep_out) if keep_out else np.zeros(len(slices), bool)
    seen = see_types(detector, slices.files, kept=kept, progress=progress)
    model = fit_types(
        seen.features[~out], slices.types[~out], slices.patients[~out], slices.names, error=error
    )
    figures = _measured(model, slices, seen, out) if keep_out else None
    patients = len(np.unique(slices.patients[~out]))
    told: dict[str, Any] = {
        "types": list(slices.names),
        "error": error,
        "sure": round(float(model.sure), 4),
        "fitted_on": f"{table.name}: {int((~out).sum())} slices of {patients} patients",
        "kept_out": f"the {len(np.unique(slices.patients[out]))} patients of fold {keep_out}"
        if keep_out
        else "",
        "measured": {name: plain_interval(one) for name, one in figures.figures.items()} if figures else {},
    }
    lineage = {**detector.bundle.manifest.lineage, "tumor_type": told}
    bundle = Bundle(detector.bundle.folder, replace(detector.bundle.manifest, lineage=lineage))
    written = add_files(bundle, {TYPES: types_bytes(model)})
    write_card(written)
    return written, figures


def measure_bundle_types(
    detector: Detector, table: Path, *, fold: str = "", kept: Path | None = None, progress: bool = False
) -> KindFigures:
    """Measure a bundle's types on a table, or on every patient with a slice in one of its folds.

    Raises:
        BundleError: the bundle tells no types, or others than the table's.
        DataError, EnvironmentProblem: as `read_typed` and `see_types` say.
    """
    if detector.types is None:
        raise BundleError(f"{detector.bundle.folder}: tells no tumor types: fit them with --fit")
    slices = read_typed(table)
    if slices.names != detector.types.names:
        raise BundleError(
            f"{detector.bundle.folder}: tells {', '.join(detector.types.names)}, and {table} has "
            f"{', '.join(slices.names)}: fit it anew with --fit"
        )
    some = patients_of(slices, table, fold) if fold else np.ones(len(slices), bool)
    seen = see_types(detector, slices.files, kept=kept, progress=progress)
    return _measured(detector.types, slices, seen, some)


def patients_of(slices: TypedSlices, table: Path, fold: str) -> NDArray[np.bool_]:
    """The slices of every patient with one in the fold.

    Raises:
        DataError: there is no such fold.
    """
    if fold not in slices.folds:
        raise DataError(f"{table}: no fold {fold}: there are {', '.join(sorted(set(slices.folds.tolist())))}")
    return np.isin(slices.patients, np.unique(slices.patients[slices.folds == fold]))


def _measured(model: TypeModel, slices: TypedSlices, seen: Seen, some: NDArray[np.bool_]) -> KindFigures:
    p, patients = model.probabilities(seen.features[some]), slices.patients[some]
    heads = {str(one): model.of_series(p[patients == one]) for one in np.unique(patients)}
    return kind_figures(
        p,
        slices.types[some],
        patients,
        slices.names,
        pooled=heads,
        said=np.array([model.told(one) != NOT_SURE for one in p]),
        patient_said={name: model.told(head, series=True) != NOT_SURE for name, head in heads.items()},
    )
