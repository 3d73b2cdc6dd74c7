"""Training of an evidence head, an epoch at a time: itself, the trunk's top, all layers, the top again.

Unlike the original's training, nothing is cached: every epoch sees pictures that were never seen
before, and the trunk changes down to its first layer. The trunk's norms stay in inference mode while
their scale and shift train: the weights at hand have them folded (see `network.behind_fresh_kernels`).
A killed run goes on at the last finished epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tumorscan.config import EvidenceSettings, StageSettings
from tumorscan.data.examples import Examples
from tumorscan.errors import SettingsError, require
from tumorscan.heap import keep_freed_memory
from tumorscan.model.checkpoint import Checkpoints
from tumorscan.model.evidence_loss import cells_loss, image_auc, image_loss, stacked
from tumorscan.model.features import slices
from tumorscan.model.heads import CELLS, NORM
from tumorscan.model.network import head_layers, train_only, trunk_layers
from tumorscan.model.onnx_graph import folded_norm
from tumorscan.model.phase import bar_tick
from tumorscan.model.schedule import Epoch
from tumorscan.model.weights import fill, named_weights

_SETTLED_ON: Final = 320
_BEFORE: Final = 10**6
"""The epoch that the norm is settled on: none that trains."""
Judge = Callable[[], tuple[float, float, float]]
"""Loss, accuracy and AUC of the validation split, with the weights as they then are."""


@dataclass(frozen=True)
class _Stage:
    name: str
    settings: StageSettings
    first: int
    trainer: Any

    @property
    def before(self) -> str:
        """The name under which the weights that it begins with are kept until it is over."""
        return f"weights-{self.first - 1}"


class EvidenceTraining:
    """Trains a network through its stages.

    Args:
        network: of `build_network` with an evidence head and starting weights.
        examples: what it learns from.
        settings: of the training.
        state: where the newest epoch is kept.
        judge: asked after each epoch.
        goes_on: the head was trained before: its norm keeps what it computes.
    """

    def __init__(
        self,
        network: Any,
        examples: Examples,
        settings: EvidenceSettings,
        state: Checkpoints,
        judge: Judge,
        *,
        goes_on: bool = False,
    ) -> None:
        self.network, self.examples, self.settings = network, examples, settings
        self.state, self.judge, self.goes_on = state, judge, goes_on

    def run(self, *, progress: bool = False) -> list[Epoch]:
        """Train; the network then has the weights of the end.

        In the stage of all layers Keras's `fit` ends each epoch by putting the weights' running mean in
        their place: that is what is judged, what the next epoch starts from, and what is kept.

        Raises:
            SettingsError: all stages have 0 epochs, an epoch has fewer pictures than a batch, or no layer of
                the trunk has the name that `top` gives.
        """
        self._refuse_idleness()
        keep_freed_memory()
        history = self.state.history()
        if not history:
            self._settle()
        for stage in self._stages(len(history)):
            done = [row for row in history if row.phase == stage.name]
            if done:
                self._restore(stage, len(history) - 1)
            for epoch in range(len(done), stage.settings.epochs):
                history.append(self._epoch(stage, epoch, progress=progress))
                self._keep(stage, history)
        return history

    def _refuse_idleness(self) -> None:
        if not self.settings.epochs:
            raise SettingsError("all stages of the training have 0 epochs: there is nothing to train")
        if not self._steps:
            raise SettingsError(
                f"an epoch of {len(self.examples.rows(0))} pictures does not fill a batch of "
                f"{self.settings.batch}: raise evidence.pictures, or lower evidence.batch"
            )
        top, trunk = self.settings.top, trunk_layers(self.network)
        tops = self.settings.upper.epochs + self.settings.plain.epochs
        if tops and not any(one.name.startswith(top) for one in trunk):
            raise SettingsError(
                f"no layer of the trunk has a name that begins with evidence.top = {top!r}; the last is "
                f"{trunk[-1].name}"
            )

    def _stages(self, done: int) -> Iterator[_Stage]:
        """The stages that are not over yet, each built when the one before it is."""
        first = 0
        for name, settings in self.settings.stages.items():
            last = first + settings.epochs
            if settings.epochs and (done < last or done == last == self.settings.epochs):
                if done == first and done:
                    fill(self.network.layers, self.state.read(f"weights-{done - 1}"), "weights")
                yield _Stage(name, settings, first, self._trainer(name, settings))
            first = last

    @property
    def _steps(self) -> int:
        """Of an epoch."""
        return len(self.examples.rows(0)) // self.settings.batch

    def _epoch(self, stage: _Stage, epoch: int, *, progress: bool) -> Epoch:
        trainer = stage.trainer
        if stage.name == "plain" and not self.state.has(stage.before):
            # No stage was before it.
            self.state.write(stage.before, named_weights(self.network.layers))
        self._reseed(trainer, stage.first + epoch)
        data = _batches(self.examples, stage.first + epoch, self.settings.batch)
        title = f"{stage.name} {epoch + 1} of {stage.settings.epochs}"
        with tqdm(total=len(data), desc=title, unit="step", disable=not progress) as bar:
            tick = require("keras", "train").callbacks.LambdaCallback(on_train_batch_end=bar_tick(bar))
            fitted = trainer.fit(data, epochs=1, shuffle=False, verbose=0, callbacks=[tick]).history
        loss, accuracy, auc = (float(fitted[name][-1]) for name in ("loss", "image_accuracy", "image_auc"))
        rate = float(np.asarray(trainer.optimizer.learning_rate))
        if stage.name == "plain" and epoch + 1 == stage.settings.epochs:
            self._go_back(stage)
        return Epoch(stage.name, epoch, rate, loss, accuracy, auc, *self.judge())

    def _go_back(self, stage: _Stage) -> None:
        """Move the weights part of the way back to those of the stage's begin (Wortsman et al. 2022)."""
        began, share = self.state.read(stage.before), self.settings.back
        now = named_weights(self.network.layers)
        moved = {name: values + share * (began[name] - values) for name, values in now.items()}
        fill(self.network.layers, moved, "weights")

    def _trainer(self, name: str, stage: StageSettings) -> Any:
        """The network with its trunk in inference mode, and what of it trains in a stage."""
        keras = require("keras", "train")
        network, inside = self.network, trunk_layers(self.network)[-1].output
        trunk = keras.Model(network.input, inside)
        head = keras.Model(inside, [network.get_layer(CELLS).output, network.output])
        cells, image = head(_still(trunk)(network.input))
        train_only(network, self._trained(name))
        outputs = [keras.layers.Identity(name=one)(t) for one, t in (("cells", cells), ("image", image))]
        trainer = keras.Model(network.input, outputs)
        trainer.compile(
            optimizer=self._optimizer(name, stage),
            loss=[cells_loss(self.settings), image_loss()],
            loss_weights=[1.0, self.settings.image_weight],
            metrics=[[], [image_auc(accuracy=True), image_auc()]],
            jit_compile=False,  # Keras would choose XLA, which undoes what bfloat16 gains on a CPU
        )
        trainer.optimizer.build(trainer.trainable_variables)
        return trainer

    def _optimizer(self, name: str, stage: StageSettings) -> Any:
        """AdamW (Loshchilov & Hutter 2019): up for a twentieth of the steps, down along half a cosine."""
        optimizers = require("keras.optimizers", "train")
        steps = stage.epochs * self._steps
        up = max(1, steps // 20)
        rate = optimizers.schedules.CosineDecay(
            stage.rate / 50, max(1, steps - up), 0.02, warmup_target=stage.rate, warmup_steps=up
        )
        return optimizers.AdamW(
            rate,
            weight_decay=self.settings.decay,
            global_clipnorm=1.0,
            use_ema=name == "whole",
            ema_momentum=self.settings.averaging,
        )

    def _trained(self, name: str) -> list[Any]:
        head = [one for one in head_layers(self.network) if name == "head" or one.name != NORM]
        if name == "head":
            return head
        trunk = trunk_layers(self.network)
        return [*head, *(one for one in trunk if name == "whole" or one.name.startswith(self.settings.top))]

    def _settle(self) -> None:
        """Give the head's norm the statistics of what it gets: a stage may leave it as it starts.

        A norm that was trained and folded (see `halve`) has lost them: then its scale and shift are set so
        that it computes with them what it did without.
        """
        rows = self.examples.rows(_BEFORE)[:_SETTLED_ON]
        pictures = np.stack([self.examples.make(_BEFORE, i, row).picture for i, row in enumerate(rows)])
        norm = self.network.get_layer(NORM)
        scale, shift = folded_norm(norm)
        train_only(self.network, [norm])
        momentum = norm.momentum
        for i, part in enumerate(slices(len(pictures), 2 * self.settings.batch)):
            norm.momentum = i / (i + 1)
            self.network(pictures[part].astype(np.float32), training=True)
        norm.momentum = momentum
        if self.goes_on:
            mean, variance = (np.asarray(one) for one in (norm.moving_mean, norm.moving_variance))
            norm.gamma.assign(scale * np.sqrt(variance + norm.epsilon))
            norm.beta.assign(shift + scale * mean)

    def _reseed(self, trainer: Any, epoch: int) -> None:
        """Dropout draws from seed and epoch alone, so a resumed epoch is the epoch that was lost."""
        for variable in trainer.variables:
            if "seed_generator" in variable.path:
                variable.assign(np.array([self.settings.seed, epoch], np.uint32))

    def _keep(self, stage: _Stage, history: list[Epoch]) -> None:
        number, ops = len(history) - 1, require("keras.ops", "train")
        arrays = {f"v{i}": ops.convert_to_numpy(v) for i, v in enumerate(_variables(stage.trainer))}
        self.state.write(f"last-evidence-{number}", arrays)
        over = stage.settings.epochs == history[-1].epoch + 1
        if over:
            # The next stage starts from here, also if it is killed while it writes its first epoch.
            self.state.write(f"weights-{number}", named_weights(self.network.layers))
        self.state.write_history(history)
        self.state.drop(f"last-evidence-{number - 1}")
        if over:
            self.state.drop(stage.before)

    def _restore(self, stage: _Stage, number: int) -> None:
        kept = self.state.read(f"last-evidence-{number}")
        for i, variable in enumerate(_variables(stage.trainer)):
            variable.assign(kept[f"v{i}"])


def _still(trunk: Any) -> Any:
    """A trunk as one layer that is always in inference mode.

    A functional model hands its own `training` to all it is made of, whatever they were called with when it
    was built; what a layer calls inside is its own business.
    """
    keras = require("keras", "train")

    class Still(keras.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__(name="still")
            self.trunk = trunk

        def call(self, pixels: Any) -> Any:
            return self.trunk(pixels, training=False)

        def compute_output_shape(self, shape: Any) -> Any:
            return self.trunk.compute_output_shape(shape)

    return Still()


def _variables(trainer: Any) -> list[Any]:
    return [*trainer.variables, *trainer.optimizer.variables]


def _batches(examples: Examples, epoch: int, size: int) -> Any:
    """An epoch's examples as a `keras.utils.PyDataset`, made by threads beside the training."""
    keras = require("keras", "train")
    rows = examples.rows(epoch)

    class Batches(keras.utils.PyDataset):  # type: ignore[misc,name-defined]
        def __len__(self) -> int:
            return len(rows) // size

        def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], tuple[NDArray[np.float32], ...]]:
            places = range(index * size, (index + 1) * size)
            return stacked([examples.make(epoch, place, rows[place]) for place in places])

    return Batches(workers=2, use_multiprocessing=False, max_queue_size=6)
