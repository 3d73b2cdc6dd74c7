"""The table of tumor types: what it gives, how divided patients are kept whole, and its refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.app.cli import main
from tumorscan.config import SHIPPED
from tumorscan.data.phantom import draw_phantom
from tumorscan.detect.detector import load_detector
from tumorscan.errors import DataError
from tumorscan.model.bundle import TYPES, WEIGHTS, add_files, read_bundle
from tumorscan.study.type_features import see_types
from tumorscan.study.typed_slices import read_typed, whole_patients

HEAD = "file,label,tumor_type,patient,fold,plane"


def write(folder: Path, *rows: str) -> Path:
    for row in rows:
        if name := row.split(",")[0]:
            Image.fromarray(np.zeros((64, 64), np.uint8)).save(folder / name)
    path = folder / "t.csv"
    path.write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    return path


GOOD = ("a.png,tumor,glioma,p1,1,axial", "b.png,tumor,glioma,p1,2,axial", "c.png,tumor,pituitary,p2,2,cor")


def test_it_gives_types_patients_and_folds(tmp_path):
    slices = read_typed(write(tmp_path, *GOOD))
    assert slices.names == ("glioma", "pituitary")
    assert slices.types.tolist() == [0, 0, 1]
    assert slices.folds.tolist() == ["1", "2", "2"]
    assert slices.whole.tolist() == ["1", "1", "2"]
    assert slices.divided == ("p1",)
    assert slices.planes.tolist() == ["axial", "axial", "cor"]


def test_a_divided_patient_goes_with_most_of_its_slices():
    patients, folds = np.array(list("aaabb")), np.array(list("13312"))
    assert whole_patients(patients, folds).tolist() == ["3", "3", "3", "1", "1"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((), "holds no row"),
        ((GOOD[0].replace("glioma", ""), *GOOD[1:]), "line 2: tumor_type is empty"),
        ((*GOOD, GOOD[0]), "line 5: a.png stands in line 2 too"),
        (GOOD[:2], "every slice is glioma"),
        ((GOOD[1], GOOD[2]), "there is one fold"),
        ((*GOOD, "d.png,tumor,glioma,p2,1,cor"), "patient p2 has pituitary and glioma"),
    ],
)
def test_tables_that_cannot_be_used(rows, message, tmp_path):
    with pytest.raises(DataError, match=message):
        read_typed(write(tmp_path, *rows))


def test_a_picture_that_is_not_there(tmp_path):
    path = write(tmp_path, *GOOD)
    (tmp_path / "b.png").unlink()
    with pytest.raises(DataError, match="line 3: there is no picture"):
        read_typed(path)


@pytest.fixture(scope="module")
def drawn_table(tmp_path_factory) -> Path:
    """Drawn heads of two kinds: as they are, and mirrored top to bottom and dark."""
    folder = tmp_path_factory.mktemp("types")
    rows = [HEAD]
    for patient in range(12):
        kind = patient % 2
        for number in range(2 if patient == 0 else 1):
            rng = np.random.default_rng([patient, number])
            pixels = draw_phantom(rng, tumor=True, size=96).pixels
            name = f"{patient}_{number}.png"
            Image.fromarray(pixels[::-1] // 3 if kind else pixels).save(folder / name)
            fold = patient // 2 % 2 if patient else number  # patient 0 is divided
            rows.append(f"{name},tumor,{('up', 'down')[kind]},p{patient},{fold},axial")
    path = folder / "types.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="no bundle is shipped with this checkout")
def test_the_experiment_measures_every_fold_and_keeps_what_it_saw(drawn_table, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tumorscan.detect.tumor_type_fit.INNER", 2)
    asked = ["experiment", "tumor-type", str(drawn_table), "--out", str(tmp_path / "o"), "--clean", "1"]
    assert main([*asked, "--error", "0.2", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["types"] == ["down", "up"]
    assert table["divided_patients"] == ["p0"]
    first = table["rows"][0]
    assert (first["slices"], first["patients"]) == (13, 12)
    assert 0.5 <= first["figures"]["slice_accuracy"]["value"] <= 1
    assert sum(map(sum, first["confusion"])) == 13
    clean = table["rows"][-1]
    assert clean["test"] == "every patient with a slice in fold 1"
    assert clean["patients"] == 7
    written = (tmp_path / "o" / "slices.csv").read_text().splitlines()
    assert len(written) == 14
    assert json.loads((tmp_path / "o" / "metrics.json").read_text()) == table

    def nothing(*_):
        raise AssertionError("the pictures were read again")

    monkeypatch.setattr("tumorscan.study.type_features.read_scan", nothing)
    assert main([*asked, "--error", "0.2"]) == 0
    said = capsys.readouterr().out
    assert "the table's folds divide 1 patients" in said
    assert "recall up, patients" in said


@pytest.mark.parametrize("more", [["--clean", "7"], ["--error", "0.9"]])
def test_the_experiment_refuses(drawn_table, more, tmp_path, capsys):
    assert main(["experiment", "tumor-type", str(drawn_table), "--out", str(tmp_path), *more]) in (2, 4)
    assert len(capsys.readouterr().err.strip().splitlines()[-1]) > 20


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="no bundle is shipped with this checkout")
def test_types_are_fitted_into_a_bundle_and_measured(drawn_table, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tumorscan.detect.tumor_type_fit.INNER", 2)
    shutil.copytree(SHIPPED, tmp_path / "b")
    asked = ["tumor-type", str(tmp_path / "b"), str(drawn_table), "--fold", "1", "--json"]
    kept = ["--keep", str(tmp_path / "seen.npz")]
    assert main([*asked, *kept]) == 5
    assert "tells glioma, meningioma, pituitary" in capsys.readouterr().err
    assert main([*asked, *kept, "--fit", "--error", "0.2"]) == 0
    fitted = json.loads(capsys.readouterr().out)
    assert (fitted["slices"], fitted["patients"]) == (8, 7)
    assert main([*asked, *kept]) == 0
    assert json.loads(capsys.readouterr().out) == fitted
    card = (tmp_path / "b" / "card.md").read_text(encoding="utf-8")
    assert "down, up, or not sure" in card
    assert "the 7 patients of fold 1" in card
    add_files(read_bundle(tmp_path / "b"), {TYPES: b"of an older form"})
    assert main([*asked, *kept]) == 5
    assert "tumorscan tumor-type --fit" in capsys.readouterr().err
    assert main([*asked, *kept, "--fit", "--error", "0.2"]) == 0
    assert json.loads(capsys.readouterr().out) == fitted
    assert main(["tumor-type", str(tmp_path / "b"), str(drawn_table), "--fold", "9"]) == 4
    assert "no fold 9" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not SHIPPED.is_dir(), reason="no bundle is shipped with this checkout")
def test_another_trunk_with_the_same_weights_sees_the_same(drawn_table):
    pytest.importorskip("keras")
    detector, files = load_detector(), read_typed(drawn_table).files[:5]
    own = see_types(detector, files)
    other = see_types(detector, files, trunk=SHIPPED / WEIGHTS)
    np.testing.assert_allclose(other.features, own.features, atol=1e-2)
    np.testing.assert_array_equal(other.found, own.found)
