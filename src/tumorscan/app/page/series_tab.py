"""The tab *Series*: slices under a slider, the curve over them, the verdict, and what can be downloaded."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any, Final

from tumorscan.app.page import parts
from tumorscan.app.page.answer import refusal_html, refused_section, verdict_section
from tumorscan.app.page.evidence import controls, layers
from tumorscan.app.page.picture import points_html
from tumorscan.app.page.series import Seen, look_through
from tumorscan.app.page.texts import below, chance, html, number, percent, say
from tumorscan.app.page.widgets import (
    PRIVATE,
    Told,
    heard,
    heard_often,
    size_text,
    zone_and_answer,
    zone_html,
)
from tumorscan.errors import UnreadableScan
from tumorscan.types import Verdict

if TYPE_CHECKING:
    from tumorscan.app.desk import Desk
    from tumorscan.app.page.words import Words

_MOST_FILES: Final = 5000
_WIDE, _HIGH, _LEFT, _TOP = 640, 176, 62, 14
_PLOT_WIDE, _PLOT_HIGH = _WIDE - _LEFT - 8, _HIGH - _TOP - 30


def lay_out_series(desk: Desk, words: Words) -> Told:
    """The tab's contents, inside the Blocks that is being made; what tells of the model."""

    def left(language: str) -> str:
        return _left(desk, language)

    zone, answer, clear = zone_and_answer(words, "series", left, "series.js")
    answer.clear(None, outputs=answer, js=clear, api_visibility="private")
    zone.upload(
        heard_often(lambda sent, language: series_pages(desk, sent, language)),
        outputs=answer,
        show_progress="hidden",
        concurrency_limit=2,
        concurrency_id="series",
        **PRIVATE,
    )
    zone.delete(heard(lambda sent, _: desk.discard(sent)), queue=False, show_progress="hidden", **PRIVATE)
    return zone, left


def series_pages(desk: Desk, sent: Any, language: str = "en") -> Iterator[str]:
    """HTML of the progress, and at last of the series or of why there is none."""
    yield _progress_html(None, language)
    for told in look_through(desk, sent):
        if isinstance(told, tuple):
            yield _progress_html(told, language)
        elif isinstance(told, UnreadableScan):
            yield refusal_html(told, language)
        else:
            yield series_html(told, language)


def _progress_html(told: tuple[int, int] | None, language: str) -> str:
    title = html(language, "series_running" if told else "series_sent")
    value = f'max="{told[1]}" value="{told[0]}" ' if told else ""
    line = html(language, "series_slices", done=told[0], total=told[1]) if told else ""
    return f"""
<article class="ts-answer ts-progress" lang="{language}"><h2>{title}</h2>
<progress {value}aria-label="{title}"></progress><p>{line}</p></article>"""


def series_html(seen: Seen, language: str = "en") -> str:
    """The block of one series; all its slices are in it, so that no slider waits for the server."""
    return f"""
<article class="ts-answer" lang="{language}"
  data-probability="{"" if seen.found.finding.probability is None else repr(seen.found.finding.probability)}">
<div class="ts-top ts-series">{_viewer(seen, language)}
<div class="ts-said">{_gate(seen, language)}{_verdicts(seen, language)}{_key(seen, language)}
{_downloads(seen, language)}</div></div>
<section class="ts-curve"><h3>{html(language, "series_curve")}</h3>{curve_svg(seen, language)}
<p class="ts-quiet">{html(language, "series_curve_why")}</p></section>
{_about(seen, language)}</article>"""


def _viewer(seen: Seen, language: str) -> str:
    volume, rendered = seen.volume, seen.rendered
    last = len(volume) - 1
    first = seen.found.key_slice if seen.found.key_slice is not None else last // 2
    name = escape(volume.name)
    span = rendered.high - rendered.low
    # Both sliders are drawn over the greys that the browser has.
    level = f'min="{rendered.low:g}" max="{rendered.high:g}" step="any" value="{volume.centre:g}"'
    width = f'min="{span / 200:g}" max="{2 * span:g}" step="any" value="{volume.width:g}"'
    ratio = f"--ratio:{rendered.ratio:.5f}"
    return f"""
<figure class="ts-scan ts-viewer" data-series="{escape(json.dumps(_for_script(seen, first, language)))}">
  <div class="ts-stack" style="{ratio}"><canvas role="img"
  aria-label="{html(language, "series_view_alt", name=volume.name)}"></canvas>
  {layers(seen.evidence, language)}</div>
  <label class="ts-range"><span>{html(language, "series_slice")} <b data-where></b></span>
  <input type="range" data-slice min="0" max="{last}" value="{first}"></label>
  <div class="ts-window">
  <label class="ts-range"><span>{html(language, "series_level")} <b data-level-is></b></span>
  <input type="range" data-level {level}></label>
  <label class="ts-range"><span>{html(language, "series_width")} <b data-width-is></b></span>
  <input type="range" data-width {width}></label>
  <button type="button" class="ts-button" data-reset>{html(language, "series_reset")}</button></div>
  <figcaption><strong>{name}</strong><button type="button" class="ts-button" data-remove>
  {html(language, "series_remove")}</button></figcaption>
  {_evidence_controls(seen, language)}</figure>"""


