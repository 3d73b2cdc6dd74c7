"""DICOM in all its forms, as a person's folder, file or zip holds it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import COLUMNS, ROWS, dataset, enhanced, ramp, save, write_series
from numpy.typing import NDArray
from pydicom import uid
from pydicom.pixels import compress

from tumorscan.errors import UnreadableScan
from tumorscan.read import read_scan
from tumorscan.read.orientation import Turn, plane_of, turn_of
from tumorscan.read.study import is_study, read_study
from tumorscan.types import Volume


def only(path: Path) -> Volume:
    study = read_study(path)
    assert not study.problems
    assert len(study.volumes) == 1
    return study.volumes[0]


def test_a_folder_is_ordered_by_position_and_not_by_name(tmp_path: Path) -> None:
    volume = only(write_series(tmp_path / "s", range(6)))
    assert volume.values.dtype == np.float32
    np.testing.assert_array_equal(volume.values, [ramp(number) for number in range(6)])
    assert [one.position for one in volume.slices] == [0, 5, 10, 15, 20, 25]
    assert [Path(one.file).name for one in volume.slices] == [f"1_{99 - number}" for number in range(6)]
    assert (volume.plane, volume.spacing, volume.modality) == ("axial", (5, 1.5, 0.5), "MR")
    assert volume.slices[3].uid == dataset(3).SOPInstanceUID
    assert volume.series == dataset(3).SeriesInstanceUID
    assert "Doe" not in repr(volume)
    assert "4711" not in repr(volume)


def test_a_zip_reads_as_its_folder_does(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "s", range(4))
    archive = tmp_path / "s.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as stream:
        for file in folder.iterdir():
            stream.write(file, f"deep/{file.name}")
        stream.writestr("__MACOSX/._x", b"rest")
    volume = only(archive)
    np.testing.assert_array_equal(volume.values, only(folder).values)
    assert volume.slices[0].file == f"{archive}!deep/1_99"


def test_enhanced_multi_frame_takes_places_and_scale_from_its_groups(tmp_path: Path) -> None:
    volume = only(save(enhanced(5, order=[3, 1, 4, 0, 2]), tmp_path / "x.dcm"))
    np.testing.assert_array_equal(volume.values, [ramp(number) * 2.0 - 10 for number in range(5)])
    assert [one.frame for one in volume.slices] == [3, 1, 4, 0, 2]
    assert (volume.centre, volume.width) == (999.5, 1999)
    assert volume.scan(0).name == f"{tmp_path}/x.dcm[3]"


def _without_preamble(data: bytes) -> bytes:
    return data[128 + 4 :]


def _without_meta(data: bytes) -> bytes:
    length = int.from_bytes(data[140:144], "little")
    return data[144 + length :]


@pytest.mark.parametrize("strip", [_without_preamble, _without_meta])
@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
def test_files_without_preamble_meta_or_suffix(strip: Any, syntax: str, tmp_path: Path) -> None:
    made = dataset(2)
    made.file_meta.TransferSyntaxUID = syntax
    bare = tmp_path / "IM2"
    bare.write_bytes(strip(save(made, tmp_path / "x.dcm").read_bytes()))
    assert is_study(bare)
    np.testing.assert_array_equal(only(bare).values[0], ramp(2))
    assert read_scan(bare).format == "DICOM"


@pytest.mark.parametrize(
    ("syntax", "plugin"),
    [
        (uid.RLELossless, "pydicom"),
        (uid.JPEG2000Lossless, "pylibjpeg"),
        (uid.JPEGLSLossless, "pyjpegls"),
        (uid.DeflatedExplicitVRLittleEndian, ""),
        (uid.ExplicitVRBigEndian, ""),
    ],
)
def test_lossless_syntaxes_give_the_same_values(syntax: str, plugin: str, tmp_path: Path) -> None:
    made = dataset(1)
    if syntax == uid.JPEG2000Lossless:
        made = _jpeg2000(made)
    elif plugin:
        compress(made, syntax, encoding_plugin=plugin, generate_instance_uid=False)
    elif syntax == uid.ExplicitVRBigEndian:
        made.PixelData = ramp(1).astype(">u2").tobytes()
        made.file_meta.TransferSyntaxUID = syntax
        made.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    made.file_meta.TransferSyntaxUID = syntax
    np.testing.assert_array_equal(only(save(made, tmp_path / "x.dcm")).values[0], ramp(1))


def _jpeg2000(made: Any) -> Any:
    return _packed(made, ".jp2", uid.JPEG2000Lossless, ramp(1))


def _packed(made: Any, kind: str, syntax: str, pixels: NDArray[Any]) -> Any:
    from io import BytesIO

    from PIL import Image

    stream = BytesIO()
    if kind == ".jp2":
        Image.fromarray(pixels).save(stream, "JPEG2000", no_jp2=True, irreversible=False)
    else:
        Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    made.PixelData = pydicom.encaps.encapsulate([stream.getvalue()])
    made["PixelData"].VR = "OB"
    made.file_meta.TransferSyntaxUID = syntax
    return made


def test_lossless_jpeg_gives_the_same_values(tmp_path: Path) -> None:
    import gdcm

    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(save(dataset(1), tmp_path / "x")))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(tmp_path / "y"))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert pydicom.dcmread(tmp_path / "y").file_meta.TransferSyntaxUID == uid.JPEGLosslessSV1
    np.testing.assert_array_equal(only(tmp_path / "y").values[0], ramp(1))


def test_a_form_that_nothing_here_decodes_is_refused_by_name(tmp_path: Path) -> None:
    made = _jpeg2000(dataset(1))
    made.file_meta.TransferSyntaxUID = uid.HTJ2KLossless
    with pytest.raises(
        UnreadableScan, match=r"is packed as High-Throughput JPEG 2000 .*, which is not read here"
    ):
        read_study(save(made, tmp_path / "x"))


def test_baseline_jpeg_is_near(tmp_path: Path) -> None:
    grey = (ramp(0) // 12).astype(np.uint8)
    made = dataset(0, BitsAllocated=8, BitsStored=8, HighBit=7)
    made = _packed(made, ".jpg", uid.JPEGBaseline8Bit, grey)
    values = only(save(made, tmp_path / "x.dcm")).values[0]
    assert np.abs(values - grey).max() < 12


def test_signed_16_bit_with_rescale(tmp_path: Path) -> None:
    stored = ramp(0).astype(np.int16) - 1200
    made = dataset(
        values=stored, PixelRepresentation=1, BitsStored=16, HighBit=15, RescaleSlope=2, RescaleIntercept=5
    )
    np.testing.assert_array_equal(only(save(made, tmp_path / "x")).values[0], stored * 2.0 + 5)


def test_bits_above_the_stored_ones_do_not_count(tmp_path: Path) -> None:
    made = dataset(values=ramp(0) | 0xF000)
    np.testing.assert_array_equal(only(save(made, tmp_path / "x")).values[0], ramp(0))


def test_the_header_s_window_is_taken_and_monochrome1_comes_last(tmp_path: Path) -> None:
    tags = {"WindowCenter": [1200, 5], "WindowWidth": [2001, 6]}
    plain = only(write_series(tmp_path / "a", range(3), **tags))
    assert (plain.centre, plain.width) == (1199.5, 2000)
    other = only(write_series(tmp_path / "b", range(3), PhotometricInterpretation="MONOCHROME1", **tags))
    assert other.inverted
    np.testing.assert_array_equal(other.grey(1), 255 - plain.grey(1))


def test_without_a_window_percentiles_of_the_whole_series_serve_all_slices(tmp_path: Path) -> None:
    volume = only(write_series(tmp_path / "a", range(8)))
    low, high = np.percentile(volume.values, (0.5, 99.5))
    assert (volume.centre, volume.width) == pytest.approx(((low + high) / 2, high - low))
    assert any("no window in the header" in note for note in volume.notes)


def test_a_window_that_shows_nothing_is_not_taken(tmp_path: Path) -> None:
    volume = only(write_series(tmp_path / "a", range(3), WindowCenter=90000, WindowWidth=10))
    assert volume.grey(1).std() > 20
    assert any("shows nothing" in note for note in volume.notes)


def test_voi_lut(tmp_path: Path) -> None:
    made = dataset(0)
    item = pydicom.Dataset()
    item.LUTDescriptor = [4096, 0, 12]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = (4095 - np.arange(4096, dtype=np.uint16)).tobytes()
    item["LUTData"].VR = "OW"
    made.VOILUTSequence = [item]
    volume = only(save(made, tmp_path / "x"))
    np.testing.assert_array_equal(volume.values[0], 4095 - ramp(0).astype(float))
    assert (volume.centre, volume.width) == (2047.5, 4095)


def test_padding_is_no_signal(tmp_path: Path) -> None:
    stored = ramp(1)
    stored[:4] = 4000
    volume = only(save(dataset(values=stored, PixelPaddingValue=4000), tmp_path / "x"))
    assert volume.values.max() == stored[4:].max()


def test_colour_becomes_grey(tmp_path: Path) -> None:
    colour = np.random.default_rng(1).integers(0, 256, (ROWS, COLUMNS, 3), np.uint8)
    tags = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    made = dataset(values=colour, BitsAllocated=8, BitsStored=8, HighBit=7, **tags)
    np.testing.assert_allclose(
        only(save(made, tmp_path / "x")).values[0], colour @ [0.299, 0.587, 0.114], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("orientation", "plane", "corner"),
    [
        # What is shown at the upper left of the stored ramp: (row, column) of the stored slice.
        ([1, 0, 0, 0, 1, 0], "axial", (0, 0)),
        ([-1, 0, 0, 0, -1, 0], "axial", (-1, -1)),
        ([0, 1, 0, 1, 0, 0], "axial", (0, 0)),
        ([1, 0, 0, 0, 0, -1], "coronal", (0, 0)),
        ([1, 0, 0, 0, 0, 1], "coronal", (-1, 0)),
        ([0, 1, 0, 0, 0, -1], "sagittal", (0, 0)),
        ([0, 0, 1, 0, 1, 0], "sagittal", (0, -1)),
        ([0.96, 0, 0.28, 0, 1, 0], "axial", (0, 0)),
        ([0.76, 0, 0.65, 0, 1, 0], "oblique", (0, 0)),
    ],
)
def test_slices_are_shown_as_radiologists_see_them(
    orientation: list[float], plane: str, corner: tuple[int, int], tmp_path: Path
) -> None:
    volume = only(save(dataset(0, ImageOrientationPatient=orientation), tmp_path / "x"))
    assert volume.plane == plane == plane_of(orientation)
    assert volume.values[0, 0, 0] == ramp(0)[corner]
    # And back: the shown corner's place in the stored slice.
    height, width = volume.values.shape[1:]
    x, y = turn_of(orientation).to_stored(0, 0, height, width)
    assert (y % ROWS, x % COLUMNS) == (corner[0] % ROWS, corner[1] % COLUMNS)


@pytest.mark.parametrize(
    "turn", [Turn(a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)]
)
def test_a_turn_leads_back(turn: Turn) -> None:
    stored = np.arange(12).reshape(3, 4)
    shown = turn.apply(stored)
    for row, column in np.ndindex(shown.shape):
        x, y = turn.to_stored(column, row, *shown.shape)
        assert stored[int(y), int(x)] == shown[row, column]


def test_what_is_not_mr_or_no_head_is_said_and_read(tmp_path: Path) -> None:
    volume = only(write_series(tmp_path / "a", range(3), Modality="CT", BodyPartExamined="KNEE"))
    assert "the header says that this is CT, not MR; what the picture shows decides" in volume.notes
    assert "the header says that this is KNEE, not a head; what the picture shows decides" in volume.notes
    assert volume.modality == "CT"


def test_a_drawn_study_is_read_in_its_order(tmp_path: Path) -> None:
    from tumorscan.data.phantom_study import draw_study, write_study

    volume = only(write_study(tmp_path / "p", 3, slices=5, size=64))
    drawn = draw_study(3, slices=5, size=64)
    np.testing.assert_array_equal(volume.values, drawn.values)
    assert drawn.masks[2].any()
    healthy = draw_study(3, slices=5, size=64, tumor=False)
    np.testing.assert_array_equal(healthy.values[0], drawn.values[0])
    assert (healthy.values[2] != drawn.values[2]).any()


def test_read_scan_takes_one_frame_and_points_to_studies_for_more(tmp_path: Path) -> None:
    scan = read_scan(save(dataset(1), tmp_path / "x"))
    assert (scan.format, scan.mode, scan.is_grey, scan.pixels.shape) == (
        "DICOM",
        "L",
        True,
        (ROWS, COLUMNS, 3),
    )
    assert scan.file_bytes == (tmp_path / "x").stat().st_size
    with pytest.raises(
        UnreadableScan, match="holds 5 slices: give it alone, as in `tumorscan predict STUDY`"
    ):
        read_scan(save(enhanced(5), tmp_path / "y"))


def test_is_study(tmp_path: Path, rng: np.random.Generator) -> None:
    from PIL import Image

    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(rng.integers(0, 255, (32, 32), np.uint8)).save(pictures / "a.png")
    for path in (pictures, pictures / "a.png", tmp_path / "none", tmp_path / "x\0y"):
        assert not is_study(path)
    assert is_study(write_series(pictures / "deep", [1]).parent)


@pytest.mark.data
def test_real_series_of_16_bit_without_a_window(data_dir: Path) -> None:
    volume = only(data_dir / "volumes" / "dicom_t1_healthy")
    assert volume.values.shape == (30, 384, 274)
    assert volume.plane == "axial"
    assert np.all(np.diff([one.position for one in volume.slices]) > 1.3)


@pytest.mark.data
def test_brain_that_calls_itself_ct_is_read_upright(data_dir: Path) -> None:
    volume = only(data_dir / "volumes" / "dicom_brain_labelled_ct")
    assert volume.values.shape == (17, 128, 88)
    assert "the header says that this is CT, not MR; what the picture shows decides" in volume.notes
    stored = pydicom.dcmread(volume.slices[3].file).pixel_array
    np.testing.assert_array_equal(volume.values[3], stored[::-1, ::-1])
