"""Evidence drawn over the scan, in colours that colour-blind people can read."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import SettingsError
from tumorscan.types import Frame, Picture

COLOURS: Final = ("viridis", "cividis")
"""Both rise evenly in lightness, so they also read in grey and with any colour vision (Nunez et al. 2018)."""


def overlay(
    scan: Picture,
    evidence: NDArray[np.float32],
    frame: Frame,
    *,
    opacity: float = 0.6,
    colours: str = "viridis",
    full: float | None = None,
) -> Picture:
    """The scan with the evidence over it: the stronger, the more of the colour and the lighter it is.

    Where there is no evidence, and outside of what the network saw, the scan is as it was.

    Args:
        scan: uint8 RGB, H x W x 3.
        evidence: float32, h x w, not negative.
        frame: of the prepared picture.
        opacity: of the strongest evidence, 0..1.
        colours: one of `COLOURS`.
        full: evidence at the top of the colours; None: the picture's own strongest.

    Returns:
        uint8 RGB, H x W x 3.

    Raises:
        SettingsError: an opacity outside of 0..1, or unknown colours.
    """
    if not 0 <= opacity <= 1:
        raise SettingsError(f"an opacity of {opacity:g}: it must lie in [0, 1]")
    coloured, share = layer(evidence, scan.shape[:2], frame, colours=colours, full=full)
    weight = (np.float32(opacity) * share)[..., None]
    blended = scan * (1 - weight) + coloured * weight
    drawn: Picture = np.rint(blended).astype(np.uint8)
    return drawn


def layer(
    evidence: NDArray[np.float32],
    shape: tuple[int, ...],
    frame: Frame,
    *,
    colours: str = "viridis",
    full: float | None = None,
) -> tuple[Picture, NDArray[np.float32]]:
    """The evidence alone, for those who lay it over the scan themselves.

    Args:
        evidence: float32, h x w, not negative.
        shape: of the scan, H x W.
        frame: of the prepared picture.
        colours: one of `COLOURS`.
        full: evidence at the top of the colours; None: the picture's own strongest.

    Returns:
        The colours (uint8 RGB, H x W x 3), and how strong the evidence is there (float32, H x W, 0..1).

    Raises:
        SettingsError: unknown colours.
    """
    import cv2

    if colours not in COLOURS:
        raise SettingsError(f"there are no colours {colours!r}: choose one of {', '.join(COLOURS)}")
    top = float(evidence.max()) if full is None else full
    if top > 0:
        share = _laid_on_scan(np.minimum(evidence / np.float32(top), np.float32(1)), shape, frame)
    else:
        share = np.zeros(shape, np.float32)
    kinds = {"viridis": cv2.COLORMAP_VIRIDIS, "cividis": cv2.COLORMAP_CIVIDIS}
    levels = np.rint(share * 255).astype(np.uint8)
    coloured: Picture = np.asarray(cv2.applyColorMap(levels, kinds[colours])[..., ::-1], np.uint8)
    return coloured, share


def _laid_on_scan(share: NDArray[np.float32], shape: tuple[int, ...], frame: Frame) -> NDArray[np.float32]:
    """Evidence at each pixel of the scan, linear between the cells' centres; 0 outside the frame."""
    import cv2

    rows, columns = share.shape
    # From the centre of a pixel of the scan to the place among the centres of the cells.
    across, down = columns / frame.padded_width, rows / frame.padded_height
    to_cells = np.array(
        [
            [across, 0, across * (0.5 + frame.pad_left - frame.left) - 0.5],
            [0, down, down * (0.5 + frame.pad_top - frame.top) - 0.5],
        ]
    )
    laid = cv2.warpAffine(
        share,
        to_cells,
        (shape[1], shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    seen = np.zeros(shape, np.float32)
    inside = np.s_[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]
    seen[inside] = laid[inside]
    return seen