def _for_script(seen: Seen, first: int, language: str) -> dict[str, Any]:
    volume, rendered = seen.volume, seen.rendered
    total = len(volume)
    return {
        "slices": rendered.slices,
        "low": rendered.low,
        "top": rendered.high,
        "centre": volume.centre,
        "width": volume.width,
        "inverted": volume.inverted,
        "key": seen.found.key_slice,
        "first": first,
        "where": [_where(seen, place, total, language) for place in range(total)],
        "plot": [_LEFT, _PLOT_WIDE, _WIDE],
    }


def _where(seen: Seen, place: int, total: int, language: str) -> str:
    text = say(language, "series_of", slice=place + 1, total=total)
    position = seen.volume.slices[place].position
    if math.isfinite(position):
        text += f", {number(language, position)} mm"
    finding = seen.found.slices[place].finding
    said = (
        say(language, "series_refused_slice")
        if finding.probability is None
        else chance(language, finding.probability)
    )
    return f"{text}: {said}"


def _evidence_controls(seen: Seen, language: str) -> str:
    if seen.found.key_slice is None:
        return ""
    note = f'<p class="ts-quiet">{html(language, "series_key_evidence")}</p>' if seen.evidence.colours else ""
    return controls(seen.evidence, language, "ts-series-evidence") + note


def _gate(seen: Seen, language: str) -> str:
    refused = sum(one.finding.verdict is Verdict.NOT_BRAIN_MRI for one in seen.found.slices)
    line = html(language, "series_gate", refused=refused, total=len(seen.found.slices))
    return f'<p class="ts-gate">{parts.icon(parts.INFO)}<span>{line}</span></p>'


def _verdicts(seen: Seen, language: str) -> str:
    finding = seen.found.finding
    if finding.probability is None:
        return refused_section(finding, language)
    return "".join(
        verdict_section(
            finding,
            point,
            seen.band,
            language,
            text=say(language, "series_meaning"),
            hidden=place > 0,
            series=True,
        )
        for place, point in enumerate(seen.points)
    )


def _key(seen: Seen, language: str) -> str:
    key, extent = seen.found.key_slice, seen.found.extent
    if key is None:
        return ""
    run = (
        f"<p>{html(language, 'series_extent', first=extent[0] + 1, last=extent[1] + 1)}</p>" if extent else ""
    )
    text = html(language, "series_key_go", slice=key + 1)
    return f'{run}<div><button type="button" class="ts-button" data-key>{text}</button></div>'


def _downloads(seen: Seen, language: str) -> str:
    links = "".join(
        parts.download(one.name, parts.file_uri(one.data, one.media), say(language, f"series_get_{one.kind}"))
        for one in seen.handout.files
    )
    why = "".join(f'<p class="ts-quiet">{below(language, one)}</p>' for one in seen.handout.missing)
    return (
        f'<section class="ts-get"><h3>{html(language, "series_downloads")}</h3>'
        f'<p class="ts-downloads">{links}</p>{why}</section>'
    )


