"""What tumor types are told by, for every slice of a table: seen once, then kept."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tumorscan.atomic import atomic_write_bytes
from tumorscan.detect.detector import Detector
from tumorscan.detect.shard import cores
from tumorscan.detect.tumor_type import Floats, features_of, geometry
from tumorscan.errors import BundleError, require
from tumorscan.model.heads import seams
from tumorscan.model.network import build_network
from tumorscan.model.weights import load_trunk_weights
from tumorscan.read import read_scan
from tumorscan.types import Picture, Scores, Verdict

_BATCH = 16


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen of N slices.

    Attributes:
        features: float32, N x D.
        found: bool, N: the bundle reports a tumor, so that a hint would be given.
    """

    features: Floats
    found: NDArray[np.bool_]


def see_types(
    detector: Detector,
    files: Sequence[Path],
    *,
    trunk: Path | None = None,
    kept: Path | None = None,
    progress: bool = False,
) -> Seen:
    """Prepare, score and pool slices as `predict` does.

    Args:
        detector: of a bundle with an evidence head.
        files: the slices.
        trunk: weights of a trunk that gives the features in place of the bundle's own, an untouched ImageNet
            one say; where the evidence lies still comes from the bundle.
        kept: a .npz that keeps what was seen; used again where it is of the same files, bundle and trunk.
        progress: bar on stderr.

    Raises:
        BundleError: the bundle's engine keeps no features of the lesion, or the trunk does not fit.
        UnreadableScan: a slice cannot be read.
        EnvironmentProblem: `kept` cannot be written.
    """
    mark = _mark(detector, files, trunk)
    if kept is not None and (seen := _read(kept, mark)) is not None:
        return seen
    look = None if trunk is None else _Trunk(detector, trunk)
    rows: list[Floats] = []
    found: list[bool] = []
    for pictures in _batches(detector, files, progress):
        scores = detector.engine.run(pictures)
        for index in range(len(pictures)):
            row = features_of(scores, index)
            if row is None:
                raise BundleError(
                    f"{detector.model} on {detector.engine.name} gives no features of the lesion: it needs "
                    "an evidence head, exported by `tumorscan export` of this version"
                )
            p = float(detector.calibration.probability(scores.logits[index]))
            found.append(detector.verdict(p) is Verdict.TUMOR)
            rows.append(row)
        if look is not None:
            rows[-len(pictures) :] = look(pictures, scores)
    seen = Seen(np.stack(rows), np.array(found))
    if kept is not None:
        _write(kept, seen, mark)
    return seen


def _batches(detector: Detector, files: Sequence[Path], progress: bool) -> Iterator[Picture]:
    def ready(file: Path) -> Picture:
        return detector.prepare(read_scan(file)).pixels

    with ThreadPoolExecutor(cores()) as pool, tqdm(total=len(files), disable=not progress) as bar:
        for start in range(0, len(files), _BATCH):
            some = list(pool.map(ready, files[start : start + _BATCH]))
            yield np.stack(some)
            bar.update(len(some))


class _Trunk:
    """Another trunk's features under the bundle's evidence."""

    def __init__(self, detector: Detector, weights: Path) -> None:
        settings = detector.bundle.manifest.settings
        model = replace(settings.model, weights=str(weights))
        network = build_network(model, settings.prepare.frame.size)
        load_trunk_weights(network, model)
        self._network: Any = require("keras", "train").Model(network.input, seams(network).features)

    def __call__(self, pictures: Picture, scores: Scores) -> list[Floats]:
        maps = np.asarray(self._network.predict_on_batch(pictures), np.float32)
        rows: list[Floats] = []
        for cells, one in zip(scores.map if scores.map is not None else (), maps, strict=True):
            likely = 1 / (1 + np.exp(-cells))
            lesion = (one * likely).sum((0, 1)) / max(float(likely.sum()), 1e-6)
            rows.append(np.concatenate([lesion, geometry(cells[..., 0])]).astype(np.float32))
        return rows


def _mark(detector: Detector, files: Sequence[Path], trunk: Path | None) -> str:
    """Of all that the features depend on; the pictures by name and size."""
    digest = hashlib.sha256(detector.bundle.manifest.version.encode())
    digest.update(b"" if trunk is None else hashlib.sha256(trunk.read_bytes()).digest())
    for file in files:
        digest.update(f"{file} {file.stat().st_size}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _write(path: Path, seen: Seen, mark: str) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, features=seen.features, found=seen.found, mark=np.array(mark))
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(path, stream.getvalue())


def _read(path: Path, mark: str) -> Seen | None:
    """None where there is nothing, or something else."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if str(arrays["mark"]) == mark:
                return Seen(arrays["features"], arrays["found"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return None
