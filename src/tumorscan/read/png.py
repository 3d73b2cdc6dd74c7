"""A picture back to a file's bytes."""

from __future__ import annotations

import numpy as np

from tumorscan.types import Picture


def png_bytes(picture: Picture) -> bytes:
    """A picture (uint8 RGB, H x W x 3) as PNG."""
    import cv2

    return bytes(cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))[1])
