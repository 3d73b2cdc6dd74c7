"""What a file is, told by its first bytes and never by its name."""

from __future__ import annotations

import zlib
from typing import Literal

PictureFormat = Literal["PNG", "JPEG", "BMP", "TIFF", "WEBP"]

AS_PNG = "save it as PNG, JPEG, BMP, TIFF or WebP"
_VOLUME = "is a volume and not one picture: give it alone, as in `tumorscan predict STUDY`"
_OTHER = f"which is not read here: {AS_PNG}"

_PICTURES: tuple[tuple[bytes, PictureFormat], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),  # BigTIFF
    (b"MM\x00+", "TIFF"),
)

# What people really drop on a picture program: offset, first bytes, what is said of it.
_STRANGERS: tuple[tuple[int, bytes, str], ...] = (
    (344, b"n+1\x00", f"is a NIfTI file: it {_VOLUME}"),
    (344, b"ni1\x00", "is the header of a NIfTI pair (.hdr and .img): save it as one .nii file"),
    (4, b"n+2\x00", f"is a NIfTI file: it {_VOLUME}"),
    (0, b"%PDF", "is a PDF document, not a picture: save the picture in it as PNG"),
    (0, b"GIF8", f"is a GIF, {_OTHER}"),
    (4, b"ftypavif", f"is an AVIF picture, {_OTHER}"),
    (4, b"ftyphei", f"is a HEIC picture, {_OTHER}"),
    (4, b"ftypmif1", f"is a HEIC picture, {_OTHER}"),
    (0, b"\x00\x00\x00\x0cjP  ", f"is a JPEG 2000 picture, {_OTHER}"),
    (0, b"8BPS", f"is a Photoshop file, {_OTHER}"),
    (0, b"\x93NUMPY", f"is a NumPy array, {_OTHER}"),
    (0, b"\x89HDF", f"is an HDF5 file, {_OTHER}"),
    (0, b"PK\x03\x04", "is a ZIP archive, not a picture: unpack it and name the pictures in it"),
    (0, b"\x1f\x8b", "is compressed by gzip, not a picture: unpack it and name the pictures in it"),
)
_MARKUP = (b"<!doctype html", b"<html", b"<head", b"<body")


def sniff(data: bytes) -> PictureFormat | None:
    """The picture format of a file by its first bytes.

    Args:
        data: the file, or at least its first 12 bytes.

    Returns:
        One of the five formats that are read, or None; `stranger` then says what the file is instead.
    """
    for start, name in _PICTURES:
        if data.startswith(start):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return None


def stranger(data: bytes) -> str:
    """What a file that is no picture is, and what to do about it: the cause of a refusal.

    Args:
        data: the file, or at least its first 4096 bytes.
    """
    if data[:2] == b"\x1f\x8b" and _names_nifti(_unpacked(data)):
        return f"is a compressed NIfTI file: it {_VOLUME}"
    for offset, start, said in _STRANGERS:
        if data[offset : offset + len(start)] == start:
            return said
    text = _text(data[:4096])
    if text is None:
        return f"is of no kind known here (PNG, JPEG, BMP, TIFF, WebP): {AS_PNG}"
    if text.startswith(_MARKUP):
        return "is a web page (HTML), not a picture: save the picture itself"
    if b"<svg" in text:
        return f"is an SVG drawing, {_OTHER}"
    return f"is text, not a picture: {AS_PNG}"


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height from a WebP header; None where it is damaged.

    Pillow sets up the whole canvas when it opens a WebP file, so the size has to be known before.
    Layout: RFC 9649, sections 2.5 to 2.7.
    """
    chunk, body = data[12:16], data[20:30]
    if len(body) < 10:
        return None
    if chunk == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = int.from_bytes(body[6:8], "little"), int.from_bytes(body[8:10], "little")
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    return None


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(data[:4096], 352)
    except zlib.error:
        return b""


def _names_nifti(head: bytes) -> bool:
    return head[344:347] in (b"n+1", b"ni1") or head[4:7] == b"n+2"


def _text(head: bytes) -> bytes | None:
    """The start of a text in lower case without its indent; None if these bytes are no text."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16, as Windows writes it
        head = head.decode("utf-16", errors="replace").encode()
    head = head.removeprefix(b"\xef\xbb\xbf")
    if any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head):
        return None
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last letter may be cut by the 4096; anywhere else it must at least be mostly ASCII.
        if error.start < len(head) - 4 and sum(byte < 128 for byte in head) < 0.8 * len(head):
            return None
    return head.lower().lstrip()
