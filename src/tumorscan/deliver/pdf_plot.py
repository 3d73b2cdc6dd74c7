"""What a page draws besides pictures and words: the icon of the verdict, the scale, the curve."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tumorscan.deliver.told import Model
from tumorscan.types import Verdict, VolumeFinding

_INK, _MIDDLE, _PALE = 0, 110, 220


def draw_icon(pdf: Any, verdict: Verdict, x: float, y: float, side: float) -> None:
    """The verdict as a shape: a triangle with a mark, a ring with a dash, a question or a cross."""
    pdf.set_line_width(0.9)
    pdf.set_draw_color(_INK)
    if verdict is Verdict.TUMOR:
        pdf.polygon([(x + side / 2, y + 0.4), (x + side, y + side - 0.6), (x, y + side - 0.6)], style="D")
        _sign(pdf, "!", x, y + 0.16 * side, side)
        return
    pdf.ellipse(x + 0.5, y + 0.5, side - 1, side - 1, style="D")
    if verdict is Verdict.NO_TUMOR:
        pdf.line(x + 0.28 * side, y + side / 2, x + 0.72 * side, y + side / 2)
    elif verdict is Verdict.CANNOT_SAY:
        _sign(pdf, "?", x, y, side)
    else:
        low, high = 0.32 * side, 0.68 * side
        pdf.line(x + low, y + low, x + high, y + high)
        pdf.line(x + low, y + high, x + high, y + low)


def _sign(pdf: Any, sign: str, x: float, y: float, side: float) -> None:
    pdf.set_font("helvetica", "B", 1.7 * side)
    pdf.set_xy(x, y)
    pdf.cell(side, side, sign, align="C")


def draw_scale(pdf: Any, probability: float, model: Model, place: tuple[float, float, float]) -> float:
    """A bar from 0 to 100 % with the probability, the threshold and where nothing is said.

    Args:
        pdf: the page.
        probability: 0..1.
        model: whose threshold and band.
        place: left, top and width, in mm.

    Returns:
        Where the next thing may begin, in mm.
    """
    left, top, width = place
    high = 4.0
    pdf.set_fill_color(_MIDDLE)
    pdf.rect(left, top, width * probability, high, style="F")
    threshold = model.point.threshold
    if model.band is not None:
        low, far = min(model.band.low, threshold), max(model.band.high, threshold)
        _hatch(pdf, (left + width * low, top, width * (far - low), high))
    pdf.set_line_width(0.3)
    pdf.rect(left, top, width, high)
    at = left + width * threshold
    pdf.set_line_width(0.8)
    pdf.line(at, top - 1.2, at, top + high + 1.2)
    pdf.set_font("helvetica", "", 8)
    pdf.set_xy(left, top + high + 1.4)
    hatched = "; hatched: nothing is said" if model.band is not None else ""
    pdf.cell(width, 3.5, f"0 %    mark: reported as a tumor from {100 * threshold:.1f} %{hatched}")
    pdf.set_xy(left, top + high + 1.4)
    pdf.cell(width, 3.5, "100 %", align="R")
    return top + high + 6.5


def draw_curve(
    pdf: Any, found: VolumeFinding, model: Model, place: tuple[float, float, float, float]
) -> float:
    """The probability slice by slice; the key slice and the suspicious run are marked.

    Args:
        pdf: the page.
        found: of the series.
        model: whose threshold is drawn.
        place: left, top, width and height of the plot, in mm.

    Returns:
        Where the next thing may begin, in mm.
    """
    left, top, width, high = place
    count = len(found.curve)
    step = width / max(count, 1)
    if found.extent is not None:
        first, last = found.extent
        pdf.set_fill_color(_PALE)
        pdf.rect(left + step * first, top, step * (last - first + 1), high, style="F")
    _bars(pdf, found, (left, top, step, high))
    pdf.set_draw_color(_INK)
    pdf.set_line_width(0.2)
    pdf.rect(left, top, width, high)
    at = top + high * (1 - model.point.threshold)
    pdf.set_line_width(0.35)
    pdf.set_dash_pattern(dash=1.6, gap=1.2)
    pdf.line(left, at, left + width, at)
    pdf.set_dash_pattern()
    if found.key_slice is not None:
        middle = left + step * (found.key_slice + 0.5)
        pdf.set_fill_color(_INK)
        pdf.polygon([(middle - 1.4, top - 2), (middle + 1.4, top - 2), (middle, top)], style="F")
    pdf.set_font("helvetica", "", 8)
    pdf.set_xy(left, top + high + 0.5)
    pdf.cell(
        width,
        4,
        f"Probability by slice, 1 to {count}, 0 to 100 %. Triangle: key slice; shaded: suspicious run; "
        "dashed: threshold; open squares: refused.",
    )
    return top + high + 4.5


def _bars(pdf: Any, found: VolumeFinding, place: tuple[float, float, float, float]) -> None:
    left, top, step, high = place
    pdf.set_fill_color(_MIDDLE)
    pdf.set_draw_color(_INK)
    pdf.set_line_width(0.15)
    for index, value in enumerate(np.asarray(found.curve, np.float64)):
        x = left + step * (index + 0.15)
        if math.isfinite(value):
            share = high * min(max(float(value), 0.0), 1.0)
            pdf.rect(x, top + high - share, 0.7 * step, share, style="F")
        else:
            side = min(0.7 * step, 1.2)
            pdf.rect(x, top + high - side - 0.3, side, side)


def _hatch(pdf: Any, place: tuple[float, float, float, float]) -> None:
    left, top, width, high = place
    pdf.set_line_width(0.15)
    with pdf.rect_clip(left, top, width, high):
        x = left - high
        while x < left + width:
            pdf.line(x, top + high, x + high, top)
            x += 1.2
    pdf.rect(left, top, width, high)
