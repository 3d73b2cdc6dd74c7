"""What the reader does beyond decoding: notes, turns, windows; and the real pictures."""

from __future__ import annotations

import re
import tracemalloc
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tumorscan.config import ReadLimits
from tumorscan.errors import UnreadableScan
from tumorscan.read import list_files, read_bytes, read_scan

RAMP = np.add.outer(np.arange(37), np.arange(50)).astype(np.uint8)


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def upright(orientation: int) -> np.ndarray:
    """The ramp as a camera would store it, so that this EXIF orientation brings the ramp back."""
    # Written out from the table of CIPA DC-008: where row 0 and column 0 of the stored picture are.
    return {
        1: RAMP,
        2: RAMP[:, ::-1],
        3: RAMP[::-1, ::-1],
        4: RAMP[::-1],
        5: RAMP.T,
        6: np.rot90(RAMP, 1),
        7: RAMP[::-1, ::-1].T,
        8: np.rot90(RAMP, -1),
    }[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_exif_orientation_turns_the_picture_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(upright(orientation)))
    scan = read_bytes(saved(stored, kind, exif=exif), "x")
    np.testing.assert_array_equal(scan.pixels[..., 0], RAMP)
    assert scan.pixels.flags.c_contiguous
    assert any("orientation" in note for note in scan.notes) == (orientation > 1)


def test_damaged_exif_does_not_cost_the_picture() -> None:
    data = saved(Image.fromarray(RAMP), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff\xff")
    scan = read_bytes(data, "x")
    assert scan.height == 37
    assert scan.notes in ((), ("EXIF is damaged: not turned",))


@pytest.mark.parametrize("kind", ["TIFF", "PNG", "WEBP"])
def test_the_first_frame_is_read_with_a_note(kind: str) -> None:
    frames = [Image.fromarray(np.full((20, 30, 3), value, np.uint8)) for value in (10, 100, 200)]
    options = {} if kind == "TIFF" else {"lossless": True} if kind == "WEBP" else {"default_image": False}
    scan = read_bytes(saved(frames[0], kind, save_all=True, append_images=frames[1:], **options), "x")
    assert (scan.pixels == 10).all()
    assert "first of 3 frames read" in scan.notes


@pytest.mark.parametrize(
    ("picture", "note"),
    [
        (Image.fromarray(RAMP.astype(np.uint16) * 100), "16 bit windowed from .* to 0..255"),
        (Image.fromarray(RAMP.astype(np.uint16)), "16 bit within 0..255: kept"),
        (Image.fromarray(np.full((20, 20), 5000, np.uint16)), "16 bit, 5000 everywhere: read as black"),
        (Image.fromarray(RAMP.astype(np.float32) - 7.5), "float windowed from"),
        (Image.fromarray(np.full((20, 20), 0.25, np.float32)), "float, 0.25 everywhere: read as black"),
        (Image.new("RGBA", (20, 20), (9, 9, 9, 255)), "alpha dropped"),
        (Image.new("RGBA", (20, 20), (9, 9, 9, 128)), "laid on black .100.0% of the pixels"),
        (Image.new("RGBA", (20, 20), (9, 9, 9, 0)), "alpha is zero everywhere: ignored"),
        (Image.new("CMYK", (20, 20)), "CMYK converted to RGB"),
        (Image.fromarray(RAMP).convert("P"), "palette expanded"),
    ],
)
def test_notes_say_what_was_done(picture: Image.Image, note: str) -> None:
    (said,) = read_bytes(saved(picture, "TIFF"), "x").notes
    assert re.match(note, said)


def test_few_bright_pixels_on_nothing_are_kept_apart() -> None:
    values = np.zeros((100, 100), np.uint16)
    values[50, 50] = 4000  # both percentiles are 0
    pixels = read_bytes(saved(Image.fromarray(values), "PNG"), "x").pixels
    assert pixels[50, 50].tolist() == [255] * 3
    assert pixels.sum() == 3 * 255


def test_not_a_number_is_black_and_infinity_is_white() -> None:
    values = RAMP.astype(np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    pixels = read_bytes(saved(Image.fromarray(values), "TIFF"), "x").pixels
    assert pixels[0, :3, 0].tolist() == [0, 255, 0]


def test_huge_floats_are_windowed_without_a_warning() -> None:
    values = (RAMP.astype(np.float64) / 43 - 1).astype(np.float32) * np.float32(3.3e38)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = read_bytes(saved(Image.fromarray(np.clip(values, -3.3e38, 3.3e38)), "TIFF"), "x").pixels
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_half_clear_grey_stays_grey() -> None:
    picture = np.stack([RAMP] * 3 + [RAMP[::-1] + 100], axis=2)
    scan = read_bytes(saved(Image.fromarray(picture), "PNG"), "x")
    assert scan.is_grey
    exact = RAMP.astype(float) * (RAMP[::-1] + 100) / 255
    assert np.abs(scan.pixels[..., 0] - exact).max() <= 0.5


def test_one_coloured_pixel_is_not_grey() -> None:
    picture = np.stack([RAMP] * 3, axis=2)
    assert read_bytes(saved(Image.fromarray(picture), "PNG"), "x").is_grey
    picture[3, 4, 2] += 1
    assert not read_bytes(saved(Image.fromarray(picture), "PNG"), "x").is_grey


def test_above_pillows_own_limit_no_warning_and_no_setting_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # our picture is far above twice that
    data = saved(Image.fromarray(RAMP), "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filters = list(warnings.filters)
        assert read_bytes(data, "x", ReadLimits(max_pixels=2000)).width == 50
        assert warnings.filters == filters
    assert Image.MAX_IMAGE_PIXELS == 100


def test_a_small_file_does_not_set_aside_the_limit(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(saved(Image.fromarray(RAMP), "PNG"))
    tracemalloc.start()
    read_scan(tmp_path / "a.png", ReadLimits(max_bytes=2**30))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize(("limit", "cause"), [(2**20, None), (1100, "more than the limit of 1100")])
def test_a_file_that_grows_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, cause: str | None
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(saved(Image.fromarray(RAMP), "PNG") + bytes(1200))
    (tmp_path / "early").write_bytes(file.read_bytes()[:1000])
    early = (tmp_path / "early").stat()
    monkeypatch.setattr(Path, "stat", lambda *_, **__: early)
    if cause:
        with pytest.raises(UnreadableScan, match=cause):
            read_scan(file, ReadLimits(max_bytes=limit))
    else:
        assert read_scan(file, ReadLimits(max_bytes=limit)).file_bytes == file.open("rb").seek(0, 2)


@pytest.mark.data
def test_all_253_pictures_are_read_and_six_jpg_are_png(data_dir: Path) -> None:
    files = list_files([data_dir / "kaggle253"])
    scans = [read_scan(file) for file in files]
    assert len(scans) == 253
    liars = [scan for scan in scans if scan.name.lower().endswith(".jpg") and scan.format == "PNG"]
    assert len(liars) == 6
    assert {scan.mode for scan in liars} == {"RGBA", "P"}
    for scan in scans:
        # The head stands on a dark ground, or on a white page: never has all become black.
        assert scan.pixels.std() > 5
