"""A scan to a finding: the one detector of the command line, the page and the evaluation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import SHIPPED
from tumorscan.detect.decide import confidence, verdict
from tumorscan.detect.engine import Engine
from tumorscan.detect.engines import AUTO, load_engine
from tumorscan.detect.explain import NOTHING, Explanation, PooledHead, explain, explain_cells, read_head
from tumorscan.detect.gate import read_gate
from tumorscan.detect.plain import plain_reasons
from tumorscan.detect.tumor_type import read_types
from tumorscan.errors import BundleError
from tumorscan.model.bundle import HEAD, Bundle, read_bundle
from tumorscan.prepare.pipeline import prepare
from tumorscan.types import Finding, Frame, Picture, Prepared, Scan, Scores, Verdict


def load_detector(
    path: str | Path = SHIPPED, engine: str = AUTO, *, threads: int | None = None, operating_point: str = ""
) -> Detector:
    """The detector of a bundle.

    Args:
        path: folder of a bundle, or of a run that holds one; the shipped one if absent.
        engine: one of `engines.CHOICES`.
        threads: of the engine; None for all cores that the process may use.
        operating_point: the name of one that the bundle has; its default if empty.

    Raises:
        BundleError: the bundle is absent, damaged, never fitted, or has no file for the engine.
        EnvironmentProblem: the engine is not installed.
        SettingsError: there is no such engine or operating point.
    """
    bundle = read_bundle(Path(path))
    bundle.fitted(operating_point)
    return Detector(bundle, load_engine(bundle, engine, threads), operating_point)


class Detector:
    """Prepares, scores, calibrates and decides, in the way that the bundle says."""

    def __init__(self, bundle: Bundle, engine: Engine, operating_point: str = "") -> None:
        self.bundle = bundle
        self.engine = engine
        self.calibration, self.operating_point = bundle.fitted(operating_point)
        self.band = bundle.manifest.band
        self.gate = read_gate(bundle)
        self.types = read_types(bundle)

    @property
    def model(self) -> str:
        """Name and version of the bundle."""
        return self.bundle.manifest.title

    def prepare(self, scan: Scan, *, keep_steps: bool = False) -> Prepared:
        """What the network will see of a scan."""
        return prepare(scan, self.bundle.manifest.settings.prepare, keep_steps=keep_steps)

    def probabilities(self, pictures: Picture) -> NDArray[np.float64]:
        """Calibrated probabilities of any number of prepared pictures (uint8, N x S x S x 3)."""
        return self.calibration.probability(self.engine.run_all(pictures))

    def verdict(self, p: float) -> Verdict:
        """What is said at a probability."""
        return verdict(p, self.operating_point, self.band)

    def find(self, scan: Scan) -> Finding:
        """The answer for one scan."""
        times: dict[str, float] = {}
        with _timed(times, "prepare"):
            prepared = self.prepare(scan)
        return self.decide(scan, prepared, times)

    def decide(self, scan: Scan, prepared: Prepared, times: dict[str, float] | None = None) -> Finding:
        """The answer for a scan that is prepared already."""
        times = {} if times is None else times
        if reasons := self.plain_reasons(scan):
            return self.refusal(scan.name, reasons, scan.notes, times, sha256=scan.sha256)
        return self.judged(scan.name, self._scores(prepared, times), 0, scan.notes, times, sha256=scan.sha256)

    def explain(
        self, scan: Scan, prepared: Prepared, times: dict[str, float] | None = None
    ) -> tuple[Finding, Explanation]:
        """The answer for a prepared scan, and what spoke for it; nothing where the gate refused it.

        Raises:
            BundleError: the bundle was never exported, so that it has no head to explain with.
        """
        times = {} if times is None else times
        if reasons := self.plain_reasons(scan):
            return self.refusal(scan.name, reasons, scan.notes, times, sha256=scan.sha256), NOTHING
        scores = self._scores(prepared, times)
        finding = self.judged(scan.name, scores, 0, scan.notes, times, sha256=scan.sha256)
        with _timed(times, "explain"):
            explanation = self.explained(finding, scores, 0, prepared.frame)
        return finding, explanation

    def explained(self, finding: Finding, scores: Scores, index: int, frame: Frame) -> Explanation:
        """What spoke for the answer to picture `index` of a batch; nothing where the gate refused it.

        Args:
            finding: the answer.
            scores: of the batch.
            index: of the picture in it.
            frame: of the prepared picture.

        Raises:
            BundleError: the engine keeps no feature map, or the bundle has no head to explain with.
        """
        if finding.verdict is Verdict.NOT_BRAIN_MRI:
            return NOTHING
        if scores.map is None or scores.embedding is None:
            raise BundleError(f"the engine {self.engine.name} keeps no feature map: choose another --engine")
        if self.bundle.manifest.settings.model.head == "evidence":
            return explain_cells(scores.map[index], frame)
        return explain(finding.verdict, scores.map[index], scores.embedding[index], self._head, frame)

    def explains(self, scores: Scores) -> bool:
        """Whether `explained` has what it needs for a batch: a map, and a head to read it with."""
        manifest = self.bundle.manifest
        known = manifest.settings.model.head == "evidence" or HEAD in manifest.files
        return known and scores.map is not None and scores.embedding is not None

    @cached_property
    def _head(self) -> PooledHead:
        return read_head(self.bundle)

    def _scores(self, prepared: Prepared, times: dict[str, float]) -> Scores:
        with _timed(times, "infer"):
            return self.engine.run(prepared.pixels[None])

    def plain_reasons(self, scan: Scan) -> tuple[str, ...]:
        """Why a scan needs no network to be refused; empty where the bundle has no gate."""
        return plain_reasons(scan) if self.gate else ()

    def judged(
        self,
        file: str,
        scores: Scores,
        index: int,
        notes: tuple[str, ...],
        times: dict[str, float],
        *,
        sha256: str = "",
    ) -> Finding:
        """The answer for one picture of a batch: refused by the gate, or with a verdict.

        Raises:
            BundleError: the bundle has a gate and the engine keeps no embedding for it, or another network's.
        """
        if self.gate is not None:
            if scores.embedding is None:
                raise BundleError(
                    f"the engine {self.engine.name} keeps no embedding for the gate: choose another --engine"
                )
            if reasons := self.gate.unfamiliar(scores.embedding[index]):
                return self.refusal(file, reasons, notes, times, sha256=sha256)
        finding = self.finding(file, float(scores.logits[index]), notes, times, sha256=sha256)
        return self._with_type(finding, scores, index)

    def _with_type(self, finding: Finding, scores: Scores, index: int) -> Finding:
        """The hint at the tumor's type, where a tumor is reported and the bundle tells types."""
        if self.types is None or finding.verdict is not Verdict.TUMOR:
            return finding
        shares, told = self.types.hint(scores, index)
        return replace(finding, tumor_type=shares, tumor_type_told=told)

    def refusal(
        self,
        file: str,
        reasons: tuple[str, ...],
        notes: tuple[str, ...],
        times: dict[str, float],
        *,
        sha256: str = "",
    ) -> Finding:
        """The answer for a picture that is no slice of a head: reasons, and no probability."""
        point = self.operating_point
        return Finding(
            file=file,
            verdict=Verdict.NOT_BRAIN_MRI,
            probability=None,
            confidence=None,
            threshold=point.threshold,
            operating_point=point.name,
            model=self.model,
            notes=notes,
            milliseconds=times,
            reasons=reasons,
            sha256=sha256,
        )

    def finding(
        self, file: str, logit: float, notes: tuple[str, ...], times: dict[str, float], *, sha256: str = ""
    ) -> Finding:
        """What an uncalibrated logit of "tumor" means: probability, verdict, confidence."""
        p = float(self.calibration.probability(np.float64(logit)))
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
            sha256=sha256,
        )


@contextmanager
def _timed(times: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    times[stage] = round((time.perf_counter() - start) * 1e3, 3)
