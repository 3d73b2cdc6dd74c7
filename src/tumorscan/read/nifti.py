"""A NIfTI file to a `Volume`: canonical orientation, the plane that it was acquired in, one window."""

from __future__ import annotations

import gzip
import logging
import math
import zlib
from io import BytesIO
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import StudyLimits
from tumorscan.errors import MissingExtra, UnreadableScan, require
from tumorscan.read.masks import mask_values, told
from tumorscan.read.orientation import Plane
from tumorscan.read.sources import Source
from tumorscan.read.window import finite, percentile_window
from tumorscan.types import Slice, Volume

_GZIP = b"\x1f\x8b"
_PLANES: tuple[Plane, Plane, Plane] = ("sagittal", "coronal", "axial")
_THICKER = 1.05  # so many times the other sides of a voxel, and it is the step between slices


def is_nifti(head: bytes) -> bool:
    """Whether a file is NIfTI-1 or -2 by its first bytes, packed by gzip or not.

    Args:
        head: the file, or at least its first 352 bytes, packed.
    """
    if head[:2] == _GZIP:
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, 352)
        except zlib.error:
            return False
    return _kind(head) is not None


def read_nifti(source: Source, limits: StudyLimits, *, mask: bool = False) -> Volume:
    """Read a volume.

    Args:
        source: of the file's bytes.
        limits: what is refused before it is decoded.
        mask: a mask is wanted; else one is refused.

    Raises:
        UnreadableScan: it is damaged, 4-D, in colour, complex, a mask, too large or too small.
        MissingExtra: the extra `dicom`, which brings nibabel, is not installed.
    """
    nibabel = require("nibabel", "dicom")
    require("nibabel.orientations", "dicom")
    # It tells of every field that it mends; what cannot be mended is an error all the same.
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)
    try:
        data = _bytes(source, limits)
        kind = nibabel.Nifti2Image if _kind(data[:352]) == 2 else nibabel.Nifti1Image
        image = kind.from_stream(BytesIO(data))
        shape = _shape(source.name, image, limits)
        return _volume(source.name, image, shape, nibabel, mask=mask)
    except (UnreadableScan, MissingExtra):
        raise
    except MemoryError as error:
        raise UnreadableScan(source.name, "does not fit in memory") from error
    except Exception as error:  # damaged bytes make the parser raise anything
        raise UnreadableScan(source.name, _damaged(type(error).__name__)) from error


def _kind(head: bytes) -> Literal[1, 2] | None:
    if head[344:348] in (b"n+1\x00", b"ni1\x00"):
        return 1
    return 2 if head[4:7] in (b"n+2", b"ni2") else None


def _damaged(why: str) -> str:
    return f"is a damaged or cut NIfTI file ({why}): copy it again from its source"


def _bytes(source: Source, limits: StudyLimits) -> bytes:
    """All of the file, unpacked; no more than its header says is unpacked."""
    data = source.whole()
    if data[:2] != _GZIP:
        return data
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as stream:
            head = stream.read(544)
            wanted = _wanted(source.name, head, limits)
            return head + stream.read(wanted - len(head))
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableScan(source.name, _damaged("gzip")) from error


def _wanted(name: str, head: bytes, limits: StudyLimits) -> int:
    nibabel = require("nibabel", "dicom")
    kind = nibabel.Nifti2Header if _kind(head) == 2 else nibabel.Nifti1Header
    header = kind.from_fileobj(BytesIO(head), check=False)
    count = math.prod(
        max(int(one), 1) for one in header["dim"][1 : 1 + min(max(int(header["dim"][0]), 1), 7)]
    )
    wanted = int(header["vox_offset"]) + count * max(int(header["bitpix"]), 8) // 8
    if not len(head) <= wanted <= limits.max_bytes:
        cause = f"unpacks to {wanted} bytes, more than the limit of {limits.max_bytes}: raise max_bytes"
        raise UnreadableScan(name, cause if wanted > limits.max_bytes else _damaged("no voxels"))
    return wanted


