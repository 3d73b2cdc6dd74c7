"""What people see of a robustness experiment: curves, tables, and one picture spoilt in every way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tumorscan.evaluate.blocks import NAMES, Image, Images, Section, Table, in_words, interval_table
from tumorscan.evaluate.figures import BLUE, GREEN, ORANGE, canvas, plain
from tumorscan.evaluate.robustness import FIGURES, MEAN, Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLE = {"sensitivity": (ORANGE, "o", "-"), "specificity": (BLUE, "s", "-"), "roc_auc": (GREEN, "^", "--")}
_COLUMNS = 4


def curves_figure(curves: Sequence[Curve]) -> Figure:
    """A panel a corruption: sensitivity, specificity and AUC over the strength, bands their intervals."""
    rows = math.ceil(len(curves) / _COLUMNS)
    figure = canvas(12.0, 2.6 * rows + 0.4)
    grid = np.ravel(figure.subplots(rows, _COLUMNS, squeeze=False, sharex=True, sharey=True))
    for axes, curve in zip(grid, curves, strict=False):
        _panel(axes, curve)
    for axes in grid[len(curves) :]:
        axes.set_axis_off()
    handles, names = grid[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=len(names), frameon=False, fontsize=10)
    figure.supxlabel("strength (0: the picture as it is)", fontsize=10)
    return figure


def robustness_sections(
    curves: Sequence[Curve], levels: Sequence[tuple[str, str, Sequence[float]]], example: Image | None
) -> list[Section]:
    """Sections of a report.

    Args:
        curves: one a corruption, and their mean.
        levels: name, unit and the values of each corruption.
        example: a picture with every corruption at every strength.
    """
    strengths = tuple(str(strength) for strength in range(len(curves[0].points)))
    tables = [
        interval_table(
            f"{NAMES[name]} by strength, with the bootstrap's interval; 0 is the picture as it is.",
            ("", *strengths),
            {one.name: [point.figures[name] for point in one.points] for one in curves},
        )
        for name in FIGURES
    ]
    head = ("", "what the values are", *strengths[1:])
    shown = tuple((name, unit, *(f"{value:g}" for value in values)) for name, unit, values in levels)
    blocks = (Table(head, shown, "What each strength is."), *((Images((example,)),) if example else ()))
    return [
        Section("Curves", (Images((_curves_image(curves),)),)),
        Section("Figures", tuple(tables)),
        Section("Corruptions", blocks),
    ]


def _panel(axes: Axes, curve: Curve) -> None:
    across = np.arange(len(curve.points))
    for name, (colour, mark, line) in _STYLE.items():
        shown = [point.figures[name] for point in curve.points]
        value, low, high = (
            np.array([getattr(one, key) for one in shown]) for key in ("value", "low", "high")
        )
        if np.isnan(value).all():
            continue
        axes.fill_between(across, low, high, color=colour, alpha=0.15, lw=0)
        axes.plot(across, value, line, color=colour, marker=mark, ms=4, lw=1.6, label=NAMES[name])
    axes.set_title(
        plain(curve.name), loc="left", fontsize=11, fontweight="bold" if curve.name == MEAN else None
    )
    axes.set(ylim=(-0.02, 1.02), xticks=across)
    axes.grid(color="#E6E6E6", lw=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _curves_image(curves: Sequence[Curve]) -> Image:
    last = curves[-1]
    told = ", ".join(
        f"{NAMES[name]} {in_words(last.points[0].figures[name])} at first "
        f"and {in_words(last.points[-1].figures[name])} at the greatest strength"
        for name in FIGURES
        if not np.isnan(last.points[0].figures[name].value)
    )
    caption = "Bands are pointwise intervals by the bootstrap; all panels see the same draws."
    alt = f"Figures over strength. {last.name}: {told}"
    return Image.of(curves_figure(curves), alt, caption, wide=True, name="curves")
