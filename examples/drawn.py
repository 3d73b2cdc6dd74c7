"""Pictures that are no brain slices, which the gate must refuse: drawn, no one's work."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_WORDS = (
    "tumorscan",
    "reads",
    "pictures",
    "of",
    "the",
    "head",
    "taken",
    "by",
    "magnetic",
    "resonance;",
    "this",
)


def text_page() -> NDArray[np.uint8]:
    """A page of print, black on white: uint8, 420 x 320."""
    page = np.full((420, 320), 250, np.uint8)
    cv2.putText(page, "Not a brain slice", (24, 40), cv2.FONT_HERSHEY_DUPLEX, 0.8, 10, 1, cv2.LINE_AA)
    rng = np.random.default_rng(1)
    for row in range(70, 400, 17):
        line = " ".join(str(word) for word in rng.choice(_WORDS, 7))
        cv2.putText(page, line[:46], (24, row), cv2.FONT_HERSHEY_SIMPLEX, 0.35, 30, 1, cv2.LINE_AA)
    return page


def colour_landscape() -> NDArray[np.uint8]:
    """Sky, sun, hills and a meadow: uint8 RGB, 240 x 320 x 3."""
    sky = np.linspace((70, 130, 220), (200, 225, 250), 240)[:, None, :]
    picture = np.ascontiguousarray(np.broadcast_to(sky, (240, 320, 3))).astype(np.uint8)
    cv2.circle(picture, (250, 55), 26, (255, 225, 90), -1, cv2.LINE_AA)
    x = np.arange(321)
    for height, wave, colour in (
        (150, 47, (80, 120, 90)),
        (175, 31, (60, 150, 60)),
        (205, 83, (110, 180, 50)),
    ):
        hill = height + 18 * np.sin(x / wave) + 5 * np.sin(x / 9)
        outline = np.concatenate([np.stack([x, hill], 1), [[320, 240], [0, 240]]]).astype(np.int32)
        cv2.fillPoly(picture, [outline], colour, cv2.LINE_AA)
    noise = np.random.default_rng(2).normal(0, 3, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def blank() -> NDArray[np.uint8]:
    """Nothing: uint8, 256 x 256, all of one dark grey."""
    return np.full((256, 256), 12, np.uint8)


PICTURES = {"text_page": text_page, "colour_landscape": colour_landscape, "blank": blank}
"""Name of a picture and what draws it."""