def curve_svg(seen: Seen, language: str = "en") -> str:
    """The curve over the slices, on which a click chooses one."""
    curve, count = seen.found.curve, len(seen.volume)
    drawn = []
    if seen.found.extent:
        left, right = (_x(one, count) for one in seen.found.extent)
        half = _PLOT_WIDE / count / 2
        drawn.append(
            f'<rect class="ts-run" x="{left - half:.1f}" y="{_TOP}" width="{right - left + 2 * half:.1f}" '
            f'height="{_PLOT_HIGH}"/>'
        )
    drawn += [
        f'<path class="ts-tick" d="M{_LEFT} {_y(share):.1f}h{_PLOT_WIDE}"/><text x="{_LEFT - 6}" '
        f'y="{_y(share) + 4:.1f}" text-anchor="end">{percent(language, share, 0)}</text>'
        for share in (0.0, 0.5, 1.0)
    ]
    drawn += [
        f'<path class="ts-threshold" data-point="{escape(point.name)}"{" hidden" if place else ""} '
        f'd="M{_LEFT} {_y(point.threshold):.1f}h{_PLOT_WIDE}"/>'
        for place, point in enumerate(seen.points)
    ]
    drawn.append(f'<path class="ts-line" d="{_line(curve, count)}"/>')
    refused = "".join(
        f"M{_x(place, count):.1f} {_HIGH - 24}v5" for place, one in enumerate(curve) if not math.isfinite(one)
    )
    drawn.append(f'<path class="ts-refused" d="{refused}"/>')
    if (key := seen.found.key_slice) is not None and math.isfinite(curve[key]):
        x, anchor = _x(key, count), "end" if key > count / 2 else "start"
        shift = -9 if anchor == "end" else 9
        drawn.append(
            f'<circle class="ts-dot" cx="{x:.1f}" cy="{_y(float(curve[key])):.1f}" r="5"/>'
            f'<text x="{x + shift:.1f}" y="{_HIGH - 4}" text-anchor="{anchor}">'
            f"{html(language, 'series_key', slice=key + 1)}</text>"
        )
    label = html(language, "series_curve_alt")
    return (
        f'<svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="{label}" data-curve>'
        f'{"".join(drawn)}<path class="ts-cursor" data-cursor d="M0 {_TOP}v{_PLOT_HIGH}"/></svg>'
    )


def _x(place: float, count: int) -> float:
    return _LEFT + _PLOT_WIDE * (place + 0.5) / count


def _y(share: float) -> float:
    return _TOP + _PLOT_HIGH * (1 - share)


def _line(curve: Iterable[float], count: int) -> str:
    """The curve, broken where the gate refused a slice."""
    path, drawing = [], False
    for place, one in enumerate(curve):
        if math.isfinite(one):
            path.append(f"{'L' if drawing else 'M'}{_x(place, count):.1f} {_y(float(one)):.1f}")
            # A slice alone between refused ones is a point, which only a line of some length shows.
            path += [] if drawing else ["h0.1"]
        drawing = math.isfinite(one)
    return "".join(path)


def _about(seen: Seen, language: str) -> str:
    volume = seen.volume
    count, height, width = volume.values.shape
    size = html(language, "series_size_text", slices=count, width=width, height=height)
    if volume.spacing:
        size += f"; {' x '.join(number(language, one, 2) for one in volume.spacing)} mm"
    rows = [
        (say(language, "model"), escape(seen.model)),
        (say(language, "series_format"), escape(f"{volume.format} {volume.modality}".strip())),
        (say(language, "series_plane"), escape(volume.plane or "-")),
        (say(language, "series_size"), size),
    ]
    if volume.notes:
        rows.append(
            (say(language, "done"), "; ".join(below(language, one) for one in seen.found.finding.notes))
        )
    if seen.problems:
        lines = "".join(f"<li>{below(language, one)}</li>" for one in seen.problems[:20])
        rows.append((say(language, "series_problems"), f"<ul>{lines}</ul>"))
    heading = html(language, "series_about")
    return (
        f'<section class="ts-details"><h3>{heading}</h3>{_which(seen, language)}{parts.table(rows)}</section>'
    )


def _which(seen: Seen, language: str) -> str:
    """Where more than one series was sent, the others can be chosen; the browser then sends them again."""
    if len(seen.names) < 2:
        return ""
    lines = "".join(
        f'<option value="{place}"{" selected" if place == seen.place else ""}>{escape(name)}</option>'
        for place, name in enumerate(seen.names)
    )
    return (
        f'<label class="ts-select"><span>{html(language, "series_which")}</span>'
        f"<select data-volume>{lines}</select></label>"
    )


def _left(desk: Desk, language: str) -> str:
    limit = desk.inbox.max_upload
    zone = zone_html(
        language,
        "ts-series",
        title="series_drop",
        hint=say(language, "series_hint", size=size_text(limit)),
        max_bytes=limit,
        max_files=_MOST_FILES,
        more="<div data-again hidden></div>",
    )
    return zone + points_html(desk, language, "ts-series-point")
