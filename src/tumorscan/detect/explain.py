"""Where the network looked: the cells of an evidence head, or Grad-CAM in closed form.

Grad-CAM (Selvaraju et al. 2017) weighs the channels of the last feature map by the mean gradient of the
output. Behind global average pooling that gradient is the same in every cell and follows from the head's
weights alone: with logit = relu(e @ K + b) @ out + offset and e the mean of the map over its cells,
d logit / d map[y, x, c] = (K @ (out * [e @ K + b > 0]))[c] / (h w).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tumorscan.detect.peak import peak_of
from tumorscan.errors import BundleError
from tumorscan.model.bundle import HEAD, Bundle, floats
from tumorscan.types import Frame, Verdict

Floats = NDArray[np.float32]
# The region around the peak ends where the evidence falls to this share of it: the half-width of optics.
_REGION = 0.5


@dataclass(frozen=True)
class PooledHead:
    """The head behind the pooled vector: logit = relu(embedding @ kernel + bias) @ out + offset.

    Attributes:
        kernel: float32, C x D, the norm behind it folded in.
        bias: float32, D.
        out: float32, D.
        offset: float32, scalar.
    """

    kernel: Floats
    bias: Floats
    out: Floats
    offset: Floats

    def __post_init__(self) -> None:
        shapes = [np.shape(one) for one in (self.kernel, self.bias, self.out, self.offset)]
        if len(shapes[0]) != 2 or shapes[1:] != [shapes[0][1:], shapes[0][1:], ()]:
            raise BundleError(f"a head of the shapes {shapes} cannot be: export the bundle anew")

    def gradient(self, embedding: Floats) -> Floats:
        """The derivative of the logit by the embedding, at an embedding (float32, C); float32, C."""
        active = embedding @ self.kernel + self.bias > 0
        gradient: Floats = self.kernel @ np.where(active, self.out, np.float32(0))
        return gradient


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of the scan; left and top are those of its upper left corner."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Explanation:
    """What spoke for the verdict, and where.

    Attributes:
        evidence: float32, h x w, not negative. Behind a pooled head, Grad-CAM in units of the logit: how much
            each cell of the feature map pulled towards what was said; all zero where nothing did. Of an
            evidence head, how likely it takes each cell for tumor, 0..1, whatever was said.
        peak: x and y of the strongest place, in pixels of the scan; None without evidence. See `peak_of`.
        box: around the peak's neighbourhood with at least half of its evidence; None without evidence.
        full: evidence at the top of the colours; None: the strongest of this picture.
    """

    evidence: Floats
    peak: tuple[float, float] | None
    box: Box | None
    full: float | None = None


NOTHING = Explanation(np.zeros((1, 1), np.float32), None, None)
"""Of a picture that got no verdict."""


def read_head(bundle: Bundle) -> PooledHead:
    """The head of an exported bundle.

    Raises:
        BundleError: the bundle was never exported, or its head is damaged.
    """
    if HEAD not in bundle.manifest.files:
        raise BundleError(
            f"{bundle.folder}: holds no {HEAD} to explain answers with: `tumorscan export` writes it"
        )
    return bundle.part(
        HEAD,
        lambda arrays: PooledHead(**floats(arrays)),
        "not the head of a network",
        "export the bundle anew",
    )


def evidence_for(said: Verdict, feature_map: Floats, embedding: Floats, head: PooledHead) -> Floats:
    """Grad-CAM of what was said.

    A map for "no tumor" shows what pulled the logit down; it is not the map for "tumor" nor its negative,
    since both keep only what speaks for their side.

    Args:
        said: the verdict. `TUMOR` looks at what raises the logit, any other at what lowers it.
        feature_map: float32, h x w x C.
        embedding: float32, C: its mean.
        head: of the same network.

    Returns:
        float32, h x w, not negative, in units of the logit; the signed map sums to embedding @ gradient.
    """
    height, width, _ = feature_map.shape
    pull = feature_map @ head.gradient(embedding) / np.float32(height * width)
    evidence: Floats = np.maximum(pull if said is Verdict.TUMOR else -pull, np.float32(0))
    return evidence


def explain(
    said: Verdict, feature_map: Floats, embedding: Floats, head: PooledHead, frame: Frame
) -> Explanation:
    """Evidence for what was said, its peak and the peak's box, carried back to the scan.

    Args:
        said: the verdict.
        feature_map: float32, h x w x C.
        embedding: float32, C.
        head: of the same network.
        frame: of the prepared picture.
    """
    evidence = evidence_for(said, feature_map, embedding, head)
    if not evidence.max() > 0:
        return Explanation(np.zeros_like(evidence), None, None)
    return _explanation(evidence, peak_of(evidence), frame)


def explain_cells(cells: Floats, frame: Frame) -> Explanation:
    """The evidence of a head that has a logit for each cell.

    Args:
        cells: float32, h x w x 1, their logits.
        frame: of the prepared picture.
    """
    likely = np.exp(-np.logaddexp(np.float32(0), -cells[..., 0])).astype(np.float32)
    if not likely.max() > 0:
        return Explanation(likely, None, None, full=1.0)
    return replace(_explanation(likely, peak_of(cells[..., 0]), frame), full=1.0)


def _explanation(evidence: Floats, peak: tuple[float, float], frame: Frame) -> Explanation:
    down, across = peak
    row, column = divmod(int(evidence.argmax()), evidence.shape[1])
    return Explanation(evidence, _on_scan(frame, across, down), _box(evidence, row, column, frame))


def _box(evidence: Floats, row: int, column: int, frame: Frame) -> Box:
    import cv2

    strong = (evidence >= _REGION * evidence[row, column]).astype(np.uint8)
    _, regions, statistics, _ = cv2.connectedComponentsWithStats(strong, connectivity=8)
    left, top, width, height = (int(one) for one in statistics[regions[row, column], :4])
    cells_down, cells_across = evidence.shape
    x0, y0 = _on_scan(frame, left / cells_across, top / cells_down)
    x1, y1 = _on_scan(frame, (left + width) / cells_across, (top + height) / cells_down)
    return Box(x0, y0, x1 - x0, y1 - y0)


def _on_scan(frame: Frame, across: float, down: float) -> tuple[float, float]:
    """A point of the prepared picture (shares of its side) on the scan, drawn in from the padding."""
    x, y = frame.to_scan(across * frame.size, down * frame.size)
    return (
        min(max(x, frame.left), frame.left + frame.width),
        min(max(y, frame.top), frame.top + frame.height),
    )
