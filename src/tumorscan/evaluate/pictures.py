"""Figures made of pictures: the preparation step by step, augmented copies, right and wrong verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import DataError
from tumorscan.evaluate.figures import GREEN, INK, ORANGE, canvas, plain
from tumorscan.types import Picture, Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture in a gallery.

    Attributes:
        pixels: uint8 RGB, H x W x 3.
        file: as the user named it.
        truth: in words.
        verdict: in words.
        probability: of a tumor, 0..1.
        correct: the verdict is the truth.
    """

    pixels: Picture
    file: str
    truth: str
    verdict: str
    probability: float
    correct: bool


def steps_figure(rows: Sequence[tuple[str, Sequence[Step]]]) -> Figure:
    """Before and after: a row a picture, a column a step.

    Args:
        rows: the picture's name and its steps; every row has the same steps.

    Raises:
        DataError: there are no rows or steps, or the rows differ in their steps.
    """
    heads = [tuple(step.name for step in steps) for _, steps in rows]
    if not heads or not heads[0]:
        raise DataError("there are no steps to show: prepare with keep_steps=True")
    if len(set(heads)) > 1:
        raise DataError(f"the steps differ: {heads[0]} and {next(h for h in heads if h != heads[0])}")
    figure, grid = _grid(len(rows), len(heads[0]))
    for row, (name, steps) in enumerate(rows):
        for column, step in enumerate(steps):
            _show(grid[row, column], step.pixels)
            if row == 0:
                grid[row, column].set_title(plain(step.name), fontsize=11)
        grid[row, 0].set_ylabel(plain(name, 26), fontsize=9)
    return figure


def grid_figure(pictures: NDArray[np.uint8], columns: int = 8) -> Figure:
    """A grid of pictures, for augmented copies.

    Args:
        pictures: uint8 RGB, N x H x W x 3.
        columns: pictures in a row.

    Raises:
        DataError: there are no pictures, or they have another shape.
    """
    if pictures.ndim != 4 or pictures.shape[-1] != 3 or not len(pictures):
        raise DataError(f"pictures have the shape {pictures.shape}: N x H x W x 3 is needed, N at least 1")
    columns = min(columns, len(pictures))
    figure, grid = _grid(math.ceil(len(pictures) / columns), columns, side=1.2)
    for place, axes in enumerate(grid.ravel()):
        if place < len(pictures):
            _show(axes, pictures[place])
        else:
            axes.set_axis_off()
    return figure


def gallery_figure(shown: Sequence[Shown], columns: int = 4) -> Figure:
    """Pictures with their truth, the verdict and the probability; the frame says right or wrong.

    Raises:
        DataError: there is nothing to show.
    """
    if not shown:
        raise DataError("the gallery is empty: give at least one picture")
    columns = min(columns, len(shown))
    figure, grid = _grid(math.ceil(len(shown) / columns), columns, side=2.2, caption=0.5)
    for axes in grid.ravel()[len(shown) :]:
        axes.set_axis_off()
    for axes, item in zip(grid.ravel(), shown, strict=False):
        _show(axes, item.pixels)
        colour = GREEN if item.correct else ORANGE
        for side in axes.spines.values():
            side.set(visible=True, color=colour, linewidth=3)
        word = "right" if item.correct else "WRONG"
        lines = [plain(item.file, 28), f"truth: {plain(item.truth, 24)}"]
        lines.append(f"{word}: {plain(item.verdict, 18)}, p = {item.probability:.3f}")
        axes.set_xlabel("\n".join(lines), fontsize=8, color=INK)
    return figure


def _grid(
    rows: int, columns: int, side: float = 2.0, caption: float = 0.0
) -> tuple[Figure, NDArray[np.object_]]:
    figure = canvas(columns * side + 0.3, rows * (side + caption) + 0.3)
    grid: NDArray[np.object_] = figure.subplots(rows, columns, squeeze=False)
    return figure, grid


def _show(axes: Axes, pixels: Picture) -> None:
    axes.imshow(pixels, interpolation="antialiased")
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
