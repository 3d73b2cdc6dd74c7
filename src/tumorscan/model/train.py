"""Two-phase training on cached features: frozen trunk first, then the top layers of the trunk.

A killed run goes on at the last finished epoch and ends with the weights of an unbroken one, since
order, dropout and schedule follow from the seed and the history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tumorscan.config import Settings
from tumorscan.data.batches import augmented_view
from tumorscan.errors import DataError, require
from tumorscan.heap import keep_freed_memory
from tumorscan.model.checkpoint import Checkpoints
from tumorscan.model.features import slices
from tumorscan.model.heads import NORM, POOL
from tumorscan.model.network import behind_fresh_kernels, build_network, cut_below, train_only, trunk_layers
from tumorscan.model.phase import Inputs, Labels, Phase, PhasePlan
from tumorscan.model.schedule import Epoch, best_epoch
from tumorscan.model.weights import Named, WeightsReport, fill, load_trunk_weights, named_weights
from tumorscan.types import Picture

FROZEN, TUNED = "frozen", "tuned"
_START = "start"


@dataclass(frozen=True)
class TrainingData:
    """Prepared pictures (uint8, N x S x S x 3) and labels (1 = tumor) of two splits."""

    train: Picture
    train_labels: Labels
    validation: Picture
    validation_labels: Labels

    def __post_init__(self) -> None:
        for name, labels in (("training", self.train_labels), ("validation", self.validation_labels)):
            if len(np.unique(labels)) < 2:
                raise DataError(f"the {name} split holds one class only: add pictures of the other")


@dataclass(frozen=True)
class Trained:
    """A network that has been trained.

    Attributes:
        network: the Keras model, with the weights of the chosen epoch.
        weights: what its trunk started from.
        history: every epoch of both phases.
        chosen: the epoch whose weights it has.
        by_phase: all variables at the best epoch of each phase.
    """

    network: Any
    weights: WeightsReport
    history: tuple[Epoch, ...]
    chosen: Epoch
    by_phase: dict[str, Named]


def train(data: TrainingData, settings: Settings, folder: Path, *, progress: bool = False) -> Trained:
    """Train by `settings`, keeping state in `folder`; a folder with state is gone on from.

    Args:
        data: training and validation pictures.
        settings: network, both phases, augmentation and seed.
        folder: for checkpoints and features; features are removed at the end.
        progress: bars with the remaining time on stderr.

    Raises:
        DataError, BundleError, EnvironmentProblem: as their messages say.
    """
    network, report = start_network(settings, settings.train.seed)
    inputs = Inputs(
        entry=network.layers[0],
        view=lambda v: augmented_view(data.train, settings.augment, seed=settings.train.seed, view=v),
        plain=data.train,
        labels=data.train_labels,
        validation=data.validation,
        validation_labels=data.validation_labels,
    )
    return train_network(network, report, inputs, settings, Checkpoints(folder), progress=progress)


def start_network(settings: Settings, seed: int) -> tuple[Any, WeightsReport]:
    """A network with its trunk filled from `settings.model.weights`, the rest drawn from the seed."""
    keras = require("keras", "train")
    keras.utils.set_random_seed(seed)
    size = settings.prepare.frame.size
    network = build_network(settings.model, size, mixed_precision=settings.train.mixed_precision)
    return network, load_trunk_weights(network, settings.model)


def train_network(
    network: Any,
    report: WeightsReport,
    inputs: Inputs,
    settings: Settings,
    state: Checkpoints,
    *,
    progress: bool = False,
) -> Trained:
    """Both phases on a network that has its starting weights; `train` says the rest."""
    keep_freed_memory()
    fresh_norms = behind_fresh_kernels(network, report.fresh_layers)
    if state.has(_START):
        fill(network.layers, state.read(_START), _START)
    else:
        settle(network, [*fresh_norms, network.get_layer(NORM)], inputs, settings.train.batch)
        state.write(_START, named_weights(network.layers))
    for plan in _plans(network, settings, fresh_norms):
        Phase(network, plan, inputs, settings, state).run(progress=progress)
    return _finish(network, report, state)


def shared_cut(network: Any, report: WeightsReport, settings: Settings) -> Any:
    """The highest layer under all that trains or is settled: what lies below it is the same in every fit."""
    fresh_norms = behind_fresh_kernels(network, report.fresh_layers)
    unfrozen = unfrozen_layers(network, settings.train.unfrozen, fresh_norms)
    above = {layer.name for layer in (*unfrozen, *fresh_norms)} | set(report.fresh_layers)
    return cut_below(network, above or {POOL})


def unfrozen_layers(network: Any, count: int, fresh_norms: Sequence[Any]) -> list[Any]:
    """The layers among the top `count` of the trunk that train in the second phase.

    Norms train only behind fresh kernels; the others stay in inference mode (see
    `behind_fresh_kernels`).
    """
    keras = require("keras", "train")
    layers = trunk_layers(network)[-count:] if count else []
    trains = {layer.name for layer in fresh_norms}
    norm = keras.layers.BatchNormalization
    return [one for one in layers if one.weights and (one.name in trains or not isinstance(one, norm))]


def settle(network: Any, norms: Sequence[Any], inputs: Inputs, batch: int) -> None:
    """Give norms behind fresh kernels the statistics of what they really get, by a running mean.

    Without it inference would scale by a mean of 0 and a variance of 1 that describe nothing: the
    frozen phase would see wrong features, and early epochs would be validated wrongly.
    """
    keras = require("keras", "train")
    train_only(network, norms)
    above = keras.Model(inputs.entry.output, network.output)
    momenta = [norm.momentum for norm in norms]
    for i, part in enumerate(slices(len(inputs.plain), batch)):
        for norm in norms:
            norm.momentum = i / (i + 1)
        above(inputs.plain[part].astype(np.float32), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _plans(network: Any, settings: Settings, fresh_norms: Sequence[Any]) -> Iterator[PhasePlan]:
    if settings.train.frozen.epochs:
        yield PhasePlan(FROZEN, settings.train.frozen, network.get_layer(POOL), ())
    unfrozen = unfrozen_layers(network, settings.train.unfrozen, fresh_norms)
    if settings.train.tuned.epochs and unfrozen:
        cut = cut_below(network, {layer.name for layer in unfrozen})
        yield PhasePlan(TUNED, settings.train.tuned, cut, tuple(unfrozen))


def _finish(network: Any, report: WeightsReport, state: Checkpoints) -> Trained:
    history = state.history()
    if not history:
        raise DataError("both phases have 0 epochs: there is nothing to train")
    chosen = best_epoch(history)
    fill(network.layers, state.read(_START), _START)
    by_phase: dict[str, Named] = {}
    for phase in dict.fromkeys(row.phase for row in history):
        fill(network.layers, state.read_best(phase), phase)
        by_phase[phase] = named_weights(network.layers)
    fill(network.layers, by_phase[chosen.phase], chosen.phase)
    return Trained(network, report, tuple(history), chosen, by_phase)
