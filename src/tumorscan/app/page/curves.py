"""The curves that a bundle holds of its own test split, drawn as SVG: reliability, and risk over coverage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from tumorscan.app.page import parts
from tumorscan.app.page.texts import html, number, percent, say
from tumorscan.jsonable import interval_from
from tumorscan.model.bundle import Manifest
from tumorscan.types import Interval

_SIDE: Final = 300
_LEFT: Final = 52
_TOP: Final = 10

Bin = tuple[float, Interval, int]
"""Mean of the probabilities that were given, share of tumors, pictures."""


def curves_html(manifest: Manifest, language: str = "en") -> str:
    """Both curves with what they mean; nothing of a bundle that holds none."""
    curves = manifest.metrics.get("curves")
    if not isinstance(curves, Mapping):
        return ""
    bins = _bins(curves.get("reliability", ()))
    risk = _numbers(curves.get("risk_coverage", ()))
    figures = [
        _figure(language, "reliability", _reliability(bins), 1.0),
        _figure(language, "risk", *_risk(risk)),
    ]
    return (
        f"<h2>{html(language, 'curves')}</h2><div class='ts-curves'>{''.join(figures)}</div>"
        f"{_table(bins, language)}"
    )


def _bins(rows: Sequence[Any]) -> list[Bin]:
    return [(float(one["probability"]), interval_from(one["share"]), int(one["count"])) for one in rows]


def _numbers(rows: Sequence[Any]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in rows if x is not None and y is not None]


def _figure(language: str, name: str, drawn: str, top: float) -> str:
    """Axes from 0 to 1 across and 0 to `top` up, with what is drawn in them."""
    ticks = "".join(
        f'<path class="ts-tick" d="M{_x(share):g} {_TOP}v{_SIDE}M{_LEFT} {_y(share, 1):g}h{_SIDE}"/>'
        + _text(_x(share), _TOP + _SIDE + 18, "middle", percent(language, share, 0))
        + _text(_LEFT - 6, _y(share, 1) + 4, "end", percent(language, share * top, 0 if top > 0.2 else 1))
        for share in (0.0, 0.5, 1.0)
    )
    label, why = html(language, f"curve_{name}_alt"), html(language, f"curve_{name}_why")
    size = f"0 0 {_LEFT + _SIDE + 24} {_TOP + _SIDE + 26}"
    return (
        f'<figure><svg viewBox="{size}" role="img" aria-label="{label}">{ticks}{drawn}</svg>'
        f'<figcaption class="ts-quiet">{why}</figcaption></figure>'
    )


def _text(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text text-anchor="{anchor}" x="{x:g}" y="{y:g}">{escape(text)}</text>'


def _reliability(bins: Sequence[Bin]) -> str:
    drawn = [f'<path class="ts-ideal" d="M{_x(0):g} {_y(0, 1):g}L{_x(1):g} {_y(1, 1):g}"/>']
    for given, share, _ in bins:
        x = _x(given)
        drawn.append(f'<path class="ts-bars" d="M{x:.1f} {_y(share.low, 1):.1f}V{_y(share.high, 1):.1f}"/>')
        drawn.append(f'<circle cx="{x:.1f}" cy="{_y(share.value, 1):.1f}" r="5"/>')
    return "".join(drawn)


def _risk(points: Sequence[tuple[float, float]]) -> tuple[str, float]:
    """The curve, and the risk at the top of its axis: the next of some round ones."""
    most = max((risk for _, risk in points), default=0.0)
    top = next((one for one in (0.05, 0.1, 0.2, 0.5) if most <= one), 1.0)
    path = "L".join(f"{_x(coverage):.1f} {_y(risk, top):.1f}" for coverage, risk in points)
    return (f'<path class="ts-line" d="M{path}"/>' if path else ""), top


def _table(bins: Sequence[Bin], language: str) -> str:
    head = [say(language, f"curve_{name}") for name in ("given", "found", "count")]
    rows = [
        (
            percent(language, given),
            escape(parts.rate_short(language, share)) if math.isfinite(share.value) else "-",
            number(language, count, 0),
        )
        for given, share, count in bins
    ]
    return (
        f'<details class="ts-more"><summary>{html(language, "curve_figures")}</summary>'
        f"{parts.grid(head, rows)}</details>"
    )


def _x(share: float) -> float:
    return _LEFT + _SIDE * share


def _y(share: float, top: float) -> float:
    return _TOP + _SIDE * (1 - share / top)
