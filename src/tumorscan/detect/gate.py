"""Is this a slice of a head that the model knows? Asked before any verdict.

First the plain checks of `plain.py`; then a score on the network's embedding, brought to length one:

- how far its nearest neighbours among the training pictures are (Sun et al. 2022, "Out-of-distribution
  detection with deep nearest neighbors"), as a multiple of what is usual for a slice of a head;
- plus, where known negatives were at hand, a linear contrast that pulls away from them (ridge regression on
  -1 and +1, each kind of negative with the same weight).

Measured on kinds and sources that the fit had not seen, the distance alone refuses too many heads from a new
scanner and the contrast alone lets new kinds in; their sum does neither.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from tumorscan.detect.plain import plain_reasons
from tumorscan.errors import BundleError
from tumorscan.model.bundle import GATE, Bundle, floats
from tumorscan.types import Scan

Floats = NDArray[np.float32]

NEIGHBOURS = 5
"""The distance is that to the training picture so far down the list: one odd picture does not count."""


@dataclass(frozen=True)
class Gate:
    """What decides on an embedding of C numbers.

    Attributes:
        centre: float32, C: mean of the training's embeddings of length one.
        basis: float32, C x D: their principal axes, orthonormal.
        bank: float32, N x (D + 1): training pictures on the axes, and the length of what the axes leave.
        scale: float32, scalar: the usual distance of a slice of a head from the bank.
        contrast: float32, C: towards known negatives; all 0 where none were at hand.
        offset: float32, scalar: of the contrast.
        threshold: float32, scalar: a higher score is refused.
    """

    centre: Floats
    basis: Floats
    bank: Floats
    scale: Floats
    contrast: Floats
    offset: Floats
    threshold: Floats

    def __post_init__(self) -> None:
        channels, axes = self.basis.shape if self.basis.ndim == 2 else (-1, -1)
        shapes = {"centre": (channels,), "contrast": (channels,), "scale": (), "offset": (), "threshold": ()}
        fits = all(getattr(self, name).shape == shape for name, shape in shapes.items())
        if not fits or self.bank.shape[1:] != (axes + 1,) or len(self.bank) < NEIGHBOURS:
            raise BundleError(
                "the gate's arrays do not fit each other: fit it anew with `tumorscan gate --fit`"
            )
        if not all(np.isfinite(getattr(self, one.name)).all() for one in fields(self)) or self.scale <= 0:
            raise BundleError("the gate holds nan or infinity: fit it anew with `tumorscan gate --fit`")

    def reasons(self, scan: Scan, embedding: Floats) -> tuple[str, ...]:
        """Why a scan is refused; empty lets it in.

        Args:
            scan: as read.
            embedding: float32, C: of the engine, for this scan.

        Raises:
            BundleError: the embedding is of another network.
        """
        return plain_reasons(scan) or self.unfamiliar(embedding)

    def unfamiliar(self, embedding: Floats) -> tuple[str, ...]:
        """The reason that lies in an embedding (float32, C) alone, if there is one."""
        score, limit = float(self.scores(embedding[None])[0]), float(self.threshold)
        # Written so that a score of nan is refused.
        if score <= limit:
            return ()
        return (
            f"unfamiliar: unlike the heads of the training (score {score:.2f}, the limit is {limit:.2f})",
        )

    def scores(self, embeddings: Floats) -> NDArray[np.float64]:
        """Scores of any number of embeddings (float32, M x C); about 1 for a usual slice of a head.

        Raises:
            BundleError: the embeddings have another length than the gate's.
        """
        if embeddings.shape[1:] != self.centre.shape:
            raise BundleError(
                f"the gate is for embeddings of {len(self.centre)}, these have {embeddings.shape[1:]}: "
                "fit it anew with `tumorscan gate --fit`"
            )
        unit = unit_length(embeddings)
        distances = to_neighbours(on_axes(unit, self.centre, self.basis), self.bank)
        scores: NDArray[np.float64] = (
            distances / float(self.scale) + unit @ self.contrast + float(self.offset)
        )
        return scores


def unit_length(embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
    """Each row divided by its length; a row of zeros stays one. M x C."""
    rows = np.asarray(embeddings, np.float64)
    unit: NDArray[np.float64] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit


def on_axes(
    unit: NDArray[np.float64], centre: NDArray[np.floating], basis: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Rows (M x C) on the principal axes, and the length of what the axes leave: M x (D + 1)."""
    moved = unit - centre
    along = moved @ basis
    rest = np.maximum((moved**2).sum(1) - (along**2).sum(1), 0)
    return np.column_stack([along, np.sqrt(rest)])


def to_neighbours(rows: NDArray[np.float64], bank: NDArray[np.floating]) -> NDArray[np.float64]:
    """The distance of each row to its neighbour number `NEIGHBOURS` in the bank; M."""
    known = np.asarray(bank, np.float64)
    squares = (rows**2).sum(1)[:, None] + (known**2).sum(1) - 2 * rows @ known.T
    nearest = np.partition(squares, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1]
    return np.sqrt(np.maximum(nearest, 0))


def gate_bytes(gate: Gate) -> bytes:
    """The gate as a .npz of plain arrays; the bank in half precision, which is finer than the embedding."""
    stream = io.BytesIO()
    arrays = {one.name: getattr(gate, one.name) for one in fields(gate)}
    np.savez_compressed(stream, **{**arrays, "bank": gate.bank.astype(np.float16)})
    return stream.getvalue()


def read_gate(bundle: Bundle) -> Gate | None:
    """The gate of a bundle; None where it has none.

    Raises:
        BundleError: it is damaged.
    """
    if GATE not in bundle.manifest.files:
        return None
    return bundle.part(
        GATE,
        lambda arrays: Gate(**floats(arrays)),
        "not a gate",
        "`tumorscan gate --fit` writes it anew",
    )
