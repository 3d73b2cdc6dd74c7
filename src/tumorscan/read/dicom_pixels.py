"""Stored pixels of a DICOM file to values: decoded, padding taken out, rescaled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import StudyLimits
from tumorscan.errors import MissingExtra, UnreadableScan, require
from tumorscan.read.dicom_file import damaged, open_dicom
from tumorscan.read.dicom_header import Header
from tumorscan.read.sources import Source

# Where several could decode, those that are quiet on damaged streams; gdcm, which ends the process on some
# damaged JPEG-LS, does the others.
_DECODERS = {
    "1.2.840.10008.1.2.4.50": "pillow",  # JPEG baseline
    "1.2.840.10008.1.2.4.90": "pillow",  # JPEG 2000, lossless
    "1.2.840.10008.1.2.4.91": "pillow",  # JPEG 2000
    "1.2.840.10008.1.2.4.80": "pyjpegls",  # JPEG-LS, lossless
    "1.2.840.10008.1.2.4.81": "pyjpegls",  # JPEG-LS, near lossless
}
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def read_frames(
    source: Source, headers: list[Header], limits: StudyLimits, *, with_lut: bool
) -> Iterator[tuple[Header, NDArray[np.float32] | UnreadableScan]]:
    """The wanted frames of one file, each with its values or with what is wrong with it.

    Args:
        source: the file.
        headers: of its frames, those that are wanted.
        limits: as at `read_headers`.
        with_lut: through the VOI LUT, which is no straight ramp.

    Yields:
        A header, and float32 rows x columns as stored, after the modality LUT.

    Raises:
        UnreadableScan: the file cannot be opened at all.
        MissingExtra: the extra `dicom` is not installed.
    """
    dataset = open_dicom(source, limits, pixels=True)
    _check_pixels(dataset, source.name)
    for header in headers:
        try:
            yield header, _values(dataset, header, with_lut=with_lut)
        except MissingExtra:
            raise
        except UnreadableScan as problem:
            yield header, problem
        except MemoryError:
            yield header, UnreadableScan(header.name, "does not fit in memory")
        except Exception as error:  # noqa: BLE001 - damaged pixels make decoders raise anything
            yield header, UnreadableScan(header.name, _cause(dataset, error))


def decoded(dataset: Any, index: int) -> NDArray[Any]:
    """A frame as stored, rows x columns or rows x columns x 3; damaged pixels raise anything."""
    plugin = _DECODERS.get(str(dataset.file_meta.TransferSyntaxUID), "")
    pixels = require("pydicom.pixels", "dicom")
    return np.asarray(pixels.pixel_array(dataset, index=index, decoding_plugin=plugin))


def _check_pixels(dataset: Any, name: str) -> None:
    if "PixelData" in dataset:
        _check_length(dataset, name)
        return
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        raise UnreadableScan(name, "holds floating-point results, not a scan")
    raise UnreadableScan(name, damaged("no pixel data"))


def _check_length(dataset: Any, name: str) -> None:
    """One line for a file that is cut, instead of one for each of its frames."""
    try:
        if dataset.file_meta.TransferSyntaxUID.is_compressed:
            return
        wanted = int(require("pydicom.pixels.utils", "dicom").get_expected_length(dataset))
    except (AttributeError, TypeError, ValueError, NotImplementedError):
        return  # the decoder will complain of such a header
    if len(dataset.PixelData) < wanted:
        raise UnreadableScan(name, damaged(f"{len(dataset.PixelData)} of {wanted} bytes of pixels"))


def _values(dataset: Any, header: Header, *, with_lut: bool) -> NDArray[np.float32]:
    pixels = require("pydicom.pixels", "dicom")
    stored = decoded(dataset, header.frame or 0)
    shape = (header.rows, header.columns)
    if stored.shape[:2] != shape or stored.shape[2:] not in ((), (3,)):
        raise UnreadableScan(header.name, damaged("its pixels are not of the size that the header says"))
    if str(dataset.get("PhotometricInterpretation", "")).strip().upper() == "PALETTE COLOR":
        stored = pixels.apply_color_lut(stored, dataset)
        stored = stored / 257 if stored.dtype == np.uint16 else stored
    if stored.ndim == 3:
        return np.asarray(stored[..., :3].astype(np.float32) @ _LUMA, np.float32)
    padding = _padding(dataset, stored)
    if dataset.get("ModalityLUTSequence"):
        values = np.asarray(pixels.apply_modality_lut(stored, dataset), np.float32)
    else:
        values = stored.astype(np.float32) * np.float32(header.slope) + np.float32(header.intercept)
    if with_lut:
        values = np.asarray(pixels.apply_voi(np.rint(values).astype(np.int32), dataset), np.float32)
    if padding is not None and not padding.all():
        values[padding] = values[~padding].min()
    return values


def _padding(dataset: Any, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Where a writer filled up what was not scanned (PS3.3 C.7.5.1.1.2)."""
    value, limit = dataset.get("PixelPaddingValue"), dataset.get("PixelPaddingRangeLimit")
    if not isinstance(value, int):
        return None
    low, high = sorted((value, limit if isinstance(limit, int) else value))
    padding = (stored >= low) & (stored <= high)
    return padding if padding.any() else None


def _cause(dataset: Any, error: Exception) -> str:
    syntax = dataset.file_meta.TransferSyntaxUID
    if isinstance(error, NotImplementedError) or "missing dependencies" in str(error):
        return f"is packed as {syntax.name}, which is not read here: decompress it, with gdcmconv --raw say"
    why = " ".join(str(error).split())[:120] or type(error).__name__
    return damaged(f"pixels: {why}")
