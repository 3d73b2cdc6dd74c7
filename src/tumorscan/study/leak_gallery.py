"""Leaking pairs side by side in one picture, so that a person can see what was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tumorscan.errors import UnreadableScan
from tumorscan.read import read_scan
from tumorscan.read.png import png_bytes
from tumorscan.study.leak_pairs import LeakPair
from tumorscan.types import Picture

SHOWN: Final = 48
"""So many pairs at most."""

_SIDE, _LINE, _GAP, _COLUMNS = 150, 15, 10, 3


def chosen(pairs: Sequence[LeakPair], count: int = SHOWN) -> list[LeakPair]:
    """What the gallery shows: near copies first, and of these the least alike, which most need a look."""
    order = {"near": 0, "patient": 1, "group": 2, "exact": 3}
    return sorted(pairs, key=lambda p: (order[p.kind], p.correlation or 0.0, p.test, p.train))[:count]


def gallery(pairs: Sequence[LeakPair]) -> bytes:
    """A PNG of pairs: the test picture on the left, the training picture on the right, and what links them.

    Args:
        pairs: at least one; all are shown.
    """
    width, height = 2 * _SIDE + _GAP, _SIDE + 3 * _LINE + _GAP
    rows = -(-len(pairs) // _COLUMNS)
    sheet = Image.new("RGB", (min(len(pairs), _COLUMNS) * (width + _GAP), rows * height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    for place, pair in enumerate(pairs):
        left, top = place % _COLUMNS * (width + _GAP), place // _COLUMNS * height
        for i, file in enumerate((pair.test, pair.train)):
            sheet.paste(_small(file), (left + i * _SIDE, top))
        number = "" if pair.correlation is None else f" {pair.correlation:.3f}"
        view = f", {pair.view}" if pair.view else ""
        lines = (f"{pair.kind}{number}{view}", f"test: {pair.test.name}", f"train: {pair.train.name}")
        for i, line in enumerate(lines):
            pen.text((left + 2, top + _SIDE + i * _LINE), _plain(line), "black", font)
    return png_bytes(np.asarray(sheet, np.uint8))


def _small(file: object) -> Image.Image:
    """The picture in a square; grey with a cross where it cannot be read any more."""
    square = Image.new("RGB", (_SIDE, _SIDE), "black")
    try:
        pixels: Picture = read_scan(str(file)).pixels
    except UnreadableScan:
        pen = ImageDraw.Draw(square)
        pen.rectangle((0, 0, _SIDE, _SIDE), "grey")
        pen.line((0, 0, _SIDE, _SIDE), "black")
        return square
    image = Image.fromarray(pixels)
    image.thumbnail((_SIDE, _SIDE))
    square.paste(image, ((_SIDE - image.width) // 2, (_SIDE - image.height) // 2))
    return square


def _plain(text: str, longest: int = 48) -> str:
    """What the built-in font can draw, shortened in the middle."""
    text = text.encode("ascii", "replace").decode("ascii")
    return text if len(text) <= longest else f"{text[: longest // 2 - 2]}...{text[-(longest // 2 - 1) :]}"
