"""Contrast-limited adaptive histogram equalisation (CLAHE, Zuiderveld 1994) on the lightness alone."""

from __future__ import annotations

import cv2
import numpy as np

from tumorscan.config import ContrastSettings
from tumorscan.errors import SettingsError
from tumorscan.prepare.grey import is_grey, to_grey
from tumorscan.types import Picture


def contrast(pixels: Picture, settings: ContrastSettings) -> Picture:
    """Raise the contrast of L in CIELAB; a and b, the colours, are not touched.

    The work is done on 8-bit Lab (`clahe_on_lab`), where a and b stay to the last bit. The way back to
    RGB rounds, and clips what no screen can show, so Lab computed anew from the result may differ by a
    few levels in saturated colours; in grey pictures it does not.

    Args:
        pixels: uint8 RGB, H x W x 3, 0..255.
        settings: method, clip limit and tiles a side.

    Returns:
        uint8 RGB, H x W x 3. Grey (three equal channels) stays exactly grey.

    Raises:
        SettingsError: there is no such method.
    """
    if settings.method == "off":
        return pixels.copy()
    if settings.method != "clahe":
        raise SettingsError(f"there is no contrast.method {settings.method!r}: choose off or clahe")
    lab = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2LAB).astype(np.uint8, copy=False)
    raised = cv2.cvtColor(clahe_on_lab(lab, settings), cv2.COLOR_LAB2RGB).astype(np.uint8, copy=False)
    # OpenCV's way back rounds the channels of a neutral colour apart, by one level at most.
    return to_grey(raised[..., 1]) if is_grey(pixels) else raised


def clahe_on_lab(lab: Picture, settings: ContrastSettings) -> Picture:
    """CLAHE on L of an 8-bit Lab picture.

    Args:
        lab: uint8, H x W x 3: L scaled to 0..255, a and b shifted by 128, as OpenCV stores them.
        settings: clip limit (multiple of a flat histogram's height) and tiles a side. A picture whose
            sides the tiles do not divide is mirrored outwards for the histograms.

    Returns:
        uint8, H x W x 3: L equalised, a and b the same bits. The input is not changed.
    """
    clahe = cv2.createCLAHE(settings.clip_limit, (settings.tiles, settings.tiles))
    raised = lab.copy()
    raised[..., 0] = clahe.apply(np.ascontiguousarray(lab[..., 0]))
    return raised
