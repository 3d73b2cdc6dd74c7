"""The controls of a data set: what its files, statistics and rims give away of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tumorscan.data.catalog import build_catalog
from tumorscan.data.features import metadata_features, pixel_statistics, rim_features, small_copies
from tumorscan.data.records import Record, Skipped
from tumorscan.data.split import without_copies
from tumorscan.errors import DataError, UnreadableScan
from tumorscan.evaluate.blocks import Section, Text, controls_meaning, controls_section, in_words
from tumorscan.evaluate.controls import Controls, folds_of, measure_controls
from tumorscan.evaluate.report import write_metrics, write_report
from tumorscan.types import Interval


@dataclass(frozen=True)
class DataControls:
    """Controls of some folders or csv files.

    Attributes:
        data: in words.
        controls: what was measured.
        copies: later exact copies, which were left out.
        skipped: files that could not be used.
    """

    data: str
    controls: Controls
    copies: int
    skipped: tuple[Skipped, ...]

    def facts(self) -> list[tuple[str, str]]:
        """What was measured on what, for the report."""
        controls = self.controls
        return [
            ("Data", self.data),
            ("Measured", f"{controls.n} pictures, {controls.n_groups} groups"),
            ("Left out", f"{self.copies} later exact copies, {len(self.skipped)} files that cannot be used"),
            ("Seed", str(controls.seed)),
        ]

    def to_table(self) -> dict[str, Any]:
        """controls.json."""
        return {
            "data": self.data,
            "copies": self.copies,
            "skipped": [{"file": str(one.file), "cause": one.cause} for one in self.skipped],
            "meaning": controls_meaning(self.controls),
            **self.controls.to_table(),
        }

    def to_text(self) -> str:
        """The figures, a line each."""
        controls = self.controls
        first = f"{self.data}: {controls.n} pictures in {controls.n_groups} groups"
        return "\n".join([first, *control_lines(controls), controls_meaning(controls)])


def control_records(records: Sequence[Record], *, seed: int = 1, progress: bool = False) -> Controls:
    """Measure the controls of some pictures; their order plays no part.

    Raises:
        DataError: a class has fewer than two groups.
        UnreadableScan: a file cannot be read any more.
    """
    records = sorted(records, key=lambda record: record.pixels_sha256)
    labels = np.array([record.label == "tumor" for record in records], np.int64)
    groups = np.array([record.group for record in records])
    folds_of(labels, groups)  # refuse before the pictures are read
    copies = small_copies(records, progress=progress)
    return measure_controls(
        labels,
        groups,
        metadata=metadata_features(records)[0],
        statistics=pixel_statistics(copies),
        rim=rim_features(copies),
        seed=seed,
    )


@dataclass(frozen=True)
class NoControls:
    """Why there are no controls."""

    why: str

    def to_table(self) -> dict[str, Any]:
        """For metrics.json."""
        return {"undefined": self.why}


def try_controls(records: Sequence[Record], *, progress: bool = False) -> Controls | NoControls:
    """The controls that stand beside a model's figures, which must not fail for want of them."""
    try:
        return control_records(records, progress=progress)
    except (DataError, UnreadableScan) as error:
        return NoControls(str(error))


def section_of(controls: Controls | NoControls, model: tuple[str, Interval]) -> Section:
    """The report's section: controls with a model's name and AUC (left out if undefined), or why not."""
    if isinstance(controls, NoControls):
        return Section("Controls", (Text(f"Not measured: {controls.why}."),))
    return controls_section(controls, None if np.isnan(model[1].value) else model)


def control_lines(controls: Controls | NoControls) -> list[str]:
    """The same for a terminal."""
    if isinstance(controls, NoControls):
        return [f"controls: not measured, {controls.why}"]
    return ["controls, ROC AUC:", *(f"  {name:30} {in_words(auc)}" for name, auc in controls.aucs.items())]


def control_sources(
    sources: Sequence[Path], *, out: Path | None = None, seed: int = 1, progress: bool = False
) -> DataControls:
    """Measure the controls of folders or csv files.

    Args:
        sources: see `build_catalog`.
        out: where report.html, controls.json and controls.png go, if anywhere.
        seed: of all lots.
        progress: bars on stderr.

    Raises:
        DataError: the data cannot be used, or a class has fewer than two groups.
        EnvironmentProblem: a file cannot be written.
    """
    catalog = build_catalog(sources, progress=progress)
    records, copies = without_copies(catalog.records)
    result = DataControls(
        data=", ".join(sorted({record.source for record in records})),
        controls=control_records(records, seed=seed, progress=progress),
        copies=len(copies),
        skipped=catalog.skipped,
    )
    if out is not None:
        _write(result, out)
    return result


def _write(result: DataControls, out: Path) -> None:
    write_metrics(out / "controls.json", result.to_table())
    write_report(
        out / "report.html",
        title=f"{result.data}: controls",
        measured=result,
        sections=[controls_section(result.controls)],
        headline=[result.controls.strongest],
    )
