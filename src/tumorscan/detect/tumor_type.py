"""Which type a found tumor looks like: a hint for research, with "not sure", never a diagnosis.

A multinomial logistic regression on what the network already gives: the trunk's last map averaged over the
evidence, and where and how large the evidence is. A type is told where it is the only one that
class-conditional conformal prediction leaves possible (see `band.py`), at a probability of `sure` or more;
else "not sure". The floor is for pictures unlike those of the fit, where being alone possible means little.
It knows the types of its training and no other: any other tumor looks like one of them, or like none.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import BundleError
from tumorscan.model.bundle import TYPES, Bundle, floats
from tumorscan.types import Finding, Scores

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

NOT_SURE: Final = "not sure"
GEOMETRY: Final = 9
"""Numbers that tell where the evidence is and how large."""

_FARTHEST: Final = 5.0
_LEAST: Final = 1e-4
_AGAIN: Final = "fit it anew with `tumorscan tumor-type --fit`"


@dataclass(frozen=True)
class TypeModel:
    """Tells K types apart by D features of a picture.

    Attributes:
        names: K.
        centre, scale: float32, D: a feature is moved and divided by them, then cut at 5 either way.
        kernel: float32, D x K.
        bias: float32, K.
        sharpness: float32, scalar: the logits are multiplied by it: one over a temperature.
        lowest: float32, K: a type with a lower probability is not possible for a picture.
        series_sharpness: float32, scalar: of the mean log-probability over the pictures of a head.
        series_lowest: float32, K: as `lowest`, of a head.
        error: float32, scalar: how often at most a type is wrongly left out, in the mean over heads.
        sure: float32, scalar: a type is told at this probability or more.
    """

    names: tuple[str, ...]
    centre: Floats
    scale: Floats
    kernel: Floats
    bias: Floats
    sharpness: Floats
    lowest: Floats
    series_sharpness: Floats
    series_lowest: Floats
    error: Floats
    sure: Floats

    def __post_init__(self) -> None:
        width, kinds = self.kernel.shape if self.kernel.ndim == 2 else (-1, -1)
        shapes: dict[str, tuple[int, ...]] = {
            "centre": (width,),
            "scale": (width,),
            "bias": (kinds,),
            "lowest": (kinds,),
        }
        shapes |= {
            "series_lowest": (kinds,),
            "sharpness": (),
            "series_sharpness": (),
            "error": (),
            "sure": (),
        }
        fits = all(getattr(self, name).shape == shape for name, shape in shapes.items())
        if not fits or len(set(self.names)) != kinds or kinds < 2:
            raise BundleError(f"the arrays of the tumor types do not fit each other: {_AGAIN}")
        numbers = [getattr(self, name) for name in (*shapes, "kernel")]
        if not all(np.isfinite(one).all() for one in numbers) or not (self.scale > 0).all():
            raise BundleError(f"the tumor types hold nan, infinity or a scale of 0: {_AGAIN}")

    def logits(self, features: Floats) -> Doubles:
        """Uncalibrated, N x K, of features (float32, N x D).

        Raises:
            BundleError: the features are of another network.
        """
        if features.ndim != 2 or features.shape[1:] != self.centre.shape:
            raise BundleError(
                f"the tumor types take {len(self.centre)} features, these have {features.shape[1:]}: {_AGAIN}"
            )
        moved = np.clip((features - self.centre) / self.scale, -_FARTHEST, _FARTHEST)
        logits: Doubles = moved.astype(np.float64) @ self.kernel + self.bias
        return logits

    def probabilities(self, features: Floats) -> Doubles:
        """Calibrated, N x K, rows summing to 1."""
        return softmax(self.logits(features) * float(self.sharpness))

    def of_series(self, probabilities: Doubles) -> Doubles:
        """One answer (K) for several pictures of a head (M x K, M at least 1)."""
        logs = np.log(np.maximum(probabilities, _LEAST)).mean(0)
        return softmax(logs * float(self.series_sharpness))

    def told(self, probabilities: Doubles, *, series: bool = False) -> str:
        """The only type that is possible at these probabilities (K), if it is likely too, or `NOT_SURE`."""
        possible = np.flatnonzero(probabilities >= (self.series_lowest if series else self.lowest))
        if len(possible) != 1 or probabilities[possible[0]] < float(self.sure):
            return NOT_SURE
        return self.names[int(possible[0])]

    def hint(self, scores: Scores, index: int) -> tuple[dict[str, float], str]:
        """Probability of each type for one picture of a batch, and the type told.

        Nothing (no probabilities, an empty text) where the engine keeps not all that is needed.
        """
        found = features_of(scores, index)
        if found is None:
            return {}, ""
        p = self.probabilities(found[None])[0]
        return self._named(p), self.told(p)

    def series_hint(self, findings: Sequence[Finding]) -> tuple[dict[str, float], str]:
        """The same for a head, from its slices' findings; only those with a hint count."""
        rows = [[one.tumor_type[name] for name in self.names] for one in findings if one.tumor_type]
        if not rows:
            return {}, ""
        p = self.of_series(np.array(rows, np.float64))
        return self._named(p), self.told(p, series=True)

    def _named(self, p: Doubles) -> dict[str, float]:
        return {name: float(one) for name, one in zip(self.names, p, strict=True)}


