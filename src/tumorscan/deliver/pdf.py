"""A report as one page of A4 that says the same in grey: shapes, words and lightness, never colour alone.

Drawn with the fonts that every PDF reader has, so that no font is looked for, read or embedded. They know the
letters of Latin-1; others, in file names say, become question marks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

import tumorscan
from tumorscan.deliver.pdf_plot import draw_curve, draw_icon, draw_scale
from tumorscan.deliver.sheet import Sheet
from tumorscan.deliver.told import RESEARCH_USE
from tumorscan.detect.decide import percent, wording
from tumorscan.errors import require
from tumorscan.types import Picture

_LEFT: Final = 15.0
_WIDTH: Final = 180.0
_BOTTOM: Final = 286.0
_SIZES: Final = (8.5, 8.0, 7.5, 7.0, 6.5, 6.0, 5.5)
_NAMES: Final = 34.0
_LONGEST: Final = 900
_SIDE: Final = 640


@dataclass
class Pen:
    """The page and how far down it is written, in mm."""

    pdf: Any
    y: float = 12.0

    def text(
        self, text: str, size: float, *, bold: bool = False, x: float = _LEFT, width: float = _WIDTH
    ) -> None:
        """Lines of text at the place; moves down."""
        self.pdf.set_font("helvetica", "B" if bold else "", size)
        self.pdf.set_xy(x, self.y)
        self.pdf.multi_cell(width, 0.45 * size, latin(text), align="L")
        self.y = self.pdf.get_y()


def latin(text: str) -> str:
    """Text in the letters of the fonts."""
    return text.encode("latin-1", "replace").decode("latin-1")


def report_pdf(sheet: Sheet) -> bytes:
    """The report as a PDF file.

    Args:
        sheet: what it says; the same sheet gives the same bytes.

    Raises:
        MissingExtra: the extra `app` is not installed.
    """
    pdf = require("fpdf", "app").FPDF(format="A4")
    pdf.set_creation_date(sheet.made)
    pdf.set_title("tumorscan report")
    pdf.set_lang("en")
    pdf.set_producer(f"tumorscan {tumorscan.__version__}")
    pdf.set_auto_page_break(False)
    pdf.set_margin(0)
    pdf.c_margin = 0
    pdf.add_page()
    pen = Pen(pdf)
    _head(pen, sheet)
    _verdict(pen, sheet)
    _pictures(pen, sheet)
    if sheet.found is not None:
        pen.y = draw_curve(pdf, sheet.found, sheet.model, (_LEFT, pen.y, _WIDTH, 30.0)) + 3
    _table(pen, sheet)
    return bytes(pdf.output())


def _head(pen: Pen, sheet: Sheet) -> None:
    pen.text("tumorscan report", 15, bold=True, width=90)
    pen.pdf.set_font("helvetica", "", 8)
    pen.pdf.set_xy(_LEFT + 90, 13)
    made = f"made {sheet.made:%Y-%m-%d %H:%M} {sheet.made.tzname() or ''}, tumorscan {tumorscan.__version__}"
    pen.pdf.cell(_WIDTH - 90, 5, latin(made), align="R")
    pen.pdf.set_line_width(0.5)
    pen.pdf.rect(_LEFT, pen.y + 1.5, _WIDTH, 7)
    pen.pdf.set_font("helvetica", "B", 10)
    pen.pdf.set_xy(_LEFT, pen.y + 1.5)
    pen.pdf.cell(_WIDTH, 7, RESEARCH_USE, align="C")
    pen.y += 11
    pen.text(_shortened(pen.pdf, f"Input: {sheet.finding.file}", _WIDTH, 9), 9)


def _shortened(pdf: Any, text: str, width: float, size: float) -> str:
    """Text on one line: what does not fit is taken out of the middle, where paths say least."""
    pdf.set_font("helvetica", "", size)
    text = latin("".join(sign if sign.isprintable() else "?" for sign in text))
    keep = len(text)
    short = text
    while pdf.get_string_width(short) > width and keep > 10:
        keep -= 2
        short = f"{text[: keep // 2]}...{text[-(keep // 2) :]}"
    return short


def _verdict(pen: Pen, sheet: Sheet) -> None:
    finding = sheet.finding
    pen.y += 2
    top = pen.y
    draw_icon(pen.pdf, finding.verdict, _LEFT, top, 13)
    pen.text(wording(finding.verdict), 19, bold=True, x=_LEFT + 17, width=_WIDTH - 17)
    if finding.probability is None:
        pen.y = top + 15
    else:
        share = f"Probability of a tumor {percent(finding.probability)}"
        pen.text(share, 11, x=_LEFT + 17, width=_WIDTH - 17)
        pen.y = draw_scale(pen.pdf, finding.probability, sheet.model, (_LEFT, top + 15.5, _WIDTH))
    pen.text(sheet.meaning(), 9)
    pen.y += 2


def _pictures(pen: Pen, sheet: Sheet) -> None:
    high = 72.0 if sheet.found is not None else 84.0
    wide = (_WIDTH - 4) / 2
    pairs = (
        (sheet.evidence.scan.pixels, sheet.shown),
        (_explained(sheet), sheet.explained),
    )
    for number, (picture, caption) in enumerate(pairs):
        x = _LEFT + number * (wide + 4)
        pen.pdf.set_fill_color(0)
        pen.pdf.rect(x, pen.y, wide, high, style="F")
        image = _image(_enlarged(picture))
        pen.pdf.image(image, x, pen.y, wide, high, keep_aspect_ratio=True, alt_text=latin(caption))
        pen.pdf.set_font("helvetica", "", 8)
        pen.pdf.set_xy(x, pen.y + high + 0.5)
        pen.pdf.cell(wide, 4, latin(caption))
    pen.y += high + 6


def _image(picture: Picture) -> Image.Image:
    """A picture to be embedded; a grey one takes a third of the room."""
    grey = (picture[..., 0] == picture[..., 1]).all() and (picture[..., 0] == picture[..., 2]).all()
    return Image.fromarray(picture[..., 0] if grey else picture)


def _explained(sheet: Sheet) -> Picture:
    """The overlay; with the outline in white on black where there is one, so that grey paper shows it."""
    evidence = sheet.evidence
    if sheet.finding.probability is None:
        return evidence.scan.pixels
    drawn = _enlarged(evidence.drawn())
    scale = drawn.shape[0] / evidence.scan.height
    if sheet.outlined:
        lines = [np.rint(16 * (one * scale - 0.5)).astype(np.int32) for one in evidence.outline()]
        for colour, width in ((0, 5), (255, 2)):
            cv2.polylines(drawn, lines, True, (colour,) * 3, width, cv2.LINE_AA, shift=4)
    return drawn


def _enlarged(picture: Picture) -> Picture:
    """About `_SIDE` pixels at the longer side: fine enough for paper, whatever the slice has."""
    scale = _SIDE / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.ascontiguousarray(cv2.resize(picture, size, interpolation=method), np.uint8)


def _table(pen: Pen, sheet: Sheet) -> None:
    """The rows, in the largest size in which all of them fit."""
    rows = [
        (name, text if len(text) <= _LONGEST else text[:_LONGEST] + " ...") for name, text in sheet.rows()
    ]
    size = next((one for one in _SIZES if pen.y + _height(pen.pdf, rows, one) < _BOTTOM), _SIZES[-1])
    for name, text in rows:
        pen.pdf.set_line_width(0.1)
        pen.pdf.line(_LEFT, pen.y, _LEFT + _WIDTH, pen.y)
        pen.y += 0.12 * size
        top = pen.y
        pen.text(name, size, bold=True, width=_NAMES - 2)
        below = pen.y
        pen.y = top
        pen.text(text, size, x=_LEFT + _NAMES, width=_WIDTH - _NAMES)
        pen.y = max(pen.y, below) + 0.1 * size


def _height(pdf: Any, rows: list[tuple[str, str]], size: float) -> float:
    return sum(
        0.22 * size + max(_lines(pdf, name, _NAMES - 2, size, "B"), _lines(pdf, text, _WIDTH - _NAMES, size))
        for name, text in rows
    )


def _lines(pdf: Any, text: str, width: float, size: float, style: str = "") -> float:
    """How high a text gets, in mm."""
    pdf.set_font("helvetica", style, size)
    return float(pdf.multi_cell(width, 0.45 * size, latin(text), dry_run=True, output="HEIGHT"))
