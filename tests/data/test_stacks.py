"""Csv files of volumes and of slices: what is known of each, in the slices' order, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.data.stacks import slice_cases, volume_cases
from tumorscan.errors import DataError

nibabel = pytest.importorskip("nibabel")


def write_pair(folder: Path, name: str = "head") -> tuple[Path, Path]:
    """A volume of 12 slices, 5 mm apart, whose slices 4 to 6 from below hold the mask."""
    rng = np.random.default_rng(2)
    values = rng.integers(50, 900, (96, 90, 12)).astype(np.int16)
    mask = np.zeros(values.shape, np.uint8)
    mask[30:40, 50:60, 4:7] = 1
    mask[35, 55, 4] = 0
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    paths = folder / f"{name}.nii.gz", folder / f"{name}_mask.nii.gz"
    for path, data in zip(paths, (values, mask), strict=True):
        nibabel.save(nibabel.Nifti1Image(data, affine), path)
    return paths


def table(folder: Path, *lines: str) -> Path:
    path = folder / "volumes.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_masks_say_which_slices_in_the_order_of_the_volume(tmp_path: Path) -> None:
    write_pair(tmp_path)
    path = table(
        tmp_path, "volume,mask,label,patient", "head.nii.gz,head_mask.nii.gz,,p1", "head.nii.gz,,no_tumor,"
    )
    (known, healthy), sha256 = volume_cases(path)
    assert len(sha256) == 64
    assert (known.patient, known.tumor, healthy.patient, healthy.tumor) == ("p1", True, "head.nii.gz", False)
    volume, truth = known.load()
    assert truth is not None
    assert [volume.slices[i].frame for i in np.flatnonzero(truth)] == [4, 5, 6]
    _, nothing = healthy.load()
    assert nothing is not None
    assert not nothing.any()


def test_a_label_alone_leaves_the_slices_unknown(tmp_path: Path) -> None:
    write_pair(tmp_path)
    (case,), _ = volume_cases(table(tmp_path, "volume,label", "head.nii.gz,tumor"))
    assert case.tumor
    assert case.load()[1] is None


def test_the_hash_tells_the_set_under_any_name(tmp_path: Path) -> None:
    write_pair(tmp_path)
    (tmp_path / "other.nii.gz").write_bytes((tmp_path / "head.nii.gz").read_bytes())
    hashes = {
        volume_cases(table(tmp_path, "volume,label", f"{name}.nii.gz,tumor"))[1] for name in ("head", "other")
    }
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["volume,label", "head.nii.gz,"], "line 2: gives neither a mask nor a label"),
        (["volume,label", "head.nii.gz,maybe"], "line 2: gives neither a mask nor a label"),
        (["volume,label", "nowhere.nii.gz,tumor"], "line 2: nowhere.nii.gz does not exist"),
        (["volume,label"], "lists nothing"),
        (["file,label", "head.nii.gz,tumor"], "no column volume"),
    ],
)
def test_refused_tables_of_volumes(tmp_path: Path, lines: list[str], says: str) -> None:
    write_pair(tmp_path)
    with pytest.raises(DataError, match=says):
        volume_cases(table(tmp_path, *lines))


def test_a_mask_of_another_grid_is_refused(tmp_path: Path) -> None:
    write_pair(tmp_path)
    nibabel.save(
        nibabel.Nifti1Image(np.ones((96, 90, 9), np.uint8), np.diag([1.0, 1, 5, 1])), tmp_path / "m.nii"
    )
    (case,), _ = volume_cases(table(tmp_path, "volume,mask", "head.nii.gz,m.nii"))
    with pytest.raises(DataError, match=r"line 2: the mask is \(9, "):
        case.load()


def test_slices_become_stacks_by_patient_and_time_in_their_order(tmp_path: Path) -> None:
    for number in range(6):
        Image.fromarray(np.full((90, 96), 10 * number, np.uint8)).save(tmp_path / f"{number}.png")
    rows = ["file,label,patient,time,slice"]
    rows += [f"{n}.png,{'tumor' if n == 4 else 'no_tumor'},a,Pre,{n}" for n in (5, 3, 4)]
    rows += [f"{n}.png,no_tumor,a,Post,{n}" for n in (0, 1, 2)]
    first, second = slice_cases(table(tmp_path, *rows), 4.0)
    assert (first.name, first.patient, first.tumor, second.tumor) == ("a Pre", "a", True, False)
    volume, truth = first.load()
    assert [int(volume.scan(i).pixels[0, 0, 0]) for i in range(3)] == [30, 40, 50]
    assert truth is not None
    assert truth.tolist() == [False, True, False]
    assert [one.position for one in volume.slices] == [12.0, 16.0, 20.0]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("0.png,tumor,,1", "needs a patient"),
        ("0.png,tumor,a,first", "a whole number"),
        ("0.png,perhaps,a,1", "a label"),
        ("9.png,tumor,a,1", "9.png does not exist"),
        ("0.png,tumor,a,0", "line 3: slice 0 of this stack stands in an earlier line too"),
    ],
)
def test_refused_tables_of_slices(tmp_path: Path, row: str, says: str) -> None:
    Image.fromarray(np.zeros((90, 96), np.uint8)).save(tmp_path / "0.png")
    with pytest.raises(DataError, match=says):
        slice_cases(table(tmp_path, "file,label,patient,slice", "0.png,tumor,a,0", row), 5.0)


def test_slices_of_two_sizes_are_no_stack(tmp_path: Path) -> None:
    for number, side in enumerate((90, 91)):
        Image.fromarray(np.zeros((side, 96), np.uint8)).save(tmp_path / f"{number}.png")
    rows = [f"{n}.png,no_tumor,a,{n}" for n in (0, 1)]
    (case,) = slice_cases(table(tmp_path, "file,label,patient,slice", *rows), 5.0)
    with pytest.raises(DataError, match="grey pictures of one size"):
        case.load()
