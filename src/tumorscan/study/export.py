"""A trained bundle gets what it needs to answer without its training framework, if that is the same."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.detect.engines import ENGINES, load_engine
from tumorscan.detect.engines.keras_engine import KerasEngine
from tumorscan.detect.engines.keras_engine import load as load_trained
from tumorscan.errors import BundleError, DataError, EnvironmentProblem
from tumorscan.evaluate.card import write_card
from tumorscan.model.bundle import HEAD, INT8, ONNX, PARITY, WEIGHTS, Bundle, add_files
from tumorscan.model.checkpoint import npz_bytes
from tumorscan.model.export import pooled_head, to_onnx
from tumorscan.model.quantise import to_int8
from tumorscan.study.parity import MOST_AUC, MOST_DECISIONS, MOST_LOGIT, Parity, compare, scores_of
from tumorscan.types import Picture, Scores

WANTED: Final = 200
"""Real pictures that a parity report should stand on."""
_BATCHES: Final = (1, 7)
Files = dict[str, bytes]


@dataclass(frozen=True)
class ParityPictures:
    """What an export is judged on.

    Attributes:
        pictures: prepared, uint8 RGB, N x S x S x 3.
        labels: N, 1 = tumor.
        calibration: prepared pictures of the training split, to set int8's ranges by; may be empty.
        source: what they are, in words.
        real: not drawn.
    """

    pictures: Picture
    labels: NDArray[np.int64]
    calibration: Picture
    source: str
    real: bool

    @property
    def caveat(self) -> str:
        """What is less than wanted about them; empty if nothing is."""
        if not self.real:
            return "drawn pictures, no real ones: give --data"
        if len(self.pictures) < WANTED:
            return f"{len(self.pictures)} pictures, fewer than the {WANTED} wanted: give --data"
        return ""


@dataclass(frozen=True)
class Exported:
    """A bundle with its exports, and how they compare.

    Attributes:
        bundle: as it now stands on disk.
        exact: fp32 against the trained network, for each installed engine and batch.
        int8: the same for int8; empty where it was not made.
        int8_refused: why int8 was left out; empty where it is in the bundle.
        pictures: what the comparison stands on.
    """

    bundle: Bundle
    exact: tuple[Parity, ...]
    int8: tuple[Parity, ...]
    int8_refused: str
    pictures: ParityPictures


def export_bundle(
    bundle: Bundle, on: ParityPictures, *, int8: bool, say: Callable[[str], None] = lambda _: None
) -> Exported:
    """Export a bundle's network to ONNX beside its weights, with its head and a parity report.

    Args:
        bundle: trained and fitted.
        on: the pictures to judge it on.
        int8: also make the int8 twin; it is left out where it changes the answers, or has nothing to
            calibrate on.
        say: gets a line at each stage.

    Raises:
        BundleError: the export differs by more than `MOST_LOGIT` in a logit, or the network cannot be
            exported; nothing is written.
        EnvironmentProblem: a package is missing, or the bundle cannot be written; it is as it was.
    """
    if not len(on.pictures):
        raise DataError("an export is judged on pictures, and there are none: give --data")
    trained = load_trained(bundle, WEIGHTS)
    say(f"exporting {bundle.manifest.title}, to be judged on {len(on.pictures)} pictures: {on.source}")
    evidence = bundle.manifest.settings.model.head == "evidence"
    # A network with an evidence head is halved when its training ends.
    files = to_onnx(trained.network, ONNX, half=evidence)
    reference = scores_of(trained, on.pictures, max(_BATCHES))
    exact = _judged(bundle, files, _runtimes(ONNX), reference, on)
    _refuse_inexact(bundle, exact)
    twin, judged, refused = _int8(bundle, files, reference, on) if int8 else ({}, (), "not asked for")
    report = _report(on, exact, judged, refused)
    head = {} if evidence else _head(trained)
    added = {**files, **twin, **head, PARITY: (json.dumps(report, indent=1) + "\n").encode()}
    # An int8 of an earlier export goes where this one has none.
    written = add_files(bundle, added, drop=(INT8, f"{INT8}.data"))
    write_card(written)
    return Exported(written, exact, judged, refused, on)


def _runtimes(file: str) -> tuple[str, ...]:
    names = tuple(name for name, runtime in ENGINES.items() if runtime.file == file and runtime.installed)
    if not names:
        raise EnvironmentProblem("no engine to judge the export with: pip install onnxruntime")
    return names


def _judged(
    bundle: Bundle, files: Files, engines: tuple[str, ...], reference: Scores, on: ParityPictures
) -> tuple[Parity, ...]:
    calibration, point = bundle.fitted()
    rows = []
    with tempfile.TemporaryDirectory(prefix="tumorscan-") as folder:
        beside = _laid_out(bundle, files, Path(folder))
        for name in engines:
            engine = load_engine(beside, name)
            for batch in _BATCHES:
                row = compare(
                    engine,
                    reference,
                    on.pictures,
                    on.labels,
                    batch=batch,
                    calibration=calibration,
                    threshold=point.threshold,
                )
                rows.append(replace(row, engine=name))
    return tuple(rows)


def _laid_out(bundle: Bundle, files: Mapping[str, bytes], folder: Path) -> Bundle:
    try:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise EnvironmentProblem(
            f"{folder}: an export cannot be written there to be judged ({error.strerror}): "
            "free some space, or set TMPDIR"
        ) from error
    return Bundle(folder, replace(bundle.manifest, files=dict.fromkeys(files, "")))


def _refuse_inexact(bundle: Bundle, rows: tuple[Parity, ...]) -> None:
    for row in rows:
        if why := row.inexact():
            raise BundleError(f"{bundle.folder}: not exported: {why}; --engine keras still answers")


def _int8(
    bundle: Bundle, files: Files, reference: Scores, on: ParityPictures
) -> tuple[Files, tuple[Parity, ...], str]:
    if not len(on.calibration):
        return {}, (), "no pictures of the training split to calibrate on: give the run, or --data"
    twin = to_int8(files, on.calibration, INT8)
    rows = _judged(bundle, twin, _runtimes(INT8), reference, on)
    refused = next(filter(None, (row.unfaithful() for row in rows)), "")
    return ({} if refused else twin), rows, refused


def _head(trained: KerasEngine) -> Files:
    return {HEAD: npz_bytes(pooled_head(trained.network))}


def _report(
    on: ParityPictures, exact: tuple[Parity, ...], int8: tuple[Parity, ...], refused: str
) -> dict[str, Any]:
    return {
        "against": "keras, float32",
        "pictures": len(on.pictures),
        "tumor": int(on.labels.sum()),
        "source": on.source,
        "real": on.real,
        "caveat": on.caveat,
        "limits": {"fp32_logit": MOST_LOGIT, "int8_decisions": MOST_DECISIONS, "int8_auc": MOST_AUC},
        "fp32": [row.to_table() for row in exact],
        "int8": [row.to_table() for row in int8],
        "int8_refused": refused,
    }
