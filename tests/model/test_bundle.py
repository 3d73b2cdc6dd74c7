from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tumorscan.config import preset
from tumorscan.errors import BundleError, EnvironmentProblem
from tumorscan.model.bundle import MANIFEST, WEIGHTS, Manifest, read_bundle, write_bundle
from tumorscan.types import Interval, OperatingPoint

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
    temperature, point = back.fitted()
    assert temperature == 1.7
    assert point.threshold == 0.31
    assert point.sensitivity == RATE
    assert math.isnan(point.specificity.value)
    assert back.manifest.settings == preset("original")
    assert back.manifest.version == bundle.manifest.version
    assert len(back.manifest.version) == 12


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
    assert read_bundle(bundle.folder).fitted()[0] == 2.0
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
    assert read_bundle(bundle.folder).fitted()[0] == 1.7
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
