"""A scan to a finding: the one detector of the command line, the page and the evaluation."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import ReadLimits
from tumorscan.detect.calibrate import probability
from tumorscan.detect.decide import confidence, verdict
from tumorscan.detect.engine import ENGINES, Engine
from tumorscan.errors import SettingsError, UnreadableScan
from tumorscan.model.bundle import Bundle, read_bundle
from tumorscan.prepare.pipeline import prepare
from tumorscan.read import read_scan
from tumorscan.types import Finding, Picture, Prepared, Scan, Verdict


def load_detector(path: str | Path, engine: str = "keras") -> Detector:
    """The detector of a bundle.

    Args:
        path: folder of a bundle, or of a run that holds one.
        engine: a name in `ENGINES`.

    Raises:
        BundleError: the bundle is absent, damaged or never fitted.
        SettingsError: there is no such engine.
    """
    if engine not in ENGINES:
        raise SettingsError(f"there is no engine {engine!r}: choose one of {', '.join(ENGINES)}")
    bundle = read_bundle(Path(path))
    bundle.fitted()
    return Detector(bundle, ENGINES[engine].load(bundle))


class Detector:
    """Prepares, scores, calibrates and decides, in the way that the bundle says."""

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self.bundle = bundle
        self.engine = engine
        self.temperature, self.operating_point = bundle.fitted()

    @property
    def model(self) -> str:
        """Name and version of the bundle."""
        return self.bundle.manifest.title

    def prepare(self, scan: Scan, *, keep_steps: bool = False) -> Prepared:
        """What the network will see of a scan."""
        return prepare(scan, self.bundle.manifest.settings.prepare, keep_steps=keep_steps)

    def probabilities(self, pictures: Picture) -> NDArray[np.float64]:
        """Calibrated probabilities of any number of prepared pictures (uint8, N x S x S x 3)."""
        return probability(self.engine.run_all(pictures), self.temperature)

    def verdict(self, p: float) -> Verdict:
        """What is said at a probability."""
        return verdict(p, self.operating_point)

    def find(self, scan: Scan) -> Finding:
        """The answer for one scan."""
        times: dict[str, float] = {}
        with _timed(times, "prepare"):
            prepared = self.prepare(scan)
        return self.decide(scan, prepared, times)

    def decide(self, scan: Scan, prepared: Prepared, times: dict[str, float] | None = None) -> Finding:
        """The answer for a scan that is prepared already."""
        times = {} if times is None else times
        with _timed(times, "infer"):
            logit = float(self.engine.run(prepared.pixels[None]).logits[0])
        return self.finding(scan.name, logit, scan.notes, times)

    def finding(self, file: str, logit: float, notes: tuple[str, ...], times: dict[str, float]) -> Finding:
        """What an uncalibrated logit of "tumor" means: probability, verdict, confidence."""
        p = float(probability(np.float64(logit), self.temperature))
        said = self.verdict(p)
        return Finding(
            file=file,
            verdict=said,
            probability=p,
            confidence=confidence(said, p),
            threshold=self.operating_point.threshold,
            operating_point=self.operating_point.name,
            model=self.model,
            notes=notes,
            milliseconds=times,
        )

    def find_files(
        self, files: Iterable[Path], limits: ReadLimits | None = None
    ) -> Iterator[Finding | UnreadableScan]:
        """One answer or one named error for each file, in order."""
        for file in files:
            times: dict[str, float] = {}
            try:
                with _timed(times, "read"):
                    scan = read_scan(file, limits or ReadLimits())
                with _timed(times, "prepare"):
                    prepared = self.prepare(scan)
            except UnreadableScan as error:
                yield error
                continue
            yield self.decide(scan, prepared, times)


@contextmanager
def _timed(times: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    times[stage] = round((time.perf_counter() - start) * 1e3, 3)
