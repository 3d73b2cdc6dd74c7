"""Fitting the tumor types: weights on all patients, calibration on predictions of patients left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.detect.band import lowest_possible
from tumorscan.detect.tumor_type import Doubles, Floats, TypeModel, softmax
from tumorscan.errors import DataError, SettingsError, require

STRENGTH: Final = 0.003
"""Inverse of the ridge penalty, as scikit-learn's C; 0.001 and 0.01 give the same within a slice in 300."""

AXES: Final = 256
"""Principal axes that the weights may lie on; all of them give the same and take ten times as long."""

INNER: Final = 5
SURE: Final = 0.8
"""A type is told at this probability or more; set, not fitted."""

_SHARPNESSES: Final = np.geomspace(0.1, 10, 200)
_FARTHEST: Final = 5.0


def fit_types(
    features: Floats,
    kinds: NDArray[np.int64],
    patients: NDArray[np.str_],
    names: Sequence[str],
    *,
    error: float = 0.05,
    seed: int = 1,
) -> TypeModel:
    """Weights, calibration and "not sure" from slices with known types.

    A patient weighs as the root of its slices. Sharpness and the lowest possible probabilities are fitted
    on predictions by `INNER` other fits, each without the patients that it predicts (cross-conformal: Vovk
    2015); there every patient weighs the same.

    Args:
        features: float32, N x D.
        kinds: int64, N, 0..K-1.
        patients: N names.
        names: K.
        error: how often a type may be wrongly left out, in the mean over patients, between 0 and 0.5.
        seed: of the inner folds.

    Raises:
        DataError: the shapes do not fit, a feature is not finite, or a type has too few patients.
        SettingsError: the error is out of range.
    """
    check_error(error)
    _check(features, kinds, patients, names)
    logits = np.empty((len(kinds), len(names)))
    inner = _inner_folds(kinds, patients, seed)
    for fold in range(INNER):
        out = inner == fold
        logits[out] = _weights(features[~out], kinds[~out], patients[~out], names).logits(features[out])
    model = _weights(features, kinds, patients, names)
    return _calibrated(model, logits, kinds, patients, error)


def check_error(error: float) -> None:
    """Refuse an error that `fit_types` cannot take.

    Raises:
        SettingsError: it does not lie between 0 and 0.5.
    """
    if not 0 < error < 0.5:
        raise SettingsError(f"error is {error}: it must lie between 0 and 0.5, for example 0.05")


def _check(
    features: Floats, kinds: NDArray[np.int64], patients: NDArray[np.str_], names: Sequence[str]
) -> None:
    if features.ndim != 2 or not len(features) == len(kinds) == len(patients):
        raise DataError(
            f"features {features.shape} for {len(kinds)} types and {len(patients)} patients do not fit"
        )
    if not np.isfinite(features).all():
        raise DataError("a feature is not finite: the network is damaged")
    for number, name in enumerate(names):
        count = len(np.unique(patients[kinds == number]))
        if count < INNER:
            raise DataError(f"{name}: {count} patients: at least {INNER} of each type are needed")


def _inner_folds(kinds: NDArray[np.int64], patients: NDArray[np.str_], seed: int) -> NDArray[np.int64]:
    """A fold for each slice: patients whole, those of each type dealt in turn."""
    rng = np.random.default_rng(seed)
    fold_of: dict[str, int] = {}
    for kind in np.unique(kinds):
        mine = np.unique(patients[kinds == kind])
        for place, patient in enumerate(rng.permutation(mine)):
            fold_of[str(patient)] = place % INNER
    return np.array([fold_of[str(one)] for one in patients])


def _weights(
    features: Floats, kinds: NDArray[np.int64], patients: NDArray[np.str_], names: Sequence[str]
) -> TypeModel:
    """The regression alone; not calibrated, and every type always possible."""
    centre, scale = features.mean(0), np.maximum(features.std(0), 1e-6)
    moved = np.clip((features - centre) / scale, -_FARTHEST, _FARTHEST)
    middle = moved.mean(0)
    axes = _axes(moved - middle)
    _, place, count = np.unique(patients, return_inverse=True, return_counts=True)
    shares = 1 / np.sqrt(count[place])
    regression = require("sklearn.linear_model", "train").LogisticRegression(
        C=STRENGTH, max_iter=500, tol=1e-3
    )
    regression.fit((moved - middle) @ axes, kinds, shares * (len(shares) / shares.sum()))
    coefficients, offset = _rows_of_all(regression, len(names))
    kernel = axes @ coefficients.T
    kinds_zero, one = np.zeros(len(names)), np.ones(())
    bias = offset - middle @ kernel
    arrays = (centre, scale, kernel, bias, one, kinds_zero, one, kinds_zero, one / 2, one * SURE)
    return TypeModel(tuple(names), *(np.asarray(each, np.float32) for each in arrays))


def _axes(moved: Floats) -> Floats:
    """The principal axes of rows (N x D) with a mean of 0, widest first; D x at most `AXES`."""
    if len(moved) < moved.shape[1]:  # then there are no more axes than rows
        found = np.linalg.svd(moved, full_matrices=False)[2].T
    else:
        found = np.linalg.eigh(moved.T @ moved)[1][:, ::-1]
    axes: Floats = found[:, :AXES]
    return axes


def _rows_of_all(regression: object, kinds: int) -> tuple[Doubles, Doubles]:
    """Coefficients (K x D) and offsets (K); of two types scikit-learn gives the second's alone."""
    rows, offset = np.asarray(regression.coef_), np.asarray(regression.intercept_)  # type: ignore[attr-defined]
    if kinds == 2:
        return np.concatenate([-rows, rows]) / 2, np.concatenate([-offset, offset]) / 2
    return rows, offset


def _calibrated(
    model: TypeModel,
    logits: Doubles,
    kinds: NDArray[np.int64],
    patients: NDArray[np.str_],
    error: float,
) -> TypeModel:
    names, first, place, count = np.unique(
        patients, return_index=True, return_inverse=True, return_counts=True
    )
    sharpness = _sharpest(logits, kinds, 1 / count[place])
    model = replace(model, sharpness=np.asarray(sharpness, np.float32))
    p = softmax(logits * float(model.sharpness))
    logs = np.stack([np.log(np.maximum(p[patients == one], 1e-4)).mean(0) for one in names])
    heads = kinds[first]
    series = _sharpest(logs, heads, np.ones(len(heads)))
    model = replace(model, series_sharpness=np.asarray(series, np.float32))
    of_heads = softmax(logs * float(model.series_sharpness))
    return replace(
        model,
        lowest=_lowest(p, kinds, place, error),
        series_lowest=_lowest(of_heads, heads, np.arange(len(heads)), error),
        error=np.asarray(error, np.float32),
    )


def _sharpest(logits: Doubles, kinds: NDArray[np.int64], weights: Doubles) -> float:
    """The factor on the logits that makes the truth likeliest."""
    rows = np.arange(len(kinds))
    losses = [
        -float(weights @ np.log(np.maximum(softmax(logits * one)[rows, kinds], 1e-12)))
        for one in _SHARPNESSES
    ]
    return float(_SHARPNESSES[int(np.argmin(losses))])


def _lowest(p: Doubles, kinds: NDArray[np.int64], groups: NDArray[np.int64], error: float) -> Floats:
    """Of each type the lowest probability at which it stays possible, a step down in single precision."""
    edges = [
        lowest_possible(p[kinds == number, number], groups[kinds == number], error)[0]
        for number in range(p.shape[1])
    ]
    return np.nextafter(np.asarray(edges, np.float32), np.float32(0))
