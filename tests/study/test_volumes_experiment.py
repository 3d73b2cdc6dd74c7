"""The experiments on volumes, as run from the command line, on drawn heads and a bundle of fresh weights."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.app.cli import main
from tumorscan.data.phantom_study import draw_study
from tumorscan.errors import SettingsError
from tumorscan.evaluate.card import card_text
from tumorscan.model.bundle import read_bundle
from tumorscan.study.opened import Trial
from tumorscan.study.volumes import measure_patients, measure_volumes

nibabel = pytest.importorskip("nibabel")


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "run" / "bundle"))


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drawn heads as NIfTI with masks, one healthy one, and all slices as pictures; both csv files."""
    folder = tmp_path_factory.mktemp("heads")
    volumes, slices = ["volume,mask,label,patient"], ["file,label,patient,slice"]
    for seed in range(3):
        drawn = draw_study(seed, slices=8, size=96, tumor=seed > 0)
        for name, data in (("scan", drawn.values.astype(np.int16)), ("mask", drawn.masks.astype(np.uint8))):
            image = nibabel.Nifti1Image(
                np.transpose(data, (2, 1, 0))[::-1, ::-1], np.diag([2.0, 2.0, 6.0, 1.0])
            )
            nibabel.save(image, folder / f"{seed}_{name}.nii")
        mask = f"{seed}_mask.nii" if seed else ""
        volumes.append(f"{seed}_scan.nii,{mask},{'' if seed else 'no_tumor'},p{seed}")
        for number, (values, region) in enumerate(zip(drawn.values, drawn.masks, strict=True)):
            Image.fromarray((values >> 4).astype(np.uint8)).save(folder / f"{seed}_{number}.png")
            slices.append(f"{seed}_{number}.png,{'tumor' if region.any() else 'no_tumor'},p{seed},{number}")
    (folder / "volumes.csv").write_text("\n".join(volumes) + "\n")
    (folder / "slices.csv").write_text("\n".join(slices) + "\n")
    return folder


@pytest.mark.slow
def test_volumes_are_measured_reported_and_counted_as_a_look(
    bundle: Path, heads: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["experiment", "volumes", str(bundle), "--sets", str(heads / "volumes.csv")]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "3 volumes of 3 patients, volumes" in out
    assert "Slice AUC, with its neighbours" in out
    folder = bundle.parent / "volumes" / "volumes"
    assert {one.name for one in folder.iterdir()} == {
        "report.html",
        "metrics.json",
        "volumes.csv",
        "slices.csv",
    }
    with (folder / "slices.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 24
    assert sum(row["tumor"] == "true" for row in rows) == sum(
        int(draw_study(seed, slices=8, size=96).masks.any(axis=(1, 2)).sum()) for seed in (1, 2)
    )
    assert main([*arguments, "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["patients"] == 3
    manifest = read_bundle(bundle).manifest
    assert list(manifest.looks.values()) == [2]
    assert (bundle / "card.md").read_text(encoding="utf-8") == card_text(manifest)


@pytest.mark.slow
def test_slices_by_patient_say_what_their_volumes_would(
    bundle: Path, heads: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["experiment", "patients", str(bundle), "--sets", str(heads / "slices.csv"), "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert (table["volumes"], table["patients"]) == (3, 3)
    assert table["facts"]["Slices"] == "taken as 5 mm apart"
    assert (bundle.parent / "patients" / "slices" / "volumes.csv").is_file()
    manifest = read_bundle(bundle).manifest
    assert list(manifest.looks.values()) == [1]
    assert (bundle / "card.md").read_text(encoding="utf-8") == card_text(manifest)


@pytest.mark.parametrize("paths", [["folder"], ["one.csv", "two.csv"]])
def test_anything_but_one_csv_is_refused(bundle: Path, paths: list[str]) -> None:
    for measure in (measure_volumes, measure_patients):
        with pytest.raises(SettingsError, match="names one csv"):
            measure(Trial(bundle, [Path(one) for one in paths]))


def test_a_spacing_out_of_range_is_refused(bundle: Path, heads: Path) -> None:
    with pytest.raises(SettingsError, match="--spacing 0"):
        measure_patients(Trial(bundle, [heads / "slices.csv"]), spacing=0)
    assert not read_bundle(bundle).manifest.looks
