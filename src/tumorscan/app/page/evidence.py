"""What spoke for a verdict, as layers that the browser lays over the picture: off until asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.app.page import parts
from tumorscan.app.page.texts import html, say
from tumorscan.detect.explain import Explanation
from tumorscan.detect.overlay import layer
from tumorscan.types import Frame, Picture, Scan

OUTLINE_AT = 0.5
"""Share of the strongest colour at which the outline runs: the half-width of optics, as in `explain.Box`."""


@dataclass(frozen=True)
class Evidence:
    """Layers for one picture.

    Attributes:
        kind: of an evidence head's cells, of Grad-CAM, none in this picture, none to be had of the bundle.
        colours: a picture with an alpha channel, as a data address; empty without evidence.
        outline: an SVG path in pixels of the scan.
        width, height: of the scan, in pixels.
    """

    kind: Literal["cells", "pull", "nothing", "missing"]
    colours: str = ""
    outline: str = ""
    width: int = 1
    height: int = 1


MISSING = Evidence("missing")
NOTHING = Evidence("nothing")


def evidence_of(scan: Scan, explanation: Explanation, frame: Frame) -> Evidence:
    """The layers of an explanation."""
    if not float(explanation.evidence.max()) > 0:
        return NOTHING
    shape = scan.pixels.shape[:2]
    colours, share = layer(explanation.evidence, shape, frame, full=explanation.full)
    return Evidence(
        "pull" if explanation.full is None else "cells",
        parts.layer_uri(colours, share),
        outline(share),
        scan.width,
        scan.height,
    )


def outline(share: NDArray[np.float32]) -> str:
    """The border of what is at or above `OUTLINE_AT`, as the `d` of an SVG path; empty where nothing is."""
    inside = (share >= OUTLINE_AT).astype(np.uint8)
    # A rim of nothing, so that what touches the picture's border is closed there.
    padded: Picture = np.pad(inside, 1)
    contours, _ = cv2.findContours(padded, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_L1)
    return " ".join(
        "M" + "L".join(f"{x - 0.5:g} {y - 0.5:g}" for x, y in one[:, 0, :]) + "Z" for one in contours
    )


def layers(evidence: Evidence, language: str) -> str:
    """The layers over a picture, hidden; they stand in a box of the picture's shape."""
    if not evidence.colours:
        return ""
    return f"""<img class="ts-layer" data-layer="colour" hidden src="{evidence.colours}"
  alt="{html(language, "evidence_alt")}"><svg class="ts-layer" data-layer="outline" hidden
  viewBox="0 0 {evidence.width} {evidence.height}" role="img"
  aria-label="{html(language, "evidence_outline")}">
  <path class="ts-under" d="{evidence.outline}"/><path d="{evidence.outline}"/></svg>"""


def controls(evidence: Evidence, language: str, name: str = "ts-evidence") -> str:
    """Off, colours or outline, and how opaque; or why there is nothing to show.

    Args:
        evidence: of the picture.
        language: of the text.
        name: of the group of radio buttons, unique on the page.
    """
    if not evidence.colours:
        return f'<p class="ts-quiet ts-no-evidence">{html(language, f"evidence_{evidence.kind}")}</p>'
    modes = [(mode, say(language, f"evidence_{mode}"), "") for mode in ("off", "colour", "outline")]
    what = {"full": say(language, "evidence_full_one")} if evidence.kind == "cells" else {}
    opacity = (
        f'<label class="ts-range"><span>{html(language, "opacity")} <b>60 %</b>'
        f'</span><input type="range" min="10" max="100" value="60" data-opacity></label>'
        f'<p class="ts-quiet">{html(language, f"evidence_{evidence.kind}", **what)} '
        f"{html(language, 'evidence_warn')}</p>"
    )
    group = parts.radios(name, say(language, "evidence"), modes, "off", extra=opacity)
    return f'<div class="ts-controls">{group}</div>'
