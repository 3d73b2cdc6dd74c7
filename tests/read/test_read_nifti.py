"""NIfTI: shown as DICOM of the same head would be, whatever way it is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from tumorscan.errors import UnreadableScan
from tumorscan.read.nifti import is_nifti
from tumorscan.read.study import is_study, read_study
from tumorscan.types import Volume

# x to the right, y to the front, z upwards; the value tells the place: 10000 x + 100 y + z.
SHAPE = (30, 40, 20)
HEAD = sum(
    np.meshgrid(*(np.arange(n) * f for n, f in zip(SHAPE, (10000, 100, 1), strict=True)), indexing="ij")
)
HEAD = HEAD.astype(np.float32)


def write(path: Path, values: Any = HEAD, sizes: Any = (1, 1, 5), axes: str = "RAS", **options: Any) -> Path:
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = [-15, -20, -10]
    image = options.get("kind", nib.Nifti1Image)(values, affine)
    turned = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(affine), nib.orientations.axcodes2ornt(axes)
    )
    nib.save(image.as_reoriented(turned), path)
    return path


def only(path: Path) -> Volume:
    (volume,) = read_study(path).volumes
    return volume


@pytest.mark.parametrize("axes", ["RAS", "LPS", "LAS", "SAR", "PIR"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_the_same_head_however_it_is_stored(axes: str, suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"x{suffix}", axes=axes)
    assert is_study(path)
    volume = only(path)
    assert (volume.plane, volume.spacing, volume.format) == ("axial", (5, 1, 1), "NIFTI")
    # Upwards; front at the top, the patient's right at the left.
    np.testing.assert_array_equal(volume.values, HEAD[::-1, ::-1].transpose(2, 1, 0))
    np.testing.assert_allclose([one.position for one in volume.slices], -10 + 5 * np.arange(20))
    forward = next(code for code in axes if code in "SI") == "S"
    assert [one.frame for one in volume.slices] == list(range(20) if forward else range(19, -1, -1))


@pytest.mark.parametrize(
    ("sizes", "plane", "upper_left"),
    [
        ((1, 1, 5), "axial", (29, 39, 0)),  # the first slice's upper left: right, front, lowest
        ((1, 5, 1), "coronal", (29, 39, 19)),  # right, foremost, top
        ((5, 1, 1), "sagittal", (29, 39, 19)),  # rightmost, front, top
    ],
)
def test_the_widest_step_is_the_acquisition_s(
    sizes: Any, plane: str, upper_left: tuple[int, int, int], tmp_path: Path
) -> None:
    volume = only(write(tmp_path / "x.nii", sizes=sizes))
    assert volume.plane == plane
    assert volume.values[0, 0, 0] == HEAD[upper_left]
    assert volume.spacing == (5, 1, 1)


def test_alike_steps_mean_axial_unless_one_side_has_far_fewer_slices(tmp_path: Path) -> None:
    assert only(write(tmp_path / "x.nii", sizes=(1, 1, 1))).plane == "axial"
    few = np.repeat(HEAD, 2, axis=1)[:, :, :]
    assert only(write(tmp_path / "y.nii", values=few[:14], sizes=(1, 1, 1))).plane != "coronal"


def test_nifti2_one_slice_scaling_and_odd_numbers(tmp_path: Path) -> None:
    assert only(write(tmp_path / "x.nii", kind=nib.Nifti2Image)).values.shape == (20, 40, 30)
    assert only(write(tmp_path / "y.nii", values=HEAD[:, :, :1])).values.shape == (1, 40, 30)
    odd = HEAD.copy()
    odd[3, 4, 5] = np.nan
    volume = only(write(tmp_path / "z.nii", values=odd))
    assert np.isfinite(volume.values).all()
    assert any("no finite numbers" in note for note in volume.notes)


MASK = (HEAD % 7 == 0).astype(np.uint8)
REFUSED = [
    (
        {"values": np.stack([HEAD] * 3, axis=-1)},
        "is 4-D, 30 x 40 x 20 x 3, several volumes in one: save the one",
    ),
    ({"values": MASK}, "holds only the values 0, 1: a mask, not a scan; give the scan that it belongs to"),
    ({"values": HEAD.astype(np.complex64)}, "holds complex numbers: take their magnitude"),
    ({"values": HEAD[:8, :8]}, "is 8 x 8 x 20 voxels, and a side under 16 shows no brain"),
]


@pytest.mark.parametrize(("options", "cause"), REFUSED)
def test_refusals(options: dict[str, Any], cause: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.nii.gz", **options)
    with pytest.raises(UnreadableScan, match=cause) as caught:
        read_study(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("share", [0.03, 0.5, 0.95])
def test_a_cut_file_is_refused(suffix: str, share: float, tmp_path: Path) -> None:
    path = write(
        tmp_path / f"x{suffix}", values=np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    )
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UnreadableScan, match="is a damaged or cut NIfTI file"):
        read_study(path)


def test_a_header_that_promises_too_much_is_refused_at_once(tmp_path: Path) -> None:
    for suffix in (".nii", ".nii.gz"):
        path = write(tmp_path / "y.nii")
        data = bytearray(path.read_bytes())
        data[42:48] = np.array([32767] * 3, "<i2").tobytes()
        import gzip

        path = tmp_path / f"x{suffix}"
        path.write_bytes(gzip.compress(bytes(data)) if suffix == ".nii.gz" else bytes(data))
        with pytest.raises(UnreadableScan, match="more than the limit"):
            read_study(path)


def test_nifti_in_a_zip_and_beside_dicom(tmp_path: Path) -> None:
    import zipfile

    from dicom_files import write_series

    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "x.nii.gz")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(tmp_path / "in" / "x.nii.gz", "deep/x.nii.gz")
    assert only(tmp_path / "x.zip").name == f"{tmp_path}/x.zip!deep/x.nii.gz"
    write_series(tmp_path / "in", range(3))
    assert [one.format for one in read_study(tmp_path / "in").volumes] == ["NIFTI", "DICOM"]


def test_is_nifti_of_other_gzip() -> None:
    import gzip

    assert not is_nifti(gzip.compress(b"x" * 4000))
    assert not is_nifti(b"\x1f\x8b\x00")


@pytest.mark.data
def test_real_head_front_up(data_dir: Path) -> None:
    volume = only(data_dir / "volumes" / "progression" / "01_Pre_Scan_T1.nii.gz")
    assert volume.values.shape == (24, 256, 256)
    assert volume.plane == "axial"
    with pytest.raises(UnreadableScan, match="a mask, not a scan"):
        read_study(data_dir / "volumes" / "progression" / "01_Pre_Mask.nii.gz")
