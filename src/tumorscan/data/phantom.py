"""Drawn axial slices with and without a lesion, for tests, the demo and a first training.

They look like coarse MRI and are no one's picture. What is learnt from them says nothing of patients.
Both classes share every lot but the lesion's: the same seed with and without tumor is the same head.
"""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscan.data.anatomy import Anatomy, Map, draw_head, smooth_noise, tissues
from tumorscan.data.lesion import draw_lesion, grow
from tumorscan.errors import EnvironmentProblem, SettingsError

SIZES = (64, 1024)

# Signal of air, scalp, bone, marrow, fluid, grey and white matter, 0..1: the order of tissues in each
# weighting as radiology textbooks have it, not measured values.
_SIGNALS = {
    "T1": (0.0, 0.85, 0.05, 0.30, 0.12, 0.40, 0.62),
    "T2": (0.0, 0.60, 0.05, 0.25, 0.92, 0.52, 0.36),
    "FLAIR": (0.0, 0.70, 0.04, 0.18, 0.10, 0.52, 0.42),
}


@dataclass(frozen=True)
class Phantom:
    """A drawn slice.

    Attributes:
        pixels: uint8 grey, H x W, 0..255.
        mask: bool, H x W; True in the lesion, its surrounding swelling left out.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """The lesion's bounds: x and y of the upper left corner, width, height, as fractions of the sides."""
        if not self.mask.any():
            return None
        height, width = self.mask.shape
        rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
        return (
            float(columns[0] / width),
            float(rows[0] / height),
            float((columns[-1] - columns[0] + 1) / width),
            float((rows[-1] - rows[0] + 1) / height),
        )


@dataclass(frozen=True)
class Scanner:
    """The lots of how a head is pictured.

    Attributes:
        weighting: "T1", "T2" or "FLAIR".
        signals: of each `Tissue`, 0..1.
        bias: strengths of the receiver's uneven field: x, y, x^2, xy, y^2.
        blur: deviation of the point spread, as a fraction of the side.
        noise: deviation of the noise of each channel, in units of signal.
        gain, gamma: from signal to grey value.
        specks: vessels and small spots: x, y, radius as fractions of the side, and signal.
        seed: of texture and noise.
    """

    weighting: str
    signals: tuple[float, ...]
    bias: tuple[float, ...]
    blur: float
    noise: float
    gain: float
    gamma: float
    specks: tuple[tuple[float, float, float, float], ...]
    seed: int


def draw_phantom(rng: np.random.Generator, *, tumor: bool, size: int = 224, plain: bool = False) -> Phantom:
    """Draw a slice.

    Args:
        rng: where the lots come from; a generator in the same state gives the same slice.
        tumor: with a lesion. The same state without one gives the same head.
        size: side in pixels, 64..1024.
        plain: the lesion is large, solid and bright.

    Raises:
        SettingsError: `size` is out of range.
    """
    _check_size(size)
    # Three streams, so that a lesion's lots do not move those of the head or the noise.
    for_head, for_lesion, for_scanner = (np.random.default_rng(rng.integers(2**63)) for _ in range(3))
    anatomy = tissues(draw_head(for_head), size)
    scanner = draw_scanner(for_scanner)
    mask = np.zeros((size, size), np.bool_)
    if not tumor:
        return Phantom(_pictured(signal_of(anatomy, scanner), scanner), mask)
    lesion = draw_lesion(for_lesion, bright_swelling=scanner.weighting != "T1", plain=plain)
    grown = grow(lesion, anatomy)
    signal = grown.lay_on(signal_of(grown.anatomy, scanner))
    return Phantom(_pictured(signal, scanner), grown.mask)


def _check_size(size: int) -> None:
    if not SIZES[0] <= size <= SIZES[1]:
        raise SettingsError(f"phantom size is {size}: it must lie in [{SIZES[0]}, {SIZES[1]}]")


def draw_scanner(rng: np.random.Generator) -> Scanner:
    """Draw the lots of how a head is pictured."""
    weighting = str(rng.choice(list(_SIGNALS)))
    signals = tuple(float(s * rng.uniform(0.9, 1.1)) for s in _SIGNALS[weighting])
    return Scanner(
        weighting=weighting,
        signals=signals,
        bias=tuple(rng.normal(0, 0.12, 5)),
        blur=rng.uniform(0.002, 0.0045),
        noise=rng.uniform(0.008, 0.04),
        gain=rng.uniform(0.75, 1.15),
        gamma=rng.uniform(0.85, 1.2),
        specks=tuple(_speck(rng) for _ in range(rng.integers(0, 5))),
        seed=int(rng.integers(2**32)),
    )


def _speck(rng: np.random.Generator) -> tuple[float, float, float, float]:
    return rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), rng.uniform(0.003, 0.009), rng.uniform(0.55, 0.95)


