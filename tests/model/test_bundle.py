from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from tumorscan.config import preset
from tumorscan.errors import BundleError, EnvironmentProblem, SettingsError
from tumorscan.model.bundle import MANIFEST, WEIGHTS, Manifest, _digest, read_bundle, write_bundle
from tumorscan.types import Calibration, Interval, OperatingPoint, UncertainBand

RATE = Interval(0.97, 0.9, 0.99, "exact binomial")
NOT_MEASURED = Interval(math.nan, math.nan, math.nan, "exact binomial")


def manifest(**changes) -> Manifest:
    point = OperatingPoint("screening", 0.31, 0.97, RATE, NOT_MEASURED, "somewhere")
    values = {"temperature": 1.7, "operating_points": (point,), "lineage": {"chosen": {"epoch": 3}}}
    return Manifest("m", "", "2026-01-01T00:00:00+00:00", "0", preset("original"), **{**values, **changes})


@pytest.fixture
def bundle(tmp_path):
    return write_bundle(tmp_path / "b", manifest(), {WEIGHTS: b"numbers", "more.txt": b"text"})


def test_round_trip(bundle):
    back = read_bundle(bundle.folder)
    calibration, point = back.fitted()
    assert calibration == Calibration("temperature", {"slope": (1 / 1.7,)})
    assert back.manifest.band is None
    assert point.threshold == 0.31
    assert point.sensitivity == RATE
    assert math.isnan(point.specificity.value)
    assert back.manifest.settings == preset("original")
    assert back.manifest.version == bundle.manifest.version
    assert len(back.manifest.version) == 12


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration("platt", {"slope": (0.7,), "offset": (-0.2,)}, 0.03, "somewhere"),
        Calibration("isotonic", {"logits": (-1.0, 2.0), "probabilities": (0.1, 0.8)}),
    ],
)
def test_calibration_points_and_band_survive(tmp_path, calibration):
    specific = OperatingPoint(
        "specific", 0.7, None, RATE, RATE, "somewhere", wanted_specificity=0.97, level=0.95, guaranteed=True
    )
    band = UncertainBand(0.2, 0.6, 0.02, 0.02, 0.03, "somewhere", "in words")
    points = (manifest().operating_points[0], specific)
    made = manifest(temperature=None, calibration=calibration, operating_points=points, band=band)
    write_bundle(tmp_path / "b", made, {WEIGHTS: b"numbers"})
    back = read_bundle(tmp_path / "b")
    assert back.fitted("specific") == (calibration, specific)
    assert back.fitted()[1].name == "screening"
    assert back.manifest.band == band


def test_a_bundle_from_before_still_answers(tmp_path):
    """As the first version wrote it: no calibration but a temperature, no band, points of six fields."""
    made = write_bundle(tmp_path / "b", manifest(), {WEIGHTS: b"numbers"})
    path = made.folder / MANIFEST
    table = json.loads(path.read_text())
    for name in ("calibration", "band", "sha256"):
        del table[name]
    for point in table["operating_points"]:
        for name in ("wanted_specificity", "level", "guaranteed", "statement"):
            del point[name]
    del table["settings"]["decide"]
    path.write_text(json.dumps({**table, "sha256": _digest(table)}))
    calibration, point = read_bundle(tmp_path / "b").fitted()
    assert calibration.probability(1.7) == pytest.approx(1 / (1 + math.exp(-1)))
    assert (point.threshold, point.wanted_sensitivity, point.level) == (0.31, 0.97, None)
    assert read_bundle(tmp_path / "b").manifest.band is None


def test_an_unknown_operating_point_is_refused(bundle):
    with pytest.raises(SettingsError, match="no operating point 'loose': choose one of screening"):
        bundle.fitted("loose")


def test_found_through_its_run(tmp_path):
    write_bundle(tmp_path / "run" / "bundle", manifest(), {WEIGHTS: b"numbers"})
    assert read_bundle(tmp_path / "run").manifest.name == "m"


