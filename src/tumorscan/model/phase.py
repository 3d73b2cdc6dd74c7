"""One phase of a training: what stays frozen is cut off and run once over each augmented view.

What is above the cut trains on the stored features. Both phases of the original are this one
procedure with another cut.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tumorscan.config import PhaseSettings, Settings
from tumorscan.errors import require
from tumorscan.model.checkpoint import Checkpoints
from tumorscan.model.features import FrozenPart, feature_batches, slices
from tumorscan.model.network import head_layers, train_only
from tumorscan.model.schedule import Epoch, best_epoch, next_rate, should_stop
from tumorscan.model.weights import fill, named_weights

Labels = NDArray[np.int64]
_FIGURES = ("loss", "accuracy", "auc")


@dataclass(frozen=True)
class Inputs:
    """What a training is given, at one layer of the network.

    Attributes:
        entry: the layer whose output this is: the input layer for pictures, a higher one for features
            that were computed beforehand.
        view: the training inputs under augmented view v, N x ...
        plain: the training inputs without augmentation, N x ...
        labels: N, 1 = tumor.
        validation: M x ..., without augmentation.
        validation_labels: M.
    """

    entry: Any
    view: Callable[[int], NDArray[Any]]
    plain: NDArray[Any]
    labels: Labels
    validation: NDArray[Any]
    validation_labels: Labels


@dataclass(frozen=True)
class PhasePlan:
    """What a phase trains.

    Attributes:
        name: of the phase.
        settings: epochs, rate, views, patience.
        cut: the highest layer of the frozen part.
        unfrozen: layers of the trunk that train beside the head.
    """

    name: str
    settings: PhaseSettings
    cut: Any
    unfrozen: tuple[Any, ...]


@dataclass(frozen=True)
class _Features:
    views: Sequence[NDArray[Any]]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    validation: NDArray[Any]
    validation_targets: NDArray[np.float32]


class Phase:
    """Trains the part of a network above a cut, an epoch at a time, each one safe on disk."""

    def __init__(
        self, network: Any, plan: PhasePlan, inputs: Inputs, settings: Settings, state: Checkpoints
    ) -> None:
        keras = require("keras", "train")
        self.plan, self.inputs, self.settings, self.state = plan, inputs, settings, state
        train_only(network, [*plan.unfrozen, *head_layers(network)])
        self.below = FrozenPart(inputs.entry, plan.cut, self._batch)
        self.above = keras.Model(plan.cut.output, network.output)
        self.above.compile(
            optimizer=keras.optimizers.Adam(plan.settings.rate),
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            metrics=[
                keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0),
                keras.metrics.AUC(name="auc", from_logits=True, num_thresholds=1000),
            ],
        )
        self.above.optimizer.build(self.above.trainable_variables)

    def run(self, *, progress: bool = False) -> None:
        """Train until the schedule says stop, then load the best epoch into the network."""
        name, phase = self.plan.name, self.plan.settings
        earlier = [row for row in self.state.history() if row.phase != name]
        history = [row for row in self.state.history() if row.phase == name]
        if not should_stop(history, phase):
            if history:
                self._restore(history[-1].epoch)
            features = self._features(progress=progress)
            steps = len(self._batches(len(self.inputs.labels), 0))
            with tqdm(
                total=phase.epochs * steps,
                initial=len(history) * steps,
                desc=f"{name} phase",
                disable=not progress,
            ) as bar:
                while not should_stop(history, phase):
                    history.append(self._epoch(len(history), next_rate(history, phase), features, bar))
                    self._keep(history, earlier)
                    bar.set_postfix(
                        val_auc=f"{history[-1].val_auc:.3f}", best=f"{best_epoch(history).val_auc:.3f}"
                    )
        if self._feature_folder:
            shutil.rmtree(self._feature_folder, ignore_errors=True)
        fill(self.above.layers, self.state.read_best(name), name)

    @property
    def _feature_folder(self) -> Path | None:
        return self.state.disk / f"features-{self.plan.name}" if self.state.disk else None

    def _features(self, *, progress: bool) -> _Features:
        count = min(self.plan.settings.views, self.plan.settings.epochs)
        inputs, folder = self.inputs, self._feature_folder
        total = count * len(inputs.labels) + len(inputs.validation_labels)
        with tqdm(
            total=total, desc=f"{self.plan.name} features", unit="picture", disable=not progress
        ) as bar:
            views = [
                self.below.features(inputs.view(v), folder and folder / f"view{v}.npy", bar.update)
                for v in range(count)
            ]
            held_out = self.below.features(
                inputs.validation, folder and folder / "validation.npy", bar.update
            )
        return _Features(
            views,
            _targets(inputs.labels),
            class_weights(inputs.labels, balanced=self.settings.train.class_weights),
            held_out,
            _targets(inputs.validation_labels),
        )

    def _epoch(self, epoch: int, rate: float, features: _Features, bar: Any) -> Epoch:
        self.above.optimizer.learning_rate = rate
        self._reseed(epoch)
        view = features.views[epoch % len(features.views)]
        trained = self.above.fit(
            feature_batches(view, features.targets, self._batches(len(view), epoch), features.weights),
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=[require("keras", "train").callbacks.LambdaCallback(on_train_batch_end=bar_tick(bar))],
        )
        rows = [np.arange(part.start, part.stop) for part in slices(len(features.validation), self._batch)]
        held_out = self.above.evaluate(
            feature_batches(features.validation, features.validation_targets, rows),
            verbose=0,
            return_dict=True,
        )
        figures = [float(trained.history[key][-1]) for key in _FIGURES]
        figures += [float(held_out[key]) for key in _FIGURES]
        return Epoch(self.plan.name, epoch, rate, *figures)

    @property
    def _batch(self) -> int:
        return self.settings.train.batch

    def _batches(self, count: int, epoch: int) -> list[NDArray[np.int64]]:
        """Shuffled rows in batches of nearly equal size: a batch of one has no variance to normalise by."""
        order = np.random.default_rng([self.settings.train.seed, epoch]).permutation(count)
        # Sorted inside a batch, so that reads of the file on disk go forward.
        return [np.sort(rows) for rows in np.array_split(order, max(1, -(-count // self._batch)))]

    def _reseed(self, epoch: int) -> None:
        """Dropout draws from seed and epoch alone, so a resumed epoch is the epoch that was lost."""
        for variable in self.above.variables:
            if "seed_generator" in variable.path:
                variable.assign(np.array([self.settings.train.seed, epoch], np.uint32))

    def _keep(self, history: Sequence[Epoch], earlier: Sequence[Epoch]) -> None:
        newest, name = history[-1], self.plan.name
        if best_epoch(history) is newest:
            self.state.write_best(name, named_weights(self.above.layers))
        ops = require("keras.ops", "train")
        arrays = {f"v{i}": ops.convert_to_numpy(variable) for i, variable in enumerate(self._variables())}
        self.state.write(f"last-{name}-{newest.epoch}", arrays)
        self.state.write_history([*earlier, *history])
        self.state.drop(f"last-{name}-{newest.epoch - 1}")

    def _restore(self, epoch: int) -> None:
        kept = self.state.read(f"last-{self.plan.name}-{epoch}")
        for i, variable in enumerate(self._variables()):
            variable.assign(kept[f"v{i}"])

    def _variables(self) -> list[Any]:
        return [*self.above.variables, *self.above.optimizer.variables]


def class_weights(labels: Labels, *, balanced: bool) -> NDArray[np.float32]:
    """Weight of each picture: n / (2 n_class) when balanced, else 1."""
    counts = np.bincount(labels, minlength=2)
    weights = len(labels) / (2.0 * counts) if balanced else np.ones(2)
    return weights[labels].astype(np.float32)


def bar_tick(bar: Any) -> Any:
    """A callback for Keras that moves a progress bar on by one step."""

    def tick(batch: int, logs: Any) -> None:  # noqa: ARG001 - Keras passes them by name
        bar.update()

    return tick


def _targets(labels: Labels) -> NDArray[np.float32]:
    return labels.astype(np.float32)[:, None]
