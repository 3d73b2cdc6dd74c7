"""Series of slices as read, and the answers for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tumorscan.types.finding import Finding
from tumorscan.types.picture import Scan


@dataclass(frozen=True)
class Slice:
    """Where one slice of a volume came from.

    Attributes:
        file: as the user named it; a member of a zip is ``archive.zip!member``.
        frame: number in a multi-frame file or a NIfTI's axis, from 0; None for a file of one slice.
        uid: SOP Instance UID; empty where the format has none.
        position: along the normal of the slices, in mm; nan where it is not known.
    """

    file: str
    frame: int | None = None
    uid: str = ""
    position: float = float("nan")


@dataclass(frozen=True)
class Volume:
    """The slices of one series in the order of their position, with one grey scale for all.

    Attributes:
        values: float32, N x H x W: after the modality LUT, before any window. Rows and columns as a reader
            shows them: axial slices with the front of the head up.
        centre, width: of the window that turns values to grey, in the unit of the values.
        inverted: low values are shown bright (MONOCHROME1).
        slices: N, where each came from.
        plane: of the slices.
        spacing: between slices, rows and columns, in mm; None where it is not known.
        name: of the file, folder or series as shown to people; never a patient's name.
        format: DICOM or NIFTI.
        modality: as the header says (MR, CT ...); empty where it says nothing.
        series: Series Instance UID; empty where the format has none.
        notes: what the reader did, and what it found odd, a line each.
    """

    values: NDArray[np.float32]
    centre: float
    width: float
    slices: tuple[Slice, ...]
    plane: Literal["axial", "coronal", "sagittal", "oblique", ""]
    name: str
    format: Literal["DICOM", "NIFTI"]
    inverted: bool = False
    spacing: tuple[float, float, float] | None = None
    modality: str = ""
    series: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.slices)

    def grey(self, index: int, centre: float | None = None, width: float | None = None) -> NDArray[np.uint8]:
        """Slice `index` through the window, or through another one: uint8, H x W."""
        middle = self.centre if centre is None else centre
        wide = max(self.width if width is None else width, 1e-6)
        shown = np.clip((self.values[index] - (middle - wide / 2)) / wide, 0.0, 1.0)
        grey = np.rint(255 * (1 - shown if self.inverted else shown))
        return np.asarray(grey, np.uint8)

    def scan(self, index: int) -> Scan:
        """Slice `index` as a picture, as if it had been exported through the window."""
        grey, origin = self.grey(index), self.slices[index]
        name = origin.file if origin.frame is None else f"{origin.file}[{origin.frame}]"
        pixels = np.repeat(grey[..., None], 3, axis=2)
        return Scan(pixels, name, self.format, "L", grey.size, is_grey=True, notes=self.notes)


@dataclass(frozen=True)
class Study:
    """What was read from one path: its volumes, and what could not be read.

    Attributes:
        name: of the path as the user gave it.
        volumes: largest first.
        problems: a line each, naming file and cause.
    """

    name: str
    volumes: tuple[Volume, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class SliceFinding:
    """The answer for one slice of a volume.

    Attributes:
        index: in the volume.
        finding: of the slice alone.
        peak: of the map, x and y in pixels of the slice; None where nothing was asked or found.
    """

    index: int
    finding: Finding
    peak: tuple[float, float] | None = None


@dataclass(frozen=True)
class VolumeFinding:
    """The answer for one volume.

    Attributes:
        finding: of the whole volume; its `file` is the volume's name.
        slices: N, in the order of the volume.
        curve: float64, N: what the aggregation saw of each slice, 0..1; nan where the gate refused it.
        key_slice: index of the slice that says most; None where no slice was asked.
        extent: first and last slice of the suspicious run, both included; None where there is none.
        tumor_type: probability of each type, as a hint; empty where no tumor is found or no model is there.
    """

    finding: Finding
    slices: tuple[SliceFinding, ...]
    curve: NDArray[np.float64]
    key_slice: int | None
    extent: tuple[int, int] | None
    tumor_type: Mapping[str, float] = field(default_factory=dict)
