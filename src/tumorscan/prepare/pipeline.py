"""The one path from a scan to what the network sees: frame, denoise, contrast, grey."""

from __future__ import annotations

import hashlib
import json

import cv2
import numpy as np

from tumorscan.config import PrepareSettings, from_table, to_table
from tumorscan.errors import UnreadableScan
from tumorscan.prepare.contrast import contrast
from tumorscan.prepare.denoise import denoise
from tumorscan.prepare.frame import frame
from tumorscan.prepare.grey import is_grey, to_grey
from tumorscan.types import Prepared, Scan, Step

ALGORITHM = 1
"""Goes up whenever the same scan and settings would give other pixels; old caches then no longer fit."""


def prepare(scan: Scan, settings: PrepareSettings, *, keep_steps: bool = False) -> Prepared:
    """Prepare a scan: a pure function of its pixels and the settings.

    Args:
        scan: uint8 RGB, H x W x 3; not changed.
        settings: of the three stages.
        keep_steps: also return the picture after each stage that is on: "framed", "denoised",
            "contrast", "grey".

    Returns:
        uint8 RGB, S x S x 3, the way back to the scan, and the steps if they were asked for.

    Raises:
        UnreadableScan: the pixels are not uint8 H x W x 3, or too long a strip to pad to a square.
        SettingsError: a method is unknown.
        MissingExtra: `denoise.method = "original"` without scikit-image.
    """
    pixels = scan.pixels
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        shape = " x ".join(map(str, pixels.shape))
        raise UnreadableScan(scan.name, f"its pixels are {pixels.dtype} {shape}: uint8 H x W x 3 is needed")
    picture, way_back = frame(scan, settings.frame)
    steps = [Step("framed", picture)]
    if settings.denoise.method != "off":
        picture = denoise(picture, settings.denoise)
        steps.append(Step("denoised", picture))
    if settings.contrast.method != "off":
        picture = contrast(picture, settings.contrast)
        steps.append(Step("contrast", picture))
    if settings.grey and not is_grey(picture):
        picture = to_grey(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False))
        steps.append(Step("grey", picture))
    return Prepared(picture, way_back, tuple(steps) if keep_steps else ())


def fingerprint(settings: PrepareSettings) -> str:
    """What the prepared pixels depend on besides the scan, in 16 hexadecimal digits.

    The SHA-256 of the settings as canonical JSON together with `ALGORITHM`; equal settings have equal
    fingerprints, whether a number was written 2 or 2.0.
    """
    table = to_table(from_table(PrepareSettings, to_table(settings)))
    text = json.dumps({"algorithm": ALGORITHM, "prepare": table}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
