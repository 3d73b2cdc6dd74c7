# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "pillow>=11", "opencv-python-headless>=4", "scipy>=1.14", "nilearn==0.14.1"]
# ///
"""Make the pictures of this folder again, and examples.csv which says what each of them is.

    pip install --no-deps nilearn==0.14.1    # 12 MB, for the template in its wheel; nothing of it is imported
    python examples/make.py                  # about half a minute

The seeds stand in SHOTS: the same ones give the same pictures, up to the rounding of the machine's numpy,
OpenCV and SciPy. The sha256 in examples.csv is that of the file as shipped.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import drawn
import numpy as np
import template_head
from numpy.typing import NDArray
from PIL import Image
from simulated_lesions import Lesion, Shot, picture
from template_head import Head

HERE = Path(__file__).resolve().parent

SHOTS = (
    Shot("axial", 18, 1, contrast=True, lesion=Lesion("glioma", 28, -20, 19, 1.1, 0.80, 0.45, 0.9)),
    Shot("axial", 30, 2, contrast=True, lesion=Lesion("glioma", -26, 22, 17, 0.95, 0.76, 0.4, 0.8)),
    Shot("axial", 40, 3, contrast=True, lesion=Lesion("meningioma", -52, -20, 17, 1.0, 0.72, 0.5)),
    Shot("coronal", -20, 4, contrast=True, lesion=Lesion("glioma", 30, 25, 17, 1.1, 0.80, 0.4, 0.8)),
    Shot("coronal", -10, 5, contrast=True, lesion=Lesion("meningioma", 18, 62, 16, 1.0, 0.70, 0.5, 0.3)),
    Shot("coronal", 2, 6, contrast=True, lesion=Lesion("pituitary", 0, -25, 13, 0.86, 0.64, 0.5)),
    Shot("sagittal", 2, 7, contrast=True, lesion=Lesion("pituitary", 2, -27, 11, 0.95, 0.64, 0.5)),
    Shot("sagittal", 26, 8, contrast=True, lesion=Lesion("glioma", -30, 25, 18, 1.1, 0.80, 0.45, 0.7)),
    Shot("sagittal", -30, 9, contrast=True, lesion=Lesion("meningioma", 40, 45, 18, 1.0, 0.70, 0.5, 0.4)),
    Shot("axial", 10, 10, contrast=True),
    Shot("axial", 42, 11, contrast=False),
    Shot("coronal", -28, 12, contrast=True),
    Shot("coronal", 8, 13, contrast=False),
    Shot("sagittal", 3, 14, contrast=True),
    Shot("sagittal", -28, 15, contrast=False),
)
"""Every slice; pictures of a class and plane are numbered in this order."""


@dataclass(frozen=True)
class Row:
    """A line of examples.csv.

    Attributes:
        file: as seen from the csv.
        label: "tumor", "no_tumor" or "not_brain".
        plane: "axial", "coronal", "sagittal", or empty.
        box_x, box_y, box_w, box_h: the tumor's bounds without its oedema: upper left corner, width and
            height as fractions of the sides; empty without a tumor.
        made_by: what made it, and from which lots.
        width, height: in pixels.
        sha256: of the file.
    """

    file: str
    label: str
    plane: str
    box_x: str
    box_y: str
    box_w: str
    box_h: str
    made_by: str
    width: int
    height: int
    sha256: str


def brain_slices(head: Head) -> Iterator[tuple[Row, bytes]]:
    """Each slice of SHOTS as its row and its PNG."""
    counted: dict[str, int] = {}
    for shot in SHOTS:
        stem = f"{'template_no' if shot.lesion is None else 'simulated'}_tumor_{shot.plane}"
        counted[stem] = counted.get(stem, 0) + 1
        pixels, mask = picture(head, shot)
        label = "no_tumor" if shot.lesion is None else "tumor"
        what = "no lesion" if shot.lesion is None else f"{shot.lesion.kind}-like lesion"
        made_by = f"make.py: MNI152 slice at {shot.at} mm, {what}, seed {shot.seed}"
        yield row_of(
            f"{stem}_{counted[stem]}.png",
            pixels,
            label=label,
            plane=shot.plane,
            box=box_of(mask),
            made_by=made_by,
        )


def other_pictures() -> Iterator[tuple[Row, bytes]]:
    """Each drawn picture that is no brain slice."""
    for name, draw in drawn.PICTURES.items():
        yield row_of(
            f"not_brain/{name}.png",
            draw(),
            label="not_brain",
            plane="",
            box=("",) * 4,
            made_by="make.py: drawn",
        )


def row_of(
    file: str,
    pixels: NDArray[np.uint8],
    *,
    label: str,
    plane: str,
    box: tuple[str, str, str, str],
    made_by: str,
) -> tuple[Row, bytes]:
    """A picture's line of the table and its PNG."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", optimize=True)
    data = stream.getvalue()
    height, width = pixels.shape[:2]
    return Row(file, label, plane, *box, made_by, width, height, hashlib.sha256(data).hexdigest()), data


def box_of(mask: NDArray[np.bool_]) -> tuple[str, str, str, str]:
    """Bounds of what is True, as fractions of the sides; four empty fields where nothing is."""
    if not mask.any():
        return ("", "", "", "")
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = mask.shape
    x, y = columns[0] / width, rows[0] / height
    w, h = (columns[-1] + 1) / width - x, (rows[-1] + 1) / height - y
    return (f"{x:.4f}", f"{y:.4f}", f"{w:.4f}", f"{h:.4f}")


def write(folder: Path, made: Iterator[tuple[Row, bytes]]) -> int:
    """Write pictures and examples.csv; returns how many pictures."""
    (folder / "not_brain").mkdir(parents=True, exist_ok=True)
    rows = []
    for row, data in made:
        (folder / row.file).write_bytes(data)
        rows.append(row)
    with (folder / "examples.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(field.name for field in fields(Row))
        writer.writerows(astuple(row) for row in rows)
    return len(rows)


def main() -> int:
    """Make all pictures; returns the exit code."""
    parser = argparse.ArgumentParser(description="Make the pictures of examples/ again.")
    parser.add_argument("--template", type=Path, help="nilearn/datasets/data (default: of the one installed)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (default: this one)")
    options = parser.parse_args()
    template = options.template or template_head.find_template()
    if template is None:
        print("make.py: the template is missing: pip install --no-deps nilearn==0.14.1", file=sys.stderr)
        return 2
    try:
        head = template_head.load_head(template)
    except (OSError, ValueError) as error:
        print(f"make.py: {error}", file=sys.stderr)
        return 2

    def everything() -> Iterator[tuple[Row, bytes]]:
        yield from brain_slices(head)
        yield from other_pictures()

    print(f"{write(options.out, everything())} pictures in {options.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
