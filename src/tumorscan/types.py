"""What crosses from one room to the next: frozen, with shapes, dtypes and units stated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Picture = NDArray[np.uint8]
"""uint8 RGB, H x W x 3, 0..255."""

Label = Literal["tumor", "no_tumor"]


class Verdict(StrEnum):
    """What the system says of a picture."""

    TUMOR = "TUMOR DETECTED"
    NO_TUMOR = "NO TUMOR"
    CANNOT_SAY = "CANNOT SAY"
    NOT_BRAIN_MRI = "NOT A BRAIN MRI"


@dataclass(frozen=True)
class Scan:
    """A picture as read, with where it came from.

    Attributes:
        pixels: uint8 RGB, H x W x 3. Grey pictures have three equal channels.
        name: the file as the user named it.
        format: PNG, JPEG, BMP, TIFF or WEBP, by content.
        mode: Pillow's mode of the stored pixels: L, RGB, RGBA, P, I;16 ...
        file_bytes: size of the file in bytes.
        is_grey: all three channels are equal everywhere.
        notes: what the reader did beyond decoding ("alpha dropped", "16 bit windowed to ...").
        sha256: of the file's bytes; empty where it is not of one file, as a slice of a series.
    """

    pixels: Picture
    name: str
    format: str
    mode: str
    file_bytes: int
    is_grey: bool
    notes: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[0])


@dataclass(frozen=True)
class Frame:
    """How a scan became a square: crop box, padding and size; enough to carry a point back.

    Attributes:
        left, top, width, height: the cropped box in pixels of the scan.
        pad_left, pad_top: padding added before the resize, in pixels of the scan.
        padded_width, padded_height: size after padding, in pixels of the scan.
        size: side of the prepared picture in pixels.
    """

    left: int
    top: int
    width: int
    height: int
    pad_left: int
    pad_top: int
    padded_width: int
    padded_height: int
    size: int

    def to_scan(self, x: float, y: float) -> tuple[float, float]:
        """Carry a point of the prepared picture (pixels) to the scan (pixels)."""
        return (
            x / self.size * self.padded_width - self.pad_left + self.left,
            y / self.size * self.padded_height - self.pad_top + self.top,
        )

    def from_scan(self, x: float, y: float) -> tuple[float, float]:
        """Carry a point of the scan (pixels) to the prepared picture (pixels)."""
        return (
            (x - self.left + self.pad_left) * self.size / self.padded_width,
            (y - self.top + self.pad_top) * self.size / self.padded_height,
        )


@dataclass(frozen=True)
class Step:
    """The picture after one stage of the preparation."""

    name: str
    pixels: Picture


@dataclass(frozen=True)
class Prepared:
    """What the network sees.

    Attributes:
        pixels: uint8 RGB, S x S x 3.
        frame: the way back to the scan.
        steps: the picture after each stage, first the framed scan; empty unless asked for.
    """

    pixels: Picture
    frame: Frame
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Interval:
    """A figure with its confidence interval.

    Attributes:
        value: the estimate; nan where it is undefined (no positives, say).
        low, high: bounds.
        method: how the bounds were made ("exact binomial", "bootstrap over groups" ...).
        level: confidence level.
    """

    value: float
    low: float
    high: float
    method: str
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it was measured to do.

    Attributes:
        name: for example ``"screening"``.
        threshold: a tumor is reported at a calibrated probability at or above this, 0..1.
        wanted_sensitivity: what the fit aimed at; None where it aimed at something else.
        sensitivity, specificity: on the pictures that it was fitted on.
        fitted_on: the data of the fit, in words.
        wanted_specificity: what the fit aimed at; None where it aimed at something else.
        level: confidence at which the aim was to hold beyond the pictures of the fit; None: not asked for.
        guaranteed: whether the data of the fit sufficed for that.
        statement: what holds, and what does not, in words.
    """

    name: str
    threshold: float
    wanted_sensitivity: float | None
    sensitivity: Interval
    specificity: Interval
    fitted_on: str
    wanted_specificity: float | None = None
    level: float | None = None
    guaranteed: bool = False
    statement: str = ""

    @property
    def aim(self) -> str:
        """What the fit aimed at, in words."""
        if self.wanted_sensitivity is not None:
            return f"a sensitivity of {100 * self.wanted_sensitivity:.1f} %"
        if self.wanted_specificity is not None:
            return f"a specificity of {100 * self.wanted_specificity:.1f} %"
        return "the largest sum of sensitivity and specificity"


