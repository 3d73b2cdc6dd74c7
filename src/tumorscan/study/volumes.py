"""A bundle tried on whole volumes: those of a csv of studies, or those that a csv's slices make up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tqdm import tqdm

from tumorscan.data.stacks import Case, slice_cases, volume_cases
from tumorscan.detect.detector import Detector
from tumorscan.detect.volume import RULE, find_volume
from tumorscan.errors import SettingsError
from tumorscan.evaluate.report import point_facts
from tumorscan.evaluate.volumes import Measured, volume_figures
from tumorscan.study.opened import Trial, count_looks
from tumorscan.study.volumes_report import write_volumes
from tumorscan.study.volumes_result import VolumesResult

VOLUMES: Final = "volumes"
PATIENTS: Final = "patients"

_RULE_WORDS: Final = (
    f"mean with neighbours within {RULE.reach:g} mm, highest mean over {RULE.run:g} mm and at least "
    f"{RULE.fewest} slices"
)


def measure_volumes(trial: Trial, *, seed: int = 1) -> VolumesResult:
    """Answer for the volumes of a csv, compare with what is known of them, and write the report.

    Args:
        trial: the bundle, and one csv (see `volume_cases`); pictures of volumes are not looked for in the
            training, so the report says that leaks were not looked for.
        seed: of the intervals.

    Raises:
        DataError: the csv or a volume cannot be used.
        SettingsError: not one csv is named.
        BundleError, EnvironmentProblem: as for `evaluate_external`.
    """
    path = _one_csv(trial.paths)
    detector = trial.detector()
    cases, sha256 = volume_cases(path)
    bundle, (key,) = count_looks(detector.bundle, [(path.stem, sha256)])
    facts = [
        (f"Volumes of {path.stem}", f"{len(cases)}; look number {bundle.manifest.looks[key]}"),
        *_model_facts(detector),
    ]
    warnings = ("NOT CHECKED FOR LEAKS: slices of volumes are not compared with what training has seen.",)
    folder = trial.out or bundle.folder.resolve().parent / VOLUMES / path.stem
    return _measured(trial, detector, _Set(path.stem, cases, facts, warnings, folder), seed)


def measure_patients(trial: Trial, *, spacing: float = RULE.pitch, seed: int = 1) -> VolumesResult:
    """The same for stacks made of the slices of a csv, by patient and time.

    Args:
        trial: the bundle, and one csv of slices (see `slice_cases`), each look at which is counted.
        spacing: between slices, in mm: pictures do not say it.
        seed: of the intervals.

    Raises:
        DataError: the csv or a slice cannot be used, or training has seen it.
        SettingsError: not one csv is named, or the spacing is out of range.
        BundleError, EnvironmentProblem: as for `evaluate_external`.
    """
    if not 0 < spacing <= 100:
        raise SettingsError(f"--spacing {spacing:g}: the distance of two slices lies in (0, 100] mm")
    path = _one_csv(trial.paths)
    cases = slice_cases(path, spacing)
    detector = trial.detector()
    opened = trial.open(detector)
    facts = [*opened.facts(detector), ("Slices", f"taken as {spacing:g} mm apart"), ("Rule", _RULE_WORDS)]
    folder = trial.folder(PATIENTS, opened)
    return _measured(trial, detector, _Set(opened.name, cases, facts, opened.warnings, folder), seed)


@dataclass(frozen=True)
class _Set:
    """Volumes to be answered for, and what the report says of them; see `VolumesResult`."""

    name: str
    cases: Sequence[Case]
    facts: Sequence[tuple[str, str]]
    warnings: tuple[str, ...]
    folder: Path


def _measured(trial: Trial, detector: Detector, given: _Set, seed: int) -> VolumesResult:
    trial.say(f"{detector.model}: {len(given.cases)} volumes of {given.name}")
    measured = []
    for case in tqdm(given.cases, desc="volumes", unit="volume", disable=not trial.progress):
        volume, truth = case.load()
        found = find_volume(detector, volume)
        measured.append(Measured(case.name, case.patient, case.tumor, found, truth))
    figures = volume_figures(measured, seed=seed)
    result = VolumesResult(
        given.name, tuple(given.facts), given.warnings, tuple(measured), figures, given.folder
    )
    write_volumes(result)
    return result


def _model_facts(detector: Detector) -> list[tuple[str, str]]:
    return [
        ("Model", f"{detector.model} on {detector.engine.name}"),
        *point_facts(detector.operating_point),
        ("Rule", _RULE_WORDS),
    ]


def _one_csv(paths: Sequence[Path]) -> Path:
    if len(paths) != 1 or paths[0].suffix.lower() != ".csv":
        raise SettingsError("--sets names one csv here: see --help for its columns")
    return paths[0]
