"""The script of examples/: its logic on a ball, and the shipped pictures again where the template is."""

from __future__ import annotations

import csv
import gzip
import io
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow


def _nifti(voxels: np.ndarray, kind: int = 2, magic: bytes = b"n+1\0") -> bytes:
    header = bytearray(352)
    header[40:56] = struct.pack("<8h", 3, *voxels.shape, 1, 1, 1, 1)
    header[70:72] = struct.pack("<h", kind)
    header[108:112] = struct.pack("<f", 352.0)
    header[344:348] = magic
    return gzip.compress(bytes(header) + voxels.tobytes(order="F"))


def test_nifti_comes_back(scripts: Any, tmp_path: Path, rng: np.random.Generator) -> None:
    voxels = rng.integers(0, 256, (3, 4, 5), dtype=np.uint8)
    (tmp_path / "a.nii.gz").write_bytes(_nifti(voxels))
    np.testing.assert_array_equal(scripts.template_head.read_nifti(tmp_path / "a.nii.gz"), voxels)


@pytest.mark.parametrize("wrong", [{"kind": 4}, {"magic": b"ni1\0"}])
def test_another_nifti_is_refused(scripts: Any, tmp_path: Path, wrong: dict[str, Any]) -> None:
    (tmp_path / "a.nii.gz").write_bytes(_nifti(np.zeros((2, 2, 2), np.uint8), **wrong))
    with pytest.raises(ValueError, match=r"a\.nii\.gz: not a NIfTI-1 file of bytes: take"):
        scripts.template_head.read_nifti(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("template", ["missing", "no_nifti"])
def test_script_refuses_in_one_line(examples: Path, tmp_path: Path, template: str) -> None:
    if template == "no_nifti":
        (tmp_path / template).mkdir()
        for kind in ("t1", "wm"):
            name = f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz"
            (tmp_path / template / name).write_bytes(b"not gzip")
    command = [
        sys.executable,
        examples / "make.py",
        "--template",
        tmp_path / template,
        "--out",
        tmp_path / "out",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("make.py: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_box_bounds_the_mask(scripts: Any) -> None:
    mask = np.zeros((100, 200), np.bool_)
    mask[10:30, 50:60] = True
    assert scripts.make.box_of(mask) == ("0.2500", "0.1000", "0.0500", "0.2000")
    assert scripts.make.box_of(np.zeros((4, 4), np.bool_)) == ("", "", "", "")


def test_head_is_brain_fluid_bone_and_scalp_from_within(scripts: Any, ball: Any) -> None:
    x0, y0, z0 = scripts.template_head.ORIGIN
    outwards = ball.signal[x0:, y0, z0]
    skin = int(np.flatnonzero(outwards > 0.3).max())
    assert abs(skin - (66 + 13)) < 5
    assert outwards[30] == pytest.approx(scripts.template_head.WHITE, abs=0.06)
    assert outwards[66:75].min() < 0.15  # fluid and bone
    assert outwards[skin - 3] > 0.5  # scalp
    assert outwards[skin + 4 :].max(initial=0) < 0.05


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("kind", ["glioma", "meningioma", "pituitary"])
def test_same_seed_same_picture_and_the_lesion_is_where_it_was_put(
    scripts: Any, ball: Any, plane: str, kind: str
) -> None:
    lesion = scripts.simulated_lesions.Lesion(kind, 20.0, 15.0, 14.0, enhancement=0.8, swelling=0.5)
    shot = scripts.simulated_lesions.Shot(plane, 0, 5, contrast=True, lesion=lesion)
    pixels, mask = scripts.simulated_lesions.picture(ball, shot)
    again, _ = scripts.simulated_lesions.picture(ball, shot)
    np.testing.assert_array_equal(pixels, again)
    assert pixels.dtype == np.uint8
    rows, columns = np.nonzero(mask)
    millimetre = scripts.simulated_lesions.SIZE / scripts.simulated_lesions.FIELD
    expected = {"axial": (-16, 0), "coronal": (8, 0), "sagittal": (8, -16)}[plane]
    scale = 1.0 if plane == "axial" else 0.9
    down = 160 - scale * (15 - expected[0]) * millimetre
    across = 160 - scale * (20 - expected[1]) * millimetre
    assert abs(rows.mean() - down) < 14
    assert abs(columns.mean() - across) < 14
    bare, _ = scripts.simulated_lesions.picture(ball, replace(shot, lesion=None))
    brain = np.median(bare[bare > 60])
    assert np.percentile(pixels[mask], 90) > 1.1 * brain  # contrast agent
    if kind == "glioma":
        assert np.percentile(pixels[mask], 5) < 0.75 * brain  # necrosis


def test_without_lesion_the_mask_is_empty(scripts: Any, ball: Any) -> None:
    _, mask = scripts.simulated_lesions.picture(
        ball, scripts.simulated_lesions.Shot("axial", 0, 1, contrast=False)
    )
    assert not mask.any()


def test_table_and_files_agree(scripts: Any, ball: Any, tmp_path: Path) -> None:
    made = [*list(scripts.make.brain_slices(ball)), *scripts.make.other_pictures()]
    assert scripts.make.write(tmp_path, iter(made)) == len(scripts.make.SHOTS) + len(scripts.drawn.PICTURES)
    with (tmp_path / "examples.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        with Image.open(tmp_path / row["file"]) as image:
            assert image.size == (int(row["width"]), int(row["height"]))


def test_shipped_pictures_come_out_again(scripts: Any, examples: Path) -> None:
    folder = scripts.template_head.find_template()
    if folder is None:
        pytest.skip("no template: pip install --no-deps nilearn==0.14.1")
    head = scripts.template_head.load_head(folder)
    for row, data in scripts.make.brain_slices(head):
        assert data.startswith(b"\x89PNG")
        shot_again = Path(examples / row.file)
        with Image.open(shot_again) as shipped, Image.open(io.BytesIO(data)) as made:
            difference = np.abs(np.asarray(shipped, float) - np.asarray(made, float))
        assert difference.mean() < 0.5, row.file