@dataclass(frozen=True)
class Calibration:
    """From a logit to the probability of a tumor; never falling.

    Attributes:
        method: ``temperature`` (Guo et al. 2017), ``platt`` (an affine map, Platt 1999), ``beta`` (Kull et
            al. 2017) or ``isotonic`` (Zadrozny and Elkan 2002).
        parameters: numbers by name: ``slope``, ``offset``; of beta ``tumor``, ``none`` and ``offset``; of
            isotonic the knots ``logits`` and ``probabilities``, both rising.
        error: calibration error of this method out of fold (15 equal-mass bins); None: not measured.
        fitted_on: the data of the fit, in words.
    """

    method: Literal["temperature", "platt", "beta", "isotonic"]
    parameters: Mapping[str, tuple[float, ...]]
    error: float | None = None
    fitted_on: str = ""

    def probability(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Calibrated probability of a tumor, 0..1, from uncalibrated logits of any shape."""
        z, numbers = np.asarray(logits, np.float64), self.parameters
        if self.method == "isotonic":
            return np.asarray(np.interp(z, numbers["logits"], numbers["probabilities"]))
        if self.method == "beta":
            # ln p and ln(1 - p) of p = sigmoid(z), without forming p, which rounds to 0 and 1.
            surprise, other = np.logaddexp(0.0, -z), np.logaddexp(0.0, z)
            scaled = numbers["none"][0] * other - numbers["tumor"][0] * surprise + numbers["offset"][0]
        else:
            scaled = z * numbers["slope"][0] + numbers.get("offset", (0.0,))[0]
        return np.asarray(np.exp(-np.logaddexp(0.0, -scaled)))

    @property
    def words(self) -> str:
        """Method and numbers, for people."""
        if self.method == "temperature":
            return f"temperature {1 / self.parameters['slope'][0]:.4g}"
        if self.method == "isotonic":
            return f"isotonic, {len(self.parameters['logits'])} knots"
        return f"{self.method}, " + ", ".join(f"{key} {one[0]:.4g}" for key, one in self.parameters.items())


@dataclass(frozen=True)
class UncertainBand:
    """Between two probabilities nothing is said, so that each class is called wrongly no more than so often.

    Class-conditional (Mondrian) conformal prediction: "tumor" is possible from `tumor_from` on, "no tumor" up
    to `none_to`; between the two, whichever is the lower, both are possible or neither is.

    Attributes:
        tumor_from, none_to: calibrated probabilities, 0..1.
        error: wanted share of each class that gets the other's verdict, at most.
        tumor_error, none_error: the share that the data of the fit can promise.
        fitted_on: the data of the fit, in words.
        statement: what that means, in words.
    """

    tumor_from: float
    none_to: float
    error: float
    tumor_error: float
    none_error: float
    fitted_on: str
    statement: str = ""

    @property
    def low(self) -> float:
        """Below it, "no tumor" is the only possible answer."""
        return min(self.tumor_from, self.none_to)

    @property
    def high(self) -> float:
        """Above it, "tumor" is the only possible answer."""
        return max(self.tumor_from, self.none_to)


@dataclass(frozen=True)
class Scores:
    """What an engine returns for a batch of N pictures.

    Attributes:
        logits: float32, N. Uncalibrated, of "tumor".
        map: float32, N x h x w x C, channels last: the trunk's last feature map; None where it was not kept.
        embedding: float32, N x C: the map's mean over its h x w cells; None where it was not kept.
        lesion: float32, N x C: the same mean weighted by each cell's probability of tumor, so that it shows
            what the evidence points at; of an evidence head alone, None where it was not kept.
    """

    logits: NDArray[np.float32]
    map: NDArray[np.float32] | None = None
    embedding: NDArray[np.float32] | None = None
    lesion: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Finding:
    """The answer for one picture.

    Attributes:
        file: as the user named it.
        verdict: one of `Verdict`.
        probability: calibrated probability of a tumor, 0..1; None where the gate refused the picture.
        confidence: of the verdict, per cent: the probability of what was said; where nothing was said,
            that of the likelier answer; None with the probability.
        threshold: the operating point's.
        operating_point: its name.
        model: name and version of the bundle.
        notes: what the reader and the preparation did.
        milliseconds: time of each stage.
        reasons: why the gate refused the picture, a line each; empty where it did not.
        tumor_type: probability of each type that the bundle knows, as a hint for research; empty where no
            tumor is reported, or where the bundle tells no types.
        tumor_type_told: the type that is told, or "not sure"; empty with `tumor_type`.
        sha256: of the picture's file, as `Scan` has it.
    """

    file: str
    verdict: Verdict
    probability: float | None
    confidence: float | None
    threshold: float
    operating_point: str
    model: str
    notes: tuple[str, ...] = ()
    milliseconds: dict[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    tumor_type: Mapping[str, float] = field(default_factory=dict)
    tumor_type_told: str = ""
    sha256: str = ""


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