def _shape(name: str, image: Any, limits: StudyLimits) -> tuple[int, ...]:
    """Three sides, checked before a voxel is read."""
    if image.header["magic"].item().startswith(b"ni"):
        raise UnreadableScan(name, "is the header of a NIfTI pair (.hdr and .img): save it as one .nii file")
    dtype = image.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        what = "complex numbers: take their magnitude" if dtype.kind == "c" else "colours or other records"
        raise UnreadableScan(name, f"holds {what}, not one value a voxel")
    shape = tuple(int(one) for one in image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) > 3:
        cause = f"is {len(shape)}-D, {_times(shape)}, several volumes in one: save the one that is meant"
        raise UnreadableScan(name, cause)
    shape += (1,) * (3 - len(shape))
    if math.prod(shape) > limits.max_voxels:
        cause = f"is {_times(shape)} voxels, more than the limit of {limits.max_voxels}: raise max_voxels"
        raise UnreadableScan(name, cause)
    if sorted(shape)[1] < limits.min_side:
        cause = f"is {_times(shape)} voxels, and a side under {limits.min_side} shows no brain"
        raise UnreadableScan(name, cause)
    return shape


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _volume(name: str, image: Any, shape: tuple[int, ...], nibabel: Any, *, mask: bool) -> Volume:
    notes: list[str] = []
    affine = _affine(image, notes)
    turns = nibabel.orientations.io_orientation(affine)
    if np.isnan(turns).any():
        notes.append("the orientation in the header is none: taken as it is stored")
        affine = np.eye(4)
        turns = nibabel.orientations.io_orientation(affine)
    values = np.asarray(image.dataobj, np.float32).reshape(shape)
    values = nibabel.orientations.apply_orientation(values, turns)  # to the right, to the front, upwards
    sizes = _sizes(affine, turns, notes)
    axis = _axis(sizes, values.shape)
    shown = _shown(values, axis)
    finite(shown, notes)
    if not mask and (labels := mask_values(shown)):
        raise UnreadableScan(name, told(labels))
    low, high = percentile_window(shown)
    notes.append(f"windowed from {low:g} to {high:g}, percentiles of the whole volume")
    order, positions = _places(affine, turns, axis, shape)
    return Volume(
        values=shown,
        centre=(low + high) / 2,
        width=high - low,
        slices=tuple(Slice(name, int(k), "", float(at)) for k, at in zip(order, positions, strict=True)),
        plane=_PLANES[axis],
        name=name,
        format="NIFTI",
        spacing=_spacing(sizes, axis),
        notes=tuple(notes),
    )


def _affine(image: Any, notes: list[str]) -> NDArray[np.float64]:
    if not int(image.header["sform_code"]) and not int(image.header["qform_code"]):
        notes.append("the header does not say how the head lies: taken as it is stored")
    return np.asarray(image.affine, np.float64)


def _sizes(affine: NDArray[np.float64], turns: NDArray[Any], notes: list[str]) -> tuple[float, ...] | None:
    """Sides of a voxel to the right, to the front and upwards, in mm; None where they are none."""
    stored = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    sizes = tuple(float(stored[int(np.flatnonzero(turns[:, 0] == axis)[0])]) for axis in range(3))
    if all(0.01 < one < 1000 for one in sizes):
        return sizes
    notes.append("the size of a voxel in the header is none: ignored")
    return None


def _axis(sizes: tuple[float, ...] | None, shape: tuple[int, ...]) -> int:
    """What the slices are stacked along: the widest step, else the side of far fewer slices, else upwards."""
    if 1 in shape:
        return shape.index(1)
    if sizes is None:
        return int(np.argmin(shape))
    widest = int(np.argmax(sizes))
    others = [one for axis, one in enumerate(sizes) if axis != widest]
    if sizes[widest] > _THICKER * max(others):
        return widest
    fewest = int(np.argmin(shape))
    return fewest if 2 * shape[fewest] < sorted(shape)[1] else 2


def _shown(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Slices first, in the order of a DICOM series, rows down and columns right as radiologists look at them.

    Values come with axes to the right, to the front and upwards. At the top is what is upwards, in axial
    slices the front; at the left is the patient's right, in sagittal slices the front.
    """
    across = values[::-1, ::-1, :]  # to the left, to the back, upwards: DICOM's
    stacked = np.moveaxis(across, axis, 0)  # slices, then the two others in their order
    turned = stacked.transpose(0, 2, 1)  # the later axis runs down
    return np.ascontiguousarray(turned if axis == 2 else turned[:, ::-1])


def _places(
    affine: NDArray[np.float64], turns: NDArray[Any], axis: int, shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Of each shown slice the index along the stored axis, and where it lies, in mm as in DICOM."""
    stored = int(np.flatnonzero(turns[:, 0] == axis)[0])
    order = np.arange(shape[stored])
    sign = (
        1.0 if axis == 2 else -1.0
    )  # NIfTI counts to the right and the front, DICOM to the left and the back
    if turns[stored, 1] * sign < 0:
        order = order[::-1]
    middle = [(one - 1) / 2 for one in shape]
    points = np.tile([*middle, 1.0], (len(order), 1))
    points[:, stored] = order
    return order, sign * (points @ affine.T)[:, axis]


def _spacing(sizes: tuple[float, ...] | None, axis: int) -> tuple[float, float, float] | None:
    if sizes is None:
        return None
    first, second = (one for place, one in enumerate(sizes) if place != axis)
    return sizes[axis], second, first
