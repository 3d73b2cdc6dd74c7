"""From a split and the boxes of its pictures to a network with an evidence head."""

from __future__ import annotations

from collections import Counter
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
from tumorscan.data.records import Record, one_class_sources
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
        DataError: a box or a mask cannot be, see `read_lesions`, or two files give one picture two.
    """
    found: dict[Path, Lesion] = {}
    for source in sources:
        if source.suffix.lower() != ".csv":
            continue
        for file, lesion in read_lesions(source).items():
            if found.setdefault(file, lesion) != lesion:
                raise DataError(f"{source}: gives {file} another lesion than a csv before it: correct one")
    return found


def lessons(parts: Mapping[str, Sequence[Record]], lesions: Mapping[Path, Lesion]) -> list[str]:
    """What an evidence head cannot learn from a split, in words, before anything is prepared or trained.

    Args:
        parts: records of the splits, by name.
        lesions: where the tumors are, by picture.

    Raises:
        DataError: training or validation holds one class only, or no tumor can teach, as none has a place
            and no source has both classes; names the sources and their class.
    """
    for name in ("train", "validation"):
        if len({record.label for record in parts[name]}) < 2:
            raise DataError(
                f"the {name} split holds one class only ({_classes(parts[name])}): add pictures of the "
                "other, best from the same scanners"
            )
    train = parts["train"]
    placed = Counter(record.source for record in train if record.file in lesions)
    alone = one_class_sources(train)
    if not placed and set(alone) == {record.source for record in train}:
        raise DataError(
            f"every source holds one class only ({_classes(train)}) and no tumor has its place, so a network "
            "could learn the sources alone: give boxes or masks, or pictures of both classes from one source"
        )
    said = []
    if not placed:
        said.append(
            "no training picture has a box or a mask, so places are learnt from labels alone: better name a "
            "csv with the columns file,label,box_x,box_y,box_w,box_h (or mask)"
        )
    if alone:
        shown = (
            f"{source} ({label}" + (f", {placed[source]} with a place)" if label == "tumor" else ")")
            for source, label in alone.items()
        )
        said.append(
            f"sources of one class, whose labels would teach the source and do not count: {', '.join(shown)}"
        )
    return said


def _classes(records: Sequence[Record]) -> str:
    counts = Counter((record.source, record.label) for record in records)
    return (
        ", ".join(f"{source}: {n} {label}" for (source, label), n in sorted(counts.items())) or "it is empty"
    )


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
    """
    pictures = train.pictures
    sources = described(train.records, lesions, settings, progress=progress)
    boxed = sum(source.box is not None for source in sources)
    say(
        f"training on {len(pictures)} pictures, {int(train.labels.sum())} with a tumor, {boxed} of them with "
        "its place"
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
