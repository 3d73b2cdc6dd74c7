"""The steps of a preparation side by side, with their names, as one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tumorscan.types import Picture, Step

_CAPTION = 24


def strip(steps: Sequence[Step]) -> Picture:
    """uint8 RGB, (S + caption) x (S * steps) x 3."""
    side = max(step.pixels.shape[0] for step in steps)
    canvas = Image.new("RGB", (side * len(steps), side + _CAPTION), "black")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(14)
    for i, step in enumerate(steps):
        canvas.paste(Image.fromarray(step.pixels), (i * side, _CAPTION))
        draw.text((i * side + 6, 4), step.name, fill="white", font=font)
    return np.asarray(canvas)
