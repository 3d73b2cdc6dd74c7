"""Where a bundle looks, against where the lesions are, other maps, and what blanking the peak does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tumorscan.data.lesions import Lesion, box_on_prepared, mask_on_prepared, read_lesions, read_mask
from tumorscan.data.records import Record
from tumorscan.detect.detector import Detector, load_detector
from tumorscan.errors import DataError, SettingsError
from tumorscan.evaluate.blanking import Blanking, blanked, place_around, places_elsewhere, summed_up
from tumorscan.evaluate.localisation import Located, centre_map, compare_maps, located, pixel_of, random_map
from tumorscan.read import read_scan
from tumorscan.study.localisation_report import write_localisation
from tumorscan.study.localisation_result import Found, Localisation, Part
from tumorscan.study.opened import Opened, Trial, drawn
from tumorscan.types import Frame, Prepared, Scan, Verdict

FOLDER: Final = "localisation"
RANDOM, CENTRE = "random map", "middle of the picture"


def measure_localisation(
    trial: Trial, *, against: Sequence[Path] = (), most: int = 0, seed: int = 1
) -> Localisation:
    """Compare maps with lesions on every tumor picture whose lesion is known, and write the report.

    Every map is the one for "tumor", whatever the verdict: a missed tumor counts with the place that spoke
    for it. The measures over pictures that the model found stand beside those over all.

    Args:
        trial: the bundle, and csv files with boxes or masks (see `read_lesions`); the report goes to
            localisation/NAME by default.
        against: other bundles whose maps are measured on the same pictures.
        most: tumor pictures that are drawn, the sources in turn; 0 for all.
        seed: of the draw, the random map and the places that are blanked.

    Raises:
        DataError: no picture has a lesion, a lesion is not as it should be, or training has seen a picture.
        SettingsError, BundleError, EnvironmentProblem: as for `evaluate_external`.
    """
    detector = trial.detector()
    others = _named([load_detector(path, trial.engine) for path in against], detector)
    lesions = _lesions(trial.paths, trial.where)
    opened = trial.open(detector)
    records = _with_lesion(opened, lesions, most, seed)
    trial.say(f"{detector.model}: where it looks on {len(records)} pictures with a known lesion")
    own, *twins = (_SaysTumor(one.bundle, one.engine) for one in (detector, *others.values()))
    job = _Look(detector, own, dict(zip(others, twins, strict=True)), lesions, seed)
    bar = tqdm(records, desc="looking", unit="picture", disable=not trial.progress)
    found = tuple(one for one in map(job, bar) if one is not None)
    if not found:
        raise DataError(f"{opened.name}: the preparation cuts every lesion off: look at `tumorscan prepare`")
    lost = len(records) - len(found)
    measured = f"{len(found)} tumor pictures, {lost} lesions cut off, seed {seed}"
    facts = (*opened.facts(detector), ("Measured", measured))
    folder = trial.folder(FOLDER, opened)
    result = Localisation(opened, facts, found, _parts(found), _blanking(found), folder)
    write_localisation(result)
    return result


def _with_lesion(opened: Opened, lesions: Mapping[Path, Lesion], most: int, seed: int) -> Sequence[Record]:
    """The tumor pictures whose lesion is known, or a draw of them."""
    records = [one for one in opened.records if one.label == "tumor" and one.file in lesions]
    if not records:
        raise DataError(
            f"{opened.name}: no tumor picture with a lesion is left: give one with a box or a mask"
        )
    return drawn(records, most, seed) if most else records


@dataclass(frozen=True)
class _Look:
    """What is done with one picture."""

    detector: Detector
    own: _SaysTumor
    others: Mapping[str, _SaysTumor]
    lesions: Mapping[Path, Lesion]
    seed: int

    def __call__(self, record: Record) -> Found | None:
        """None where the preparation cut the lesion off."""
        scan = read_scan(record.file)
        lesion = self.lesions[record.file]
        prepared = self.detector.prepare(scan)
        region = _region(lesion, scan, prepared.frame)
        if not region.any():
            return None
        rng = np.random.default_rng([self.seed, int(record.pixels_sha256[:12], 16)])
        p, evidence = _map_for_tumor(self.own, scan, prepared)
        measured = {self.detector.model: located(evidence, region)}
        for name, other in self.others.items():
            seen = other.prepare(scan)
            theirs = _region(lesion, scan, seen.frame)
            # A lesion that another model's preparation cuts off is one that it cannot find.
            measured[name] = (
                located(_map_for_tumor(other, scan, seen)[1], theirs)
                if theirs.any()
                else Located(0, 0, 0, 0, 0, 0)
            )
        measured[RANDOM] = located(random_map(evidence.shape, rng), region)
        measured[CENTRE] = located(centre_map(evidence.shape), region)
        said = self.detector.verdict(p) is Verdict.TUMOR
        return Found(record, measured, said, p, self._falls(prepared, evidence, rng))

    def _falls(
        self, prepared: Prepared, evidence: NDArray[np.float32], rng: np.random.Generator
    ) -> tuple[float, float] | None:
        """How far the logit falls where the peak is blanked, and elsewhere on average."""
        if np.ptp(evidence) == 0:
            return None
        size = prepared.pixels.shape[0]
        peak = place_around(*pixel_of(evidence, size), size)
        places = places_elsewhere(prepared.pixels, peak, rng)
        if not places:
            return None
        forms = [prepared.pixels, *(blanked(prepared.pixels, place) for place in (peak, *places))]
        logits = self.detector.engine.run_all(np.stack(forms)).astype(np.float64)
        return float(logits[0] - logits[1]), float(logits[0] - logits[2:].mean())


class _SaysTumor(Detector):
    """Reports a tumor at any probability, so that what it explains is always a tumor."""

    def verdict(self, _: float) -> Verdict:
        return Verdict.TUMOR


def _map_for_tumor(twin: _SaysTumor, scan: Scan, prepared: Prepared) -> tuple[float, NDArray[np.float32]]:
    """The probability, 0 where the picture was refused before it had one, and the evidence for "tumor"."""
    finding, explanation = twin.explain(scan, prepared)
    return float(finding.probability or 0.0), explanation.evidence


def _region(lesion: Lesion, scan: Scan, frame: Frame) -> NDArray[np.bool_]:
    """The lesion on the prepared picture: its mask, else its box; S x S."""
    if lesion.mask is not None:
        return mask_on_prepared(read_mask(lesion.mask), frame)
    region = np.zeros((frame.size, frame.size), bool)
    box = box_on_prepared(lesion.box, scan.width, scan.height, frame) if lesion.box else None
    if box is not None:
        left, top, width, height = (one * frame.size for one in box)
        first_row, first_column = round(top), round(left)
        last_row, last_column = (
            max(first_row + 1, round(top + height)),
            max(first_column + 1, round(left + width)),
        )
        region[first_row:last_row, first_column:last_column] = True
    return region


def _lesions(paths: Sequence[Path], where: Mapping[str, str]) -> dict[Path, Lesion]:
    lesions: dict[Path, Lesion] = {}
    for path in paths:
        if path.is_dir():
            raise DataError(f"{path}: a folder gives no boxes or masks: name a csv with box_x ... or mask")
        found = read_lesions(path, where)
        if not found:
            raise DataError(
                f"{path}: gives no lesion: it needs the columns box_x, box_y, box_w, box_h, or mask"
            )
        lesions |= found
    return lesions


def _named(others: Sequence[Detector], first: Detector) -> dict[str, Detector]:
    named = {other.model: other for other in others}
    if first.model in named or len(named) < len(others):
        raise SettingsError("--against names a bundle twice, or the model itself: name other bundles")
    return named


def _units(found: Sequence[Found]) -> tuple[list[str], str]:
    records = [one.record for one in found]
    if all(record.patient for record in records):
        return [f"{record.source}/{record.patient}" for record in records], "patients"
    return [record.group for record in records], "groups"


def _parts(found: Sequence[Found]) -> tuple[Part, ...]:
    """All pictures, those that the model found, and its sources and planes where there are several."""
    chosen: dict[str, list[Found]] = {
        "all tumor pictures": list(found),
        "tumors that the model found": [one for one in found if one.said],
    }
    for kind in ("source", "plane"):
        names = sorted({getattr(one.record, kind) for one in found})
        if len(names) > 1:
            for name in names:
                chosen[f"{kind} {name or 'not given'}"] = [
                    one for one in found if getattr(one.record, kind) == name
                ]
    return tuple(_part(name, some) for name, some in chosen.items() if some)


def _part(name: str, found: Sequence[Found]) -> Part:
    units, unit = _units(found)
    kinds = list(found[0].measured)
    maps = {kind: [one.measured[kind] for one in found] for kind in kinds}
    return Part(name, len(found), len(set(units)), unit, compare_maps(maps, units, unit=unit))


def _blanking(found: Sequence[Found]) -> dict[str, Blanking]:
    chosen = {"all tumor pictures": found, "tumors that the model found": [one for one in found if one.said]}
    told = {}
    for name, some in chosen.items():
        known = [one for one in some if one.falls is not None]
        if known:
            units, unit = _units(known)
            told[name] = summed_up([one.falls for one in known if one.falls], units, unit=unit)
    return told
