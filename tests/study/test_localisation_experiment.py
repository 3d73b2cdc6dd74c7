"""The localisation experiment on phantoms, whose csv holds boxes, and a bundle with fresh weights."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.app.cli import main
from tumorscan.data.lesions import Lesion
from tumorscan.data.phantom import write_phantoms
from tumorscan.errors import DataError, SettingsError
from tumorscan.model.bundle import read_bundle, write_bundle
from tumorscan.study.localisation import CENTRE, RANDOM, _region, measure_localisation
from tumorscan.study.opened import Trial
from tumorscan.types import Frame, Scan


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("drawn"), 12, 5, size=64)


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "run" / "bundle"))


@pytest.fixture
def other(bundle: Path, tmp_path: Path) -> Path:
    """The same network under another name."""
    read = read_bundle(bundle)
    files = {name: (bundle / name).read_bytes() for name in read.manifest.files}
    write_bundle(tmp_path / "other", replace(read.manifest, name="other", files={}), files)
    return tmp_path / "other"


@pytest.mark.slow
def test_every_map_is_measured_and_reported(bundle: Path, other: Path, table: Path) -> None:
    result = measure_localisation(Trial(bundle, [table]), against=[other])
    assert result.folder == bundle.resolve().parent / "localisation" / "phantoms"
    names = {path.name for path in result.folder.iterdir()}
    drawn = {"peak_in.png", "iou_area.png", "mass.png", "apart.png"}
    assert names == {"report.html", "metrics.json", "pictures.csv"} | drawn
    whole = result.parts[0]
    assert (whole.n, whole.units, whole.unit) == (6, 6, "groups")
    own, theirs, *_ = whole.maps
    assert list(whole.maps) == [own, theirs, RANDOM, CENTRE]
    assert theirs.startswith("other ")
    # The same network has the same map.
    assert whole.maps[theirs].ahead["iou_area"].value == 0
    metrics = json.loads((result.folder / "metrics.json").read_text())
    assert metrics["parts"]["all tumor pictures"]["pictures"] == 6
    with (result.folder / "pictures.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 6
    mean = np.mean([float(row["iou_area"]) for row in rows])
    assert whole.maps[own].figures["iou_area"].value == pytest.approx(mean)
    falls = [float(row["fall_peak"]) for row in rows if row["fall_peak"]]
    assert result.blanking["all tumor pictures"].peak.value == pytest.approx(np.mean(falls))
    assert list(read_bundle(bundle).manifest.looks.values()) == [1]


@pytest.mark.slow
def test_the_command_prints_the_figures(
    bundle: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["experiment", "localisation", bundle, "--sets", table, "--most", 4]
    assert main([str(one) for one in arguments]) == 0
    out = capsys.readouterr().out
    assert "4 tumor pictures of phantoms" in out
    assert out.count("Peak in the lesion") == 3
    assert "blanking, all tumor pictures" in out


def test_boxes_and_masks_become_regions(tmp_path: Path) -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[10:20, 30:40] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    scan = Scan(np.zeros((40, 40, 3), np.uint8), "x", "PNG", "L", 1, True)
    way = Frame(0, 0, 40, 40, 0, 0, 40, 40, 80)
    by_mask = _region(Lesion(None, tmp_path / "m.png"), scan, way)
    by_box = _region(Lesion((0.75, 0.25, 0.25, 0.25), None), scan, way)
    assert np.array_equal(by_mask, by_box)
    assert by_box.sum() == 400
    assert _region(Lesion((0.5, 0.5, 0.001, 0.001), None), scan, way).sum() == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,label\nyes/a.png,tumor\n", "gives no lesion"),
        ("file,label,box_x,box_y,box_w,box_h\nyes/a.png,tumor,0.9,0,0.2,0.1\n", "line 2: box .* outside"),
    ],
)
def test_refused_tables(bundle: Path, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "set.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        measure_localisation(Trial(bundle, [path]))


def test_a_folder_is_refused(bundle: Path, table: Path) -> None:
    with pytest.raises(DataError, match="name a csv"):
        measure_localisation(Trial(bundle, [table.parent]))


def test_a_bundle_against_itself_is_refused(bundle: Path, table: Path) -> None:
    with pytest.raises(SettingsError, match="--against names a bundle twice"):
        measure_localisation(Trial(bundle, [table]), against=[bundle])
