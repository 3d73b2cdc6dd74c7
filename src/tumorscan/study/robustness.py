"""How far a bundle's answers bear spoilt scans: every corruption at every strength, before preparation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from tumorscan.atomic import cannot_write
from tumorscan.data.corrupt import CORRUPTIONS, STRENGTHS
from tumorscan.data.parallel import in_order
from tumorscan.data.records import Record
from tumorscan.detect.detector import Detector
from tumorscan.errors import DataError, SettingsError
from tumorscan.evaluate.robustness import Curve, curves
from tumorscan.evaluate.strata import pooling_refusal
from tumorscan.prepare.pipeline import fingerprint
from tumorscan.read import read_scan
from tumorscan.study.opened import Opened, Trial, drawn
from tumorscan.study.robustness_report import write_robustness
from tumorscan.study.robustness_result import Robustness, spoilt
from tumorscan.types import Picture

FOLDER = "robustness"
Logits = dict[str, list[float]]
"""By corruption, one a strength, the untouched picture's first."""


def measure_robustness(
    trial: Trial, *, names: Sequence[str] = (), most: int = 200, seed: int = 1
) -> Robustness:
    """Score some pictures of the sets in every spoilt form and write the report; goes on after a kill.

    Args:
        trial: the bundle and the sets; the report goes to robustness/NAME by default.
        names: of `CORRUPTIONS`; all if empty.
        most: pictures that are drawn, both classes alike.
        seed: of the draw and of the corruptions.

    Raises:
        SettingsError: there is no such corruption, or `most` is under 2.
        BundleError, DataError, EnvironmentProblem: as for `evaluate_external`.
    """
    chosen = _chosen(names)
    detector = trial.detector()
    opened = trial.open(detector)
    records = drawn(opened.records, most, seed)
    folder = trial.folder(FOLDER, opened)
    trial.say(f"{detector.model}: {len(records)} pictures in {1 + STRENGTHS * len(chosen)} forms each")
    logits = _scored(detector, records, chosen, seed, folder, progress=trial.progress)
    refusal = pooling_refusal([_truth(record) for record in records], [record.source for record in records])
    result = Robustness(
        opened,
        tuple(_facts(detector, opened, records, seed)),
        records,
        _curves(detector, records, logits, refusal),
        folder,
        refusal,
    )
    write_robustness(result, seed)
    return result


def _chosen(names: Sequence[str]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in CORRUPTIONS]
    if unknown:
        raise SettingsError(f"there is no corruption {unknown[0]!r}: choose from {', '.join(CORRUPTIONS)}")
    return tuple(name for name in CORRUPTIONS if not names or name in names)


def _scored(
    detector: Detector,
    records: Sequence[Record],
    names: Sequence[str],
    seed: int,
    folder: Path,
    *,
    progress: bool,
) -> list[Logits]:
    """The logits of each record's forms, those of an earlier run taken from its file of scores."""
    path = folder / f"scores-{_key(detector, seed)}.jsonl"
    done = _read_scores(path)
    left = {
        one.pixels_sha256: one for one in records if not set(names) <= set(done.get(one.pixels_sha256, ()))
    }
    forms = in_order(
        partial(_forms, detector, names=names, seed=seed),
        list(left.values()),
        title="spoiling",
        progress=progress,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="ascii") as file:
            for digest, pictures in zip(left, forms, strict=True):
                row = detector.engine.run_all(pictures).astype(float).tolist()
                found = {
                    name: [row[0], *row[1 + i * STRENGTHS : 1 + (i + 1) * STRENGTHS]]
                    for i, name in enumerate(names)
                }
                done[digest] = {**done.get(digest, {}), **found}
                file.write(json.dumps({"pixels": digest, "logits": done[digest]}) + "\n")
                file.flush()
    except OSError as error:
        raise cannot_write(path, error) from error
    return [done[record.pixels_sha256] for record in records]


def _forms(detector: Detector, record: Record, *, names: Sequence[str], seed: int) -> Picture:
    """Prepared: uint8, 1 + corruptions x strengths, S x S x 3."""
    scan = read_scan(record.file)
    forms = [scan.pixels]
    forms += [
        spoilt(scan.pixels, record, name, strength, seed)
        for name in names
        for strength in range(1, STRENGTHS + 1)
    ]
    return np.stack([detector.prepare(replace(scan, pixels=pixels)).pixels for pixels in forms])


def _key(detector: Detector, seed: int) -> str:
    """What scores depend on besides the picture; the bundle's looks and figures play no part."""
    manifest = detector.bundle.manifest
    levels = {name: one.levels for name, one in CORRUPTIONS.items()}
    facts = [dict(manifest.files), fingerprint(manifest.settings.prepare), detector.engine.name, seed, levels]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def _read_scores(path: Path) -> dict[str, Logits]:
    """Scores of an earlier run. A last line that a kill cut off is taken off."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="ascii", errors="replace")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        with path.open("r+b") as file:
            file.truncate(len(whole.encode("utf-8")))
    done: dict[str, Logits] = {}
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            row = json.loads(line)
            done[row["pixels"]] = {
                name: [float(one) for one in row["logits"][name]] for name in row["logits"]
            }
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: line {number}: no scores: delete the file and run again") from error
    return done


def _curves(
    detector: Detector, records: Sequence[Record], logits: Sequence[Logits], refusal: str
) -> tuple[Curve, ...]:
    known = all(record.patient for record in records)
    tables = {
        name: np.array([[_probability(detector, logit) for logit in one[name]] for one in logits]).T
        for name in (name for name in CORRUPTIONS if name in logits[0])
    }
    return curves(
        np.array([_truth(record) for record in records]),
        tables,
        [f"{one.source}/{one.patient}" if known else one.group for one in records],
        threshold=detector.operating_point.threshold,
        unit="patients" if known else "groups",
        refusal=refusal,
    )


def _probability(detector: Detector, logit: float) -> float:
    return float(detector.finding("", logit, (), {}).probability or 0.0)


def _facts(detector: Detector, opened: Opened, records: Sequence[Record], seed: int) -> list[tuple[str, str]]:
    tumors = sum(_truth(record) for record in records)
    drawn_ = f"{len(records)} of {len(opened.records)} pictures, {tumors} with a tumor"
    return [*opened.facts(detector), ("Drawn", drawn_), ("Seed", str(seed))]


def _truth(record: Record) -> int:
    return int(record.label == "tumor")
