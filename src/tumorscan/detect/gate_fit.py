"""Fitting the gate: axes and bank from training pictures, the threshold from the calibration split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tumorscan.detect.gate import NEIGHBOURS, Floats, Gate, on_axes, to_neighbours, unit_length
from tumorscan.errors import DataError, SettingsError

AXES = 128
"""Principal axes that are kept; with twice as many, or all, neighbours and figures are the same."""

SHRINKAGE = 0.1
"""Of the ridge regression, as a fraction of the mean variance of a channel."""

MOST_LET_IN = 0.01
"""Share of known negatives, judged by a gate that never saw their kind, which may come in."""

MOST_RAISED = 0.4
"""The limit rises by so many usual distances at most: negatives far off say nothing of near ones."""

_KINDS_TO_RAISE = 3

# Embeddings of length one that are nearer than this differ by rounding.
_TWINS = 1e-4

Doubles = NDArray[np.float64]


def fit_gate(
    train_embeddings: Floats,
    calibration_embeddings: Floats,
    *,
    negatives: Mapping[str, Floats] | None = None,
    most_refused: float = 0.005,
) -> Gate:
    """The gate for a network.

    The threshold refuses at most `most_refused` of the calibration split. Where three or more kinds of
    negatives are known it rises further, to where `MOST_LET_IN` of them would come in if their kind were
    unknown, by `MOST_RAISED` at most: room that costs nothing goes to heads from scanners that are not in
    the training.

    Args:
        train_embeddings: float32, N x C, of slices of heads that the network was trained on.
        calibration_embeddings: float32, M x C, of the calibration split.
        negatives: kind -> float32, K x C, of pictures that are no such slices; kinds weigh the same.
        most_refused: share of slices, 0..1, at most.

    Raises:
        DataError: too few pictures, embeddings of several lengths, or nan.
        SettingsError: `most_refused` lies outside of [0, 1).
    """
    known = {kind: rows for kind, rows in (negatives or {}).items() if len(rows)}
    _check(train_embeddings, calibration_embeddings, known)
    if not 0 <= most_refused < 1:
        raise SettingsError(f"most_refused is {most_refused}: it must lie in [0, 1)")
    heads = unit_length(train_embeddings)
    gate = _contrasted(_distance(heads, calibration_embeddings), heads, known)
    limit = _limit(gate.scores(calibration_embeddings), most_refused)
    if len(known) >= _KINDS_TO_RAISE:
        strange = np.concatenate(
            [
                _contrasted(gate, heads, {k: r for k, r in known.items() if k != kind}).scores(known[kind])
                for kind in known
            ]
        )
        room = float(np.quantile(strange, MOST_LET_IN)) - limit
        limit += min(max(room, 0.0), MOST_RAISED)
    return replace(gate, threshold=_up(limit))


def _check(train: Floats, calibration: Floats, negatives: Mapping[str, Floats]) -> None:
    if len(train) < 2 * NEIGHBOURS or not len(calibration):
        raise DataError(
            f"the gate needs at least {2 * NEIGHBOURS} training pictures and a calibration split: "
            f"there are {len(train)} and {len(calibration)}"
        )
    for rows in (train, calibration, *negatives.values()):
        if rows.ndim != 2 or rows.shape[1] != train.shape[1]:
            raise DataError(f"embeddings of {rows.shape} beside {train.shape}: take all from one network")
        if not np.isfinite(rows).all():
            raise DataError("an embedding holds nan or infinity: the network is damaged")


def _distance(heads: Doubles, calibration: Floats) -> Gate:
    """The gate of the distance alone, without a threshold."""
    centre = heads.mean(0)
    _, axes = np.linalg.eigh(np.cov(heads, rowvar=False))
    basis = axes[:, ::-1][:, : min(AXES, len(heads) - 1)]
    # As the bundle keeps it, so that a gate decides the same before it is saved and after.
    bank = on_axes(heads, centre, basis).astype(np.float16)
    usual = np.median(to_neighbours(on_axes(unit_length(calibration), centre, basis), bank))
    if not usual > _TWINS:
        raise DataError("the calibration pictures are those of the training: the gate needs others")
    arrays = (centre, basis, bank, usual, np.zeros(len(centre)), 0.0, 0.0)
    return Gate(*(np.asarray(one, np.float32) for one in arrays))


def _contrasted(gate: Gate, heads: Doubles, negatives: Mapping[str, Floats]) -> Gate:
    """The gate with the contrast to these kinds; without any it has none."""
    if not negatives:
        return replace(gate, contrast=np.zeros_like(gate.centre), offset=np.asarray(0, np.float32))
    strange = [unit_length(rows) for rows in negatives.values()]
    rows = np.concatenate([heads, *strange])
    wanted = np.repeat([-1.0, 1.0], [len(heads), len(rows) - len(heads)])
    weights = np.concatenate(
        [
            np.full(len(heads), 0.5 / len(heads)),
            *(np.full(len(kind), 0.5 / (len(strange) * len(kind))) for kind in strange),
        ]
    )
    mean = weights @ rows
    moved = rows - mean
    weighed = moved * weights[:, None]
    spread = moved.T @ weighed
    ridge = SHRINKAGE * np.trace(spread) / len(spread) * np.eye(len(spread))
    contrast = np.linalg.solve(spread + ridge, weighed.T @ wanted)
    return replace(
        gate, contrast=contrast.astype(np.float32), offset=np.asarray(-mean @ contrast, np.float32)
    )


def _limit(scores: Doubles, most_refused: float) -> float:
    """The lowest limit that at most this share of the scores exceeds."""
    over = int(np.floor(most_refused * len(scores) + 1e-9))
    return float(np.sort(scores)[len(scores) - 1 - over])


def _up(limit: float) -> Floats:
    """In single precision, a step up: the picture that set the limit stays in."""
    return np.asarray(np.nextafter(np.float32(limit), np.float32(np.inf)), np.float32)