def test_manifest_is_strict_json(bundle):
    def refuse(constant):
        raise AssertionError(constant)

    json.loads((bundle.folder / MANIFEST).read_text(), parse_constant=refuse)


def test_looks_and_metrics_are_kept(bundle):
    again = bundle.count_look("test").count_look("test").record_metrics("test", {"auc": math.nan})
    assert read_bundle(bundle.folder).manifest.looks == {"test": 2}
    assert again.manifest.looks == {"test": 2}
    assert read_bundle(bundle.folder).manifest.metrics == {"test": {"auc": None}}


def test_overwriting_leaves_nothing_behind(bundle, tmp_path):
    write_bundle(bundle.folder, manifest(temperature=2.0), {WEIGHTS: b"other"})
    assert read_bundle(bundle.folder).manifest.temperature == 2.0
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert sorted(path.name for path in bundle.folder.iterdir()) == [MANIFEST, WEIGHTS]


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _edit(**changes):
    def edit(folder: Path) -> None:
        table = json.loads((folder / MANIFEST).read_text())
        (folder / MANIFEST).write_text(json.dumps({**table, **changes}))

    return edit


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: _flip(f / WEIGHTS), r"weights\.npz: changed since it was written"),
        (lambda f: _flip(f / MANIFEST), r"bundle\.json: damaged"),
        (lambda f: (f / WEIGHTS).unlink(), r"weights\.npz: missing from the bundle"),
        (lambda f: (f / MANIFEST).unlink(), "no bundle here"),
        (lambda f: (f / MANIFEST).write_text(""), "damaged"),
        (lambda f: (f / MANIFEST).write_text("[]"), "damaged"),
        (_edit(schema=99), "schema 99, this tumorscan reads 1"),
        (_edit(temperature=9.0), "its own SHA-256 differs"),
    ],
)
def test_damage_is_refused(bundle, damage, message):
    damage(bundle.folder)
    with pytest.raises(BundleError, match=message) as caught:
        read_bundle(bundle.folder)
    assert "\n" not in str(caught.value)


def test_a_file_outside_is_refused(tmp_path):
    (tmp_path / "outside").write_bytes(b"x")
    made = write_bundle(tmp_path / "b", manifest(), {WEIGHTS: b"numbers"})
    evil = Manifest(**{**vars(made.manifest), "files": {"../outside": "0" * 64}})
    made._rewrite(evil)
    with pytest.raises(BundleError, match="names a file outside the bundle"):
        read_bundle(made.folder)


def test_what_an_older_bundle_does_not_record_was_off(tmp_path):
    made = replace(manifest(), settings=preset("evidence"))
    folder = write_bundle(tmp_path / "b", made, {WEIGHTS: b"numbers"}).folder
    table = json.loads((folder / MANIFEST).read_text())
    del table["sha256"], table["settings"]["model"]["highest"], table["settings"]["evidence"]["imitate"]["t2"]
    (folder / MANIFEST).write_text(json.dumps({**table, "sha256": _digest(table)}))
    read = read_bundle(folder).manifest.settings
    assert (read.model.highest, read.evidence.imitate.t2) == (0, 0)
    assert read.evidence.imitate.gamma == preset("evidence").evidence.imitate.gamma


@pytest.mark.parametrize("changes", [{"temperature": None}, {"operating_points": ()}])
def test_unfitted_bundles_cannot_answer(tmp_path, changes):
    made = write_bundle(tmp_path / "b", manifest(**changes), {WEIGHTS: b"numbers"})
    with pytest.raises(BundleError, match="never fitted"):
        read_bundle(made.folder).fitted()


def test_a_full_disk_leaves_the_old_bundle(bundle, tmp_path, monkeypatch):
    real = Path.write_bytes

    def full(self, data):
        if self.name == "more.txt":
            raise OSError(28, "No space left on device")
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(EnvironmentProblem, match="No space left on device"):
        write_bundle(bundle.folder, manifest(temperature=9.0), {WEIGHTS: b"new", "more.txt": b"new"})
    assert read_bundle(bundle.folder).manifest.temperature == 1.7
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