def hint_text(finding: Finding) -> str:
    """The hint as people read it; empty where there is none."""
    if not finding.tumor_type:
        return ""
    likeliest = sorted(finding.tumor_type.items(), key=lambda one: -one[1])
    shares = ", ".join(f"{name} {share:.2f}" for name, share in likeliest)
    return f"type, a research hint only: {finding.tumor_type_told} ({shares})"


def softmax(logits: Doubles) -> Doubles:
    """Over the last axis, without overflow."""
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    shares: Doubles = raised / raised.sum(-1, keepdims=True)
    return shares


def features_of(scores: Scores, index: int) -> Floats | None:
    """What the types are told by, for one picture of a batch: float32, D; None where something is missing.

    The lesion's features and `GEOMETRY` numbers of the evidence.
    """
    if scores.lesion is None or scores.map is None:
        return None
    return np.concatenate([scores.lesion[index], geometry(scores.map[index][..., 0])]).astype(np.float32)


def geometry(cells: Floats) -> Floats:
    """Where the evidence lies and how far it reaches, from the logits of h x w cells.

    Returns:
        Its centre across and down (0 in the middle, half at the rim), the first's distance from the middle
        line, the squares of both, its variance across and down, the log of its area in cells, its peak.
    """
    likely = np.exp(-np.logaddexp(0.0, -cells.astype(np.float64)))
    area = likely.sum() + 1e-6
    down, across = (np.arange(side) / max(side - 1, 1) - 0.5 for side in cells.shape)
    over_x, over_y = likely.sum(0) / area, likely.sum(1) / area
    x, y = float(over_x @ across), float(over_y @ down)
    spread_x, spread_y = float(over_x @ (across - x) ** 2), float(over_y @ (down - y) ** 2)
    numbers = (x, y, abs(x), x * x, y * y, spread_x, spread_y, np.log(area), likely.max())
    return np.array(numbers, np.float32)


def types_bytes(model: TypeModel) -> bytes:
    """The model as a .npz of plain arrays."""
    stream = io.BytesIO()
    arrays: Mapping[str, NDArray[np.generic]] = {
        one.name: np.asarray(getattr(model, one.name)) for one in fields(model)
    }
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def read_types(bundle: Bundle) -> TypeModel | None:
    """The tumor types of a bundle; None where it tells none.

    Raises:
        BundleError: they are damaged.
    """
    if TYPES not in bundle.manifest.files:
        return None
    return bundle.part(TYPES, _type_model, "no tumor types", _AGAIN)


def _type_model(arrays: Mapping[str, NDArray[Any]]) -> TypeModel:
    numbers = floats({name: values for name, values in arrays.items() if name != "names"})
    return TypeModel(names=tuple(map(str, arrays["names"])), **numbers)
