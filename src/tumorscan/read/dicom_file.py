"""A DICOM file to a pydicom dataset: recognised, opened with care, refused by name where it is no picture."""

from __future__ import annotations

import logging
import struct
import warnings
import zlib
from functools import cache
from types import ModuleType
from typing import Any, BinaryIO

from tumorscan.config import StudyLimits
from tumorscan.errors import MissingExtra, UnreadableScan, require
from tumorscan.read.sources import Source, printable

_PREAMBLE = 128
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_LENGTH_OF_META = b"\x02\x00\x00\x00UL\x04\x00"
_LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF", b"OD", b"OL", b"UC", b"UR")
_SHORT = (b"UL", b"UI", b"CS", b"SH", b"AE", b"DA", b"TM", b"LO", b"DT", b"US", b"LT", b"PN", b"AT")

# What holds no picture of a patient, by the start of its SOP class's UID: said of it.
_NO_SCAN = (
    ("1.2.840.10008.1.3.10", "is a DICOMDIR, an index of other files: name the folder that it stands in"),
    ("1.2.840.10008.5.1.4.1.1.88.", "is a structured report, which holds no picture"),
    ("1.2.840.10008.5.1.4.1.1.11.", "is a presentation state, which holds no picture"),
    ("1.2.840.10008.5.1.4.1.1.66.4", "is a segmentation, a mask and not a scan"),
    ("1.2.840.10008.5.1.4.1.1.66", "holds no picture but results on one"),
    ("1.2.840.10008.5.1.4.1.1.30", "is a parametric map, a result and not a scan"),
    ("1.2.840.10008.5.1.4.1.1.104.", "is a document in DICOM, which holds no scan"),
    ("1.2.840.10008.5.1.4.1.1.4.2", "is MR spectroscopy, which holds no picture"),
    ("1.2.840.10008.5.1.4.1.1.9.", "is a waveform, which holds no picture"),
    ("1.2.840.10008.5.1.4.1.1.481.3", "is a set of outlines for radiotherapy, which holds no picture"),
)


def is_dicom(head: bytes) -> bool:
    """Whether a file is DICOM by its first bytes, with or without the preamble of 128 bytes.

    Args:
        head: the file, or at least its first 132 bytes.
    """
    if head[_PREAMBLE : _PREAMBLE + 4] == b"DICM":
        return True
    if len(head) < 16 or head[:4] not in _FIRST_TAGS:
        return False
    kind = head[4:6]
    if kind in _SHORT or kind in _LONG:
        return True
    return head[:2] == b"\x08\x00" and struct.unpack("<I", head[4:8])[0] <= 64


# Groups 0002 and 0008 begin a file; which of their elements comes first differs. Big endian is explicit only.
_FIRST_TAGS = frozenset(
    struct.pack(order + "HH", group, element)
    for order in ("<", ">")
    for group, elements in ((2, (0, 1, 2, 3, 0x10)), (8, (0, 1, 5, 6, 8, 0x12, 0x14, 0x16, 0x18)))
    for element in elements
)


def open_dicom(source: Source, limits: StudyLimits, *, pixels: bool) -> Any:
    """The dataset of a file.

    Args:
        source: a file that `is_dicom`.
        limits: how large a deflated one may get.
        pixels: with the pixel data, which are left out else.

    Returns:
        A pydicom Dataset whose file meta names a transfer syntax.

    Raises:
        UnreadableScan: it is damaged.
        MissingExtra: the extra `dicom` is not installed.
    """
    pydicom = _pydicom()
    try:
        with source.open() as stream:
            _check_deflated(source, stream, limits)
            dataset = pydicom.dcmread(stream, stop_before_pixels=not pixels, force=True)
            _complete(dataset, pydicom)
            return dataset
    except (UnreadableScan, MissingExtra):
        raise
    except MemoryError as error:
        raise UnreadableScan(source.name, "does not fit in memory") from error
    except Exception as error:  # damaged bytes make the parser raise anything
        # By its kind alone: the parser's message may quote what stands in the file, a name even.
        raise UnreadableScan(source.name, damaged(type(error).__name__)) from error


def damaged(why: str) -> str:
    """The cause of a refusal."""
    return f"is a damaged or cut DICOM file ({why}): copy it again from its source"


def check_scan(dataset: Any, name: str) -> None:
    """Refuse what holds no slices: reports, segmentations, an index.

    Raises:
        UnreadableScan: it is such a thing; the message says which.
    """
    kind = str(dataset.get("SOPClassUID", "") or getattr(dataset.file_meta, "MediaStorageSOPClassUID", ""))
    for start, said in _NO_SCAN:
        if kind.startswith(start):
            raise UnreadableScan(name, said)
    if "1.2.840.10008.5.1.4.1.1.7" in kind and "tumorscan" in str(dataset.get("Manufacturer", "")).casefold():
        raise UnreadableScan(name, "is a result of tumorscan, not a scan")
    if "Rows" not in dataset or "Columns" not in dataset:
        missing = "Rows" if "Rows" not in dataset else "Columns"
        modality = code(dataset.get("Modality")) or "unknown"
        cause = f"has no {missing} in its header (Modality {modality}): it holds no picture"
        raise UnreadableScan(name, cause)


def code(value: Any) -> str:
    """A code string of a header (MR, HEAD ...), safe to show: short, of the letters that codes have."""
    text = printable(str(value or "")).strip().upper()[:16]
    return text if all(sign.isalnum() or sign in " _" for sign in text) else "?"


def _complete(dataset: Any, pydicom: ModuleType) -> None:
    """Name the transfer syntax where a file without a preamble does not."""
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        uids = pydicom.uid
        explicit = uids.ExplicitVRLittleEndian if little else uids.ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = uids.ImplicitVRLittleEndian if implicit else explicit


def _check_deflated(source: Source, stream: BinaryIO, limits: StudyLimits) -> None:
    """Refuse a deflated file that gets too large, which pydicom would find out by trying."""
    head = stream.read(2048)
    stream.seek(0)
    if _DEFLATED not in head:
        return
    meta = _PREAMBLE + 4 if head[_PREAMBLE : _PREAMBLE + 4] == b"DICM" else 0
    if head[meta : meta + 8] != _LENGTH_OF_META:
        raise UnreadableScan(source.name, damaged("no length of the file meta"))
    stream.seek(meta + 12 + int.from_bytes(head[meta + 8 : meta + 12], "little"))
    unpacker, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    data = stream.read(1 << 16)
    while data and not unpacker.eof:
        total += len(unpacker.decompress(data, 1 << 22))
        data = unpacker.unconsumed_tail or stream.read(1 << 16)
        if total > min(limits.max_bytes, limits.max_ratio * source.size + (1 << 24)):
            raise UnreadableScan(
                source.name, "is deflated and unpacks to more than the limit: decompress it yourself"
            )
    stream.seek(0)


@cache
def _pydicom() -> ModuleType:
    """pydicom, which from now on keeps its warnings to itself: they may quote what stands in a file."""
    pydicom = require("pydicom", "dicom")
    for deeper in ("dataset", "filereader", "uid", "pixels"):
        require(f"pydicom.{deeper}", "dicom")
    warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    try:
        gdcm = require("gdcm", "dicom")
    except MissingExtra:
        return pydicom
    for quiet in ("WarningOff", "ErrorOff", "DebugOff"):
        getattr(gdcm.Trace, quiet)()
    return pydicom