def signal_of(anatomy: Anatomy, scanner: Scanner) -> Map:
    """Ideal signal of the tissues with the fine unevenness that real tissue has."""
    size = anatomy.depth.shape[0]
    rng = np.random.default_rng([scanner.seed, 0])
    signal = np.tensordot(np.asarray(scanner.signals, np.float32), anatomy.tissues, axes=1)
    grain = 0.03 * smooth_noise(rng, size, 0.006) + 0.03 * smooth_noise(rng, size, 0.05)
    signal = signal * (1 + grain)
    at = (np.arange(size, dtype=np.float32) + 0.5) / size
    inside = anatomy.depth > 0
    for x, y, radius, level in scanner.specks:
        near = np.exp(-((at[None, :] - x) ** 2 + (at[:, None] - y) ** 2) / (2 * radius**2)) * inside
        signal = signal * (1 - near) + level * near
    return np.asarray(signal, np.float32)


def _pictured(signal: Map, scanner: Scanner) -> NDArray[np.uint8]:
    return np.asarray(np.rint(255 * picture_of(signal, scanner)), np.uint8)


def picture_of(signal: Map, scanner: Scanner) -> Map:
    """Uneven field, blur, Rician noise (Gudbjartsson and Patz 1995), gain and gamma: 0..1."""
    size = signal.shape[0]
    rng = np.random.default_rng([scanner.seed, 1])
    at = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = np.meshgrid(at, at)
    terms = zip(scanner.bias, (x, y, x * x, x * y, y * y), strict=True)
    uneven = np.asarray(signal * np.exp(sum(strength * term for strength, term in terms)), np.float32)
    blurred = cv2.GaussianBlur(uneven, (0, 0), max(scanner.blur * size, 0.3))
    real, imaginary = (scanner.noise * smooth_noise(rng, size, 0.0025) for _ in range(2))
    magnitude = scanner.gain * np.hypot(blurred + real, imaginary)
    return np.asarray(np.clip(magnitude, 0, 1) ** scanner.gamma)


def write_phantoms(folder: Path, count: int, seed: int, *, size: int = 224, plain: bool = False) -> Path:
    """Write slices in turn with and without a lesion: yes/phantom_0001.png, no/phantom_0002.png ...

    Phantom i depends on the seed and on i alone. Beside the folders stands phantoms.csv with file (as
    seen from `folder`), label, group (each phantom its own) and the box, empty where there is no lesion.

    Args:
        folder: new or empty.
        count: at least 2, so that both classes are there.
        seed: 0 or more; the same seed gives the same bytes.
        size: side in pixels.
        plain: lesions are large, solid and bright.

    Returns:
        The path of phantoms.csv.

    Raises:
        SettingsError: count, seed or size is out of range.
        EnvironmentProblem: the folder is not empty, is a file, or cannot be written; what was begun is
            taken away again.
    """
    if count < 2:
        raise SettingsError(
            f"phantom count is {count}: it must be at least 2, one with a lesion and one without"
        )
    if seed < 0:
        raise SettingsError(f"phantom seed is {seed}: it must be 0 or more")
    _check_size(size)
    try:
        take_folder(folder)
        return _write(folder, count, seed, size, plain=plain)
    except OSError as error:
        raise EnvironmentProblem(f"{folder}: {error.strerror}: name a folder that can be written") from error


def take_folder(folder: Path) -> None:
    """Make a folder, or take an empty one."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise EnvironmentProblem(f"{folder}: the folder is not empty: name a new one or empty it")


def _write(folder: Path, count: int, seed: int, size: int, *, plain: bool) -> Path:
    try:
        rows = [_write_one(folder, number, seed, size, plain=plain) for number in range(1, count + 1)]
        table = folder / "phantoms.csv"
        with table.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("file", "label", "group", "box_x", "box_y", "box_w", "box_h"))
            writer.writerows(rows)
    except BaseException:  # an interrupt too leaves nothing half-written
        _clear(folder)
        raise
    return table


def _write_one(folder: Path, number: int, seed: int, size: int, *, plain: bool) -> tuple[str, ...]:
    tumor = number % 2 == 1
    name = f"phantom_{number:04d}"
    file = folder / ("yes" if tumor else "no") / f"{name}.png"
    phantom = draw_phantom(np.random.default_rng([seed, number]), tumor=tumor, size=size, plain=plain)
    file.parent.mkdir(exist_ok=True)
    Image.fromarray(phantom.pixels).save(file, "PNG")
    box = tuple(f"{value:.6f}" for value in phantom.box) if phantom.box else ("",) * 4
    return file.relative_to(folder).as_posix(), "tumor" if tumor else "no_tumor", name, *box


def _clear(folder: Path) -> None:
    for name in ("yes", "no"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "phantoms.csv").unlink(missing_ok=True)
