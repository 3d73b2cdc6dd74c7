"""What is refused, why, and that nothing but a refusal comes out."""

from __future__ import annotations

import gzip
import os
import struct
import time
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from tumorscan.config import ReadLimits
from tumorscan.errors import UnreadableScan
from tumorscan.read import read_bytes, read_scan
from tumorscan.types import Scan

NOISE = np.random.default_rng(1).integers(0, 256, (48, 40, 3), dtype=np.uint8)


def saved(kind: str, picture: np.ndarray = NOISE, **options: Any) -> bytes:
    stream = BytesIO()
    Image.fromarray(picture).save(stream, kind, **options)
    return stream.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of(width: int, height: int) -> bytes:
    """A few bytes whose header says any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def webp_canvas(width: int, height: int) -> bytes:
    body = b"\x00" * 4 + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + body


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def jpeg_of(width: int, height: int) -> bytes:
    data = saved("JPEG")
    return patched(data, data.index(b"\xff\xc0") + 5, struct.pack(">HH", height, width))


PADDED = b"\x00" * 128
REFUSED = [
    (b"", "is empty .0 bytes.: copy it again"),
    (b"dear doctor, here is the scan\n" * 9, "is text, not a picture: save it as PNG"),
    ("Grüße, \u4f60\u597d\n".encode() * 999, "is text, not a picture"),
    ("Befund: größer".encode("latin-1") * 99, "is text, not a picture"),
    ("text of Windows".encode("utf-16"), "is text, not a picture"),
    (
        b"\xef\xbb\xbf  <!DOCTYPE html><html><body>404",
        "is a web page .HTML., not a picture: save the picture",
    ),
    (b"<?xml version='1.0'?><svg xmlns='x'/>", "is an SVG drawing"),
    (b"%PDF-1.7\n%\xe2\xe3", "is a PDF document, not a picture: save the picture in it"),
    (PADDED + b"DICM\x02\x00", "is a damaged or cut DICOM file|has no Rows in its header"),
    (
        b"\x5c\x01\x00\x00" + b"\x00" * 340 + b"n+1\x00",
        "is a NIfTI file: it is a volume and not one picture: give it alone",
    ),
    (
        gzip.compress(b"\x5c\x01\x00\x00" + b"\x00" * 340 + b"n+1\x00"),
        "is a compressed NIfTI file: it is a volume",
    ),
    (gzip.compress(b"something else"), "is compressed by gzip, not a picture: unpack it"),
    (b"PK\x03\x04rest", "is a ZIP archive, not a picture: unpack it"),
    (saved("GIF"), "is a GIF, which is not read here: save it as PNG"),
    (b"\x00\x00\x00\x20ftypheic\x00\x00", "is a HEIC picture, which is not read here"),
    (b"\x93NUMPY\x01\x00", "is a NumPy array, which is not read here"),
    (bytes(range(256)), "is of no kind known here"),
    (b"\x00" * 5000, "is of no kind known here"),
    (
        png_of(40_000, 40_000),
        "is 40000 x 40000 pixels, more than the limit of 67108864: make it smaller or raise",
    ),
    (jpeg_of(40_000, 40_000), "is 40000 x 40000 pixels, more than the limit"),
    (patched(saved("BMP"), 18, struct.pack("<ii", 40_000, 40_000)), "is 40000 x 40000 pixels, more than"),
    (webp_canvas(2**24, 2**24), "is 16777216 x 16777216 pixels, more than"),
    (png_of(1, 1), "is 1 x 1 pixels, and a side under 16 shows no brain: use the picture in its full size"),
    (png_of(15, 200), "is 15 x 200 pixels, and a side under 16"),
    (png_of(100, 100), "is a damaged or cut PNG file .* copy it again"),
    (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "is a damaged or cut WEBP file"),
    (b"RIFF\x00\x00\x00\x00WEBPJUNK" + b"\x00" * 20, "is a damaged or cut WEBP file"),
    (b"\xff\xd8\xff\xe0", "is a damaged or cut JPEG file"),
    (b"BM", "is a damaged or cut BMP file"),
    (b"II*\x00\xff\xff\xff\xff", "is a damaged or cut TIFF file"),
    (saved("TIFF", np.full((20, 20), np.nan, np.float32)), "holds no finite number"),
]


@pytest.mark.parametrize(("data", "cause"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_refused_from_bytes_and_from_a_file_alike(data: bytes, cause: str, tmp_path: Path) -> None:
    path = tmp_path / "scan.jpg"
    path.write_bytes(data)
    for act in (lambda: read_scan(path), lambda: read_bytes(data, str(path))):
        with pytest.raises(UnreadableScan, match=cause) as caught:
            act()
        assert caught.value.file == str(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["scan.jpg"]  # noqa: PTH208 - names are all that is asked


def test_a_bomb_is_refused_without_being_decoded() -> None:
    """Which would take minutes and all memory; processor time, for the machine may be busy."""
    start = time.process_time()
    for data in (png_of(2**31 - 1, 2**31 - 1), webp_canvas(2**24, 2**24), jpeg_of(65_500, 65_500)):
        with pytest.raises(UnreadableScan, match="more than the limit"):
            read_bytes(data, "bomb", ReadLimits(max_pixels=10_000))
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("none.png", "does not exist: check the path"),
        (".", "is a folder: name the pictures in it"),
        ("x" * 300, "cannot be read .File name too long.: check the path"),
        ("a\x00b", "cannot be read .*null.*: check the path"),
        ("", "is a folder"),
        (os.devnull, "is a device or a pipe, not a file: save the picture to a file"),
    ],
)
def test_paths_that_are_no_files_are_refused(name: str, cause: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableScan, match=cause):
        read_scan(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableScan, match="is a device or a pipe"):
        read_scan(tmp_path / "pipe")


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")]
)
def test_what_the_file_system_refuses(
    error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Raised by hand: root, as in a container, may read everything.
    (tmp_path / "x.png").write_bytes(saved("PNG"))

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(Path, "open", refuse)
    wanted = (
        "may not be read: ask for the right" if error.errno == 13 else "cannot be read .Input/output error."
    )
    with pytest.raises(UnreadableScan, match=wanted):
        read_scan(tmp_path / "x.png")


def test_too_many_bytes_are_refused_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, path = saved("PNG"), tmp_path / "x.png"
    path.write_bytes(data)
    limits = ReadLimits(max_bytes=len(data) - 1)
    said = f"is {len(data)} bytes, more than the limit of {len(data) - 1}: make it smaller or raise max_bytes"
    with pytest.raises(UnreadableScan, match=said):
        read_bytes(data, "x", limits)
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("was opened"))
    with pytest.raises(UnreadableScan, match=said):
        read_scan(path, limits)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9])
def test_a_cut_file_is_refused(kind: str, share: float) -> None:
    data = saved(kind)
    with pytest.raises(UnreadableScan, match=f"is a damaged or cut {kind} file"):
        read_bytes(data[: max(13, int(len(data) * share))], "x")
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


VALID = {
    "PNG": saved("PNG", NOISE[:20, :20]),
    "PNG16": saved("PNG", NOISE[:20, :20, 0].astype(np.uint16) * 99),
    "JPEG": saved("JPEG", NOISE[:20, :20]),
    "BMP": saved("BMP", NOISE[:20, :20, 0]),
    "TIFF": saved("TIFF", NOISE[:20, :20], compression="tiff_lzw"),
    "TIFF32": saved("TIFF", NOISE[:20, :20, 0].astype(np.float32)),
    "WEBP": saved("WEBP", NOISE[:20, :20]),
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", VALID)
@settings(max_examples=80, deadline=None)
@given(draw=st.data())
def test_flipped_bytes_give_a_scan_or_a_refusal(kind: str, draw: st.DataObject) -> None:
    data = bytearray(VALID[kind])
    # Half of the changes go into the header, where they hurt.
    place = st.integers(0, 99) | st.integers(0, len(data) - 1)
    for at, value in draw.draw(st.lists(st.tuples(place, st.integers(0, 255)), min_size=1, max_size=6)):
        data[at] = value
    cut = draw.draw(st.integers(len(data) // 2, len(data)) | st.just(len(data)))
    try:
        scan = read_bytes(bytes(data[:cut]), "x", ReadLimits(max_pixels=1_000_000))
    except UnreadableScan:
        pass
    else:
        assert isinstance(scan, Scan)
        assert scan.pixels.dtype == np.uint8
        assert scan.pixels.shape == (scan.height, scan.width, 3)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_give_a_refusal(data: bytes) -> None:
    with pytest.raises(UnreadableScan):
        read_bytes(data, "x")
