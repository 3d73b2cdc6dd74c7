"""From a split and the boxes of its pictures to a network with an evidence head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import Settings
from tumorscan.data.augment import Box
from tumorscan.data.examples import Examples, Source
from tumorscan.data.lesions import Lesion, box_on_prepared, mask_on_prepared, read_lesions, read_mask
from tumorscan.data.parallel import in_order
from tumorscan.data.records import Record
from tumorscan.detect.engines.keras_engine import KerasEngine
from tumorscan.errors import DataError
from tumorscan.evaluate.weighted import auc
from tumorscan.model.checkpoint import Checkpoints
from tumorscan.model.evidence import EvidenceTraining
from tumorscan.model.halve import halve
from tumorscan.model.heads import seams
from tumorscan.model.network import build_network
from tumorscan.model.train import Trained, start_network
from tumorscan.model.weights import fill, named_weights
from tumorscan.prepare.frame import frame
from tumorscan.read import read_scan
from tumorscan.study.part import Part

_LOOKED_AT = 64
"""Training pictures that the norms are centred on at the end."""


def lesions_of(sources: Sequence[Path]) -> dict[Path, Lesion]:
    """The boxes and masks that the csv files among some sources give, by picture.

    Raises:
        DataError: a box or a mask cannot be; see `read_lesions`.
    """
    found: dict[Path, Lesion] = {}
    for source in sources:
        if source.suffix.lower() == ".csv":
            found.update(read_lesions(source))
    return found


def fit_evidence(
    train: Part,
    validation: Part,
    lesions: Mapping[Path, Lesion],
    settings: Settings,
    state: Checkpoints,
    *,
    progress: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train a network with an evidence head; see `model.evidence`.

    Args:
        train: what it learns from.
        validation: what each epoch is judged on.
        lesions: where the tumors are, by picture; pictures without one teach by their label.
        settings: of the run; `model.head` is "evidence".
        state: of the training; what is there is gone on from.
        progress: bars on stderr.
        say: gets a line at each stage.

    Raises:
        DataError: a split holds one class only.
    """
    _refuse_one_class(train, "training")
    _refuse_one_class(validation, "validation")
    pictures = train.pictures
    sources = described(train.records, lesions, settings, progress=progress)
    boxed = sum(source.box is not None for source in sources)
    say(
        f"training on {len(pictures)} pictures, {int(train.labels.sum())} with a tumor, {boxed} of them with "
        "its place"
    )
    if not boxed:
        say(
            "no training picture has a box or a mask, so places are learnt from labels alone: better name a "
            "csv with the columns file,label,box_x,box_y,box_w,box_h (or mask)"
        )
    network, report = start_network(settings, settings.evidence.seed)
    grid = int(seams(network).map.shape[1])
    examples = Examples(pictures, sources, grid, settings.augment, settings.evidence)
    engine = KerasEngine(network)
    judge = lambda: judged(engine.run_all(validation.pictures), validation.labels)  # noqa: E731 - the network changes under it
    training = EvidenceTraining(network, examples, settings.evidence, state, judge, goes_on=report.head)
    history = training.run(progress=progress)
    for row in history:
        say(f"{row.phase} {row.epoch + 1}: loss {row.loss:.3f}, validation AUC {row.val_auc:.3f}")
    network = _in_float32(network, settings)
    halve(network, pictures[np.linspace(0, len(pictures) - 1, min(_LOOKED_AT, len(pictures))).astype(int)])
    named = named_weights(network.layers)
    return Trained(network, report, tuple(history), history[-1], {history[-1].phase: named})


def _in_float32(network: Any, settings: Settings) -> Any:
    """The network as it will answer: bfloat16 is for training alone."""
    if not settings.train.mixed_precision:
        return network
    full = build_network(settings.model, settings.prepare.frame.size)
    fill(full.layers, named_weights(network.layers), "training")
    return full


def judged(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float, float]:
    """Loss, accuracy and AUC of logits against labels (1 = tumor)."""
    z = logits.astype(np.float64)
    loss = float(np.mean(np.logaddexp(0, z) - labels * z))
    return loss, float(np.mean((z >= 0) == (labels == 1))), float(auc(labels, z)(np.ones((1, len(z))))[0])


def described(
    records: Sequence[Record], lesions: Mapping[Path, Lesion], settings: Settings, *, progress: bool = False
) -> list[Source]:
    """What the examples are made from, with boxes as fractions of the prepared pictures."""

    def one(record: Record) -> Source:
        lesion = lesions.get(record.file)
        box = None if lesion is None else _prepared_box(record, lesion, settings)
        return Source(record.label, record.source, box, record.plane)

    return list(in_order(one, records, title="boxes", progress=progress))


def _prepared_box(record: Record, lesion: Lesion, settings: Settings) -> Box | None:
    scan = read_scan(record.file)
    _, way = frame(scan, settings.prepare.frame)
    if lesion.box is not None:
        return box_on_prepared(lesion.box, scan.width, scan.height, way)
    if lesion.mask is None:
        return None
    rows, columns = np.nonzero(mask_on_prepared(read_mask(lesion.mask), way))
    if not len(rows):
        return None
    size = way.size
    left, top = columns.min() / size, rows.min() / size
    return left, top, (columns.max() + 1) / size - left, (rows.max() + 1) / size - top


def _refuse_one_class(part: Part, split: str) -> None:
    if len(np.unique(part.labels)) < 2:
        raise DataError(f"the {split} split holds one class only: add pictures of the other")
