"""PNG, JPEG, BMP, TIFF, WebP and DICOM to a `Scan`: refused before it is decoded, or decoded with care.

Pillow decodes. Its plugins are called directly instead of through `Image.open`, which would warn of
large pictures by a global setting; here `ReadLimits` decides, from the header, before any pixel exists.
No global setting of Pillow or of `warnings` is touched, so threads may read side by side.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from tumorscan.config import ReadLimits
from tumorscan.errors import UnreadableScan
from tumorscan.read.dicom_file import is_dicom
from tumorscan.read.pixels import note_depth, to_rgb
from tumorscan.read.sniff import PictureFormat, sniff, stranger, webp_size
from tumorscan.types import Scan

DEFAULT_LIMITS = ReadLimits()

_OPENERS: dict[PictureFormat, Callable[[IO[bytes]], ImageFile.ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "WEBP": WebPImageFile,
}

# EXIF tag 0x0112 to what turns the picture upright (CIPA DC-008, 4.6.4).
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_scan(path: str | os.PathLike[str], limits: ReadLimits = DEFAULT_LIMITS) -> Scan:
    """Read a picture file; its format is told by its content, never by its name.

    Args:
        path: a PNG, JPEG, BMP, TIFF or WebP file, or a DICOM file of one frame.
        limits: what is refused: bytes by the file system's count, pixels and sides by the header.

    Returns:
        uint8 RGB pixels and what was done to get them; see `to_rgb` for alpha, 16 bit and floats.

    Raises:
        UnreadableScan: the file is missing, no file, not permitted, empty, too large, too small, no
            picture or damaged; the message names the cause and the cure.
    """
    name = os.fspath(path)
    return read_bytes(_bytes_of(name, limits), name, limits)


def read_bytes(data: bytes, name: str, limits: ReadLimits = DEFAULT_LIMITS) -> Scan:
    """Read a picture from memory, an upload say: the same path as a file's, and nothing is written.

    Args:
        data: the whole file.
        name: what to call it in the scan and in errors.
        limits: what is refused.

    Returns:
        The same scan as `read_scan` gives for a file of these bytes.

    Raises:
        UnreadableScan: as `read_scan`.
    """
    if not data:
        raise UnreadableScan(name, "is empty (0 bytes): copy it again from its source")
    if len(data) > limits.max_bytes:
        raise UnreadableScan(name, _too_many_bytes(len(data), limits))
    kind = sniff(data)
    if kind is None and is_dicom(data):
        from tumorscan.read.study import scan_of_dicom

        scan = scan_of_dicom(data, name, limits)
    elif kind is None:
        raise UnreadableScan(name, stranger(data))
    else:
        scan = _decode(data, name, kind, limits)
    return replace(scan, sha256=hashlib.sha256(data).hexdigest())


def _bytes_of(name: str, limits: ReadLimits) -> bytes:
    try:
        # Asked before opening: to open a pipe would wait for its other end.
        status = Path(name).stat()
        if stat.S_ISDIR(status.st_mode):
            raise UnreadableScan(name, "is a folder: name the pictures in it")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableScan(name, "is a device or a pipe, not a file: save the picture to a file first")
        if status.st_size > limits.max_bytes:
            raise UnreadableScan(name, _too_many_bytes(status.st_size, limits))
        with Path(name).open("rb") as file:
            # Not read(limit): Python sets aside as much as is asked for, 256 MB a thread.
            data = file.read(status.st_size + 1)
            if len(data) > status.st_size:
                # It grew meanwhile; one byte more than allowed tells of a file that is too large now.
                data += file.read(max(limits.max_bytes + 1 - len(data), 0))
            return data
    except FileNotFoundError as error:
        raise UnreadableScan(name, "does not exist: check the path") from error
    except PermissionError as error:
        raise UnreadableScan(name, "may not be read: ask for the right to read it") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte in it
        why = getattr(error, "strerror", None) or error
        raise UnreadableScan(name, f"cannot be read ({why}): check the path and the disk") from error


def _decode(data: bytes, name: str, kind: PictureFormat, limits: ReadLimits) -> Scan:
    notes: list[str] = []
    try:
        if kind == "WEBP":
            _check_size(name, webp_size(data), limits)
        image = _OPENERS[kind](BytesIO(data))
        _check_size(name, image.size, limits)
        mode = image.mode
        turn = _turn(image, notes)
        _note_frames(image, notes)
        note_depth(image, notes)
        image.load()
        pixels = to_rgb(image, notes)
    except UnreadableScan:
        raise
    except MemoryError as error:
        raise UnreadableScan(name, "does not fit in memory: make it smaller") from error
    except Exception as error:  # damaged bytes make Pillow's plugins raise anything
        cause = f"is a damaged or cut {kind} file ({_one_line(error)}): copy it again from its source"
        raise UnreadableScan(name, cause) from error
    if turn is not None:
        pixels = np.ascontiguousarray(Image.fromarray(pixels).transpose(turn))
    return Scan(
        pixels=pixels,
        name=name,
        format=kind,
        mode=mode,
        file_bytes=len(data),
        is_grey=_is_grey(pixels),
        notes=tuple(notes),
    )


def _check_size(name: str, size: tuple[int, int] | None, limits: ReadLimits) -> None:
    if size is None:
        raise UnreadableScan(name, "is a damaged or cut WEBP file (no size): copy it again from its source")
    width, height = size
    if width * height > limits.max_pixels:
        raise UnreadableScan(
            name,
            f"is {width} x {height} pixels, more than the limit of {limits.max_pixels}: "
            "make it smaller or raise max_pixels",
        )
    if min(width, height) < limits.min_side:
        raise UnreadableScan(
            name,
            f"is {width} x {height} pixels, and a side under {limits.min_side} shows no brain: "
            "use the picture in its full size",
        )


def _too_many_bytes(count: int, limits: ReadLimits) -> str:
    return f"is {count} bytes, more than the limit of {limits.max_bytes}: make it smaller or raise max_bytes"


def _turn(image: ImageFile.ImageFile, notes: list[str]) -> Image.Transpose | None:
    """What turns the picture upright; TIFF's is left to Pillow, which turns those while it loads."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF raises anything, and the pixels may be whole
        notes.append("EXIF is damaged: not turned")
        return None
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    if turn is not None:
        notes.append(f"turned upright by EXIF orientation {orientation}")
    return None if isinstance(image, TiffImageFile) else turn


def _note_frames(image: ImageFile.ImageFile, notes: list[str]) -> None:
    try:
        count = int(getattr(image, "n_frames", 1))
    except Exception:  # noqa: BLE001 - a damaged later frame raises anything, and the first may be whole
        notes.append("first frame read, the later ones are damaged")
        image.seek(0)
        return
    if count > 1:
        notes.append(f"first of {count} frames read")


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    return bool(np.array_equal(red, green) and np.array_equal(red, blue))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
