"""Small pieces of HTML that several parts of the page share."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscan.app.page.texts import below, html, number, percent, say
from tumorscan.detect.decide import verdict
from tumorscan.types import Interval, OperatingPoint, Picture, UncertainBand, Verdict

PREVIEW_SIDE: Final = 768
"""Longest side, in pixels, of a picture as the page shows it; answers are made from all its pixels."""

INFO: Final = '<circle cx="12" cy="12" r="9"/><path d="M12 11v5.5M12 7.5v.3"/>'
ALARM: Final = '<circle cx="12" cy="12" r="9"/><path d="M12 7.5v5.5M12 16.2v.3"/>'
SEND: Final = (
    '<path d="M12 16V4m0 0L7.5 8.5M12 4l4.5 4.5M4 15v4a1.5 1.5 0 0 0 1.5 1.5h13A1.5 1.5 0 0 0 20 19v-4"/>'
)
_VERDICTS: Final = {
    Verdict.TUMOR: '<path d="M12 3 2.5 20h19z"/><path d="M12 10v4.5M12 17.2v.3"/>',
    # A dash, not a tick: it says that none was found, not that all is well.
    Verdict.NO_TUMOR: '<circle cx="12" cy="12" r="9"/><path d="M8 12h8"/>',
    Verdict.CANNOT_SAY: (
        '<circle cx="12" cy="12" r="9"/>'
        '<path d="M9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M12 16.8v.2"/>'
    ),
    Verdict.NOT_BRAIN_MRI: '<circle cx="12" cy="12" r="9"/><path d="M6 6l12 12"/>',
}
_TONES: Final = {Verdict.TUMOR: "tumor", Verdict.NO_TUMOR: "none"}


def icon(paths: str) -> str:
    """A drawing beside words; screen readers are told nothing of it."""
    return f'<svg class="ts-icon" viewBox="0 0 24 24" aria-hidden="true">{paths}</svg>'


def verdict_icon(said: Verdict) -> str:
    """Each verdict has a shape of its own, so that colour need not tell them apart."""
    return icon(_VERDICTS[said])


def tone(said: Verdict) -> str:
    """The class that colours a verdict."""
    return _TONES.get(said, "other")


def wording(language: str, said: Verdict) -> str:
    """A verdict as people read it."""
    return say(language, f"verdict_{said.name}")


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Rows of a name (text) and a value (HTML) as a definition list."""
    return (
        '<dl class="ts-table">'
        + "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in rows)
        + "</dl>"
    )


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "") -> str:
    """A table with a row of headings.

    Args:
        head: texts.
        rows: HTML of each cell; the first cell is the row's heading.
        caption: text.
    """
    tops = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="ts-scroll" tabindex="0" role="region" aria-label="{escape(caption or head[0])}">'
        f'<table class="ts-grid">{title}<thead><tr>{tops}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def data_uri(pixels: Picture, side: int = PREVIEW_SIDE) -> str:
    """A picture as a PNG in a data address, made smaller where its longest side exceeds `side`.

    Args:
        pixels: uint8 RGB, H x W x 3.
        side: in pixels.
    """
    grey = np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 0], pixels[..., 2])
    image = Image.fromarray(pixels[..., 0] if grey else pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return _png(image)


def layer_uri(colours: Picture, share: NDArray[np.float32], side: int = PREVIEW_SIDE) -> str:
    """Colours that are the more opaque the larger the share (float32, H x W, 0..1), as a data address."""
    alpha = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(np.dstack([colours, alpha]), "RGBA")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return _png(image)


def file_uri(data: bytes, kind: str) -> str:
    """A file in a data address: it is written nowhere and has no address that another could open.

    Args:
        data: the whole file.
        kind: its media type.
    """
    return f"data:{kind};base64," + base64.b64encode(data).decode("ascii")


def download(name: str, uri: str, text: str) -> str:
    """A link that saves what its address holds.

    Args:
        name: of the file.
        uri: a data address.
        text: what people read.
    """
    return f'<a class="ts-button" download="{escape(name)}" href="{uri}">{escape(text)}</a>'


def _png(image: Image.Image) -> str:
    stream = BytesIO()
    image.save(stream, "PNG")
    return file_uri(stream.getvalue(), "image/png")


def rate(language: str, interval: Interval) -> str:
    """A share with its interval, in per cent, as HTML."""
    if not math.isfinite(interval.value):
        return html(language, "not_measured")
    return html(
        language,
        "rate",
        value=percent(language, interval.value),
        level=percent(language, interval.level, 0),
        low=number(language, 100 * interval.low),
        high=percent(language, interval.high),
        method="\0",
    ).replace("\0", below(language, interval.method))


def rate_short(language: str, interval: Interval, *, digits: int = 1) -> str:
    """A share with its interval, without method, as text."""
    if not math.isfinite(interval.value):
        return say(language, "not_measured")
    return say(
        language,
        "rate_short",
        value=percent(language, interval.value, digits),
        low=number(language, 100 * interval.low, digits),
        high=percent(language, interval.high, digits),
    )


def point_name(language: str, point: OperatingPoint) -> str:
    """The name of an operating point; one of the bundle's own stays as it is."""
    known = {"screening", "balanced", "specific"}
    return say(language, f"point_{point.name}") if point.name in known else point.name


def cost(language: str, point: OperatingPoint) -> str:
    """What choosing a point costs, in one line."""
    sens, spec = point.sensitivity.value, point.specificity.value
    if not (math.isfinite(sens) and math.isfinite(spec)):
        return say(language, "cost_unmeasured")
    return say(language, "cost", sens=percent(language, sens, 0), alarm=percent(language, 1 - spec, 0))


def aim(language: str, point: OperatingPoint) -> str:
    """What the fit of a point aimed at."""
    if point.wanted_sensitivity is not None:
        return say(language, "aim_sens", value=percent(language, point.wanted_sensitivity))
    if point.wanted_specificity is not None:
        return say(language, "aim_spec", value=percent(language, point.wanted_specificity))
    return say(language, "aim_sum")


def unsaid(point: OperatingPoint, band: UncertainBand) -> tuple[float, float]:
    """The probabilities between which nothing is said at a point; the same rule as `decide.verdict`."""
    return min(band.low, point.threshold), max(band.high, point.threshold)


def said_at(probability: float | None, point: OperatingPoint, band: UncertainBand | None) -> Verdict:
    """The verdict at a point; without a probability the gate has refused the picture."""
    return Verdict.NOT_BRAIN_MRI if probability is None else verdict(probability, point, band)


def point_rows(
    language: str, point: OperatingPoint, band: UncertainBand | None = None
) -> list[tuple[str, str]]:
    """The operating point and the band as rows of a table."""
    name = point_name(language, point)
    rows = [
        (say(language, "point"), html(language, "set_for", name=name, aim=aim(language, point))),
        (
            say(language, "threshold").capitalize(),
            html(language, "reported_from", t=percent(language, point.threshold)),
        ),
        (say(language, "sensitivity"), rate(language, point.sensitivity)),
        (say(language, "specificity"), rate(language, point.specificity)),
        (say(language, "measured_on"), below(language, point.fitted_on)),
    ]
    if point.statement:
        rows.append((say(language, "promise"), _promise(language, point)))
    if band:
        low, high = unsaid(point, band)
        text = html(language, "band_row", low=percent(language, low), high=percent(language, high))
        rows.append(
            (
                wording(language, Verdict.CANNOT_SAY).partition(" - ")[0],
                f"{text} {_band_promise(language, band)}",
            )
        )
    return rows


def _promise(language: str, point: OperatingPoint) -> str:
    """What a point promises, as HTML; the bundle says it in English, so German is said from its figures."""
    if language == "en":
        return escape(point.statement)
    if point.level is None:
        return html(language, "promise_none")
    key = "promise_kept" if point.guaranteed else "promise_open"
    return html(language, key, aim=aim(language, point), level=percent(language, point.level, 0))


def _band_promise(language: str, band: UncertainBand) -> str:
    """As `_promise`, of the band."""
    if language == "en":
        return escape(band.statement)
    tumor, none = percent(language, band.tumor_error), percent(language, band.none_error)
    return html(language, "promise_band", tumor=tumor, none=none)


def radios(
    name: str,
    legend: str,
    choices: Sequence[tuple[str, str, str]],
    chosen: str,
    *,
    extra: str = "",
    option: str = "",
) -> str:
    """A group of radio buttons.

    Args:
        name: of the group, unique on the page.
        legend: text.
        choices: value, text, and a quieter line (may be empty) of each.
        chosen: the value that is chosen first.
        extra: HTML behind the last.
        option: under which name a drop zone sends the chosen value along; empty: it does not.
    """
    sent = f' data-option="{escape(option)}"' if option else ""
    lines = "".join(
        f'<label class="ts-choice"><input type="radio" name="{escape(name)}" value="{escape(value)}"{sent}'
        f"{' checked' if value == chosen else ''}><span><b>{escape(text)}</b>"
        f"{f'<small>{escape(quiet)}</small>' if quiet else ''}</span></label>"
        for value, text, quiet in choices
    )
    return f'<fieldset class="ts-radios"><legend>{escape(legend)}</legend>{lines}{extra}</fieldset>'
