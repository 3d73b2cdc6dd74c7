"""An answer as HTML: the picture and its verdict in one block, so that neither can stand without the other.

Pictures are inside the block as data, so that nothing of them is written to disk or has an address that
another person could open. Every operating point's verdict is in it; the page shows the chosen one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import cv2
import numpy as np

from tumorscan.app.page import parts
from tumorscan.app.page.evidence import Evidence, controls, layers
from tumorscan.app.page.texts import below, chance, html, number, percent, say
from tumorscan.errors import UnreadableScan
from tumorscan.types import Finding, OperatingPoint, Picture, Prepared, Scan, UncertainBand, Verdict


@dataclass(frozen=True)
class Answer:
    """What the page shows of one picture.

    Attributes:
        scan: as read.
        prepared: with its steps.
        finding: at the detector's operating point.
        evidence: what spoke for it.
        points: that the bundle has, the detector's first.
        band: where nothing is said; None where the bundle has none.
        gated: the bundle has a gate.
        report: the page for people as a PDF in a data address; empty where none was asked for.
        no_report: why there is none although it was asked for.
    """

    scan: Scan
    prepared: Prepared
    finding: Finding
    evidence: Evidence
    points: Sequence[OperatingPoint]
    band: UncertainBand | None = None
    gated: bool = False
    report: str = ""
    no_report: str = ""


def answer_html(answer: Answer, language: str = "en") -> str:
    """The block of one answer."""
    finding = answer.finding
    return f"""
<article class="ts-answer" lang="{language}" data-verdict="{escape(finding.verdict)}"
  data-probability="{"" if finding.probability is None else repr(finding.probability)}">
  <div class="ts-top">{_scan(answer, language)}<div class="ts-said">{_gate(answer, language)}
  {_verdicts(answer, language)}{_report(answer, language)}</div></div>
  <div class="ts-prepared">{_slider(answer, language)}
  {_steps(answer.prepared, language)}</div>
  {_details(answer, language)}
</article>"""


def refusal_html(error: UnreadableScan, language: str = "en") -> str:
    """The block of a file that got no answer: the cause in one line."""
    return f"""
<article class="ts-answer ts-refusal" role="alert" lang="{language}">
  {parts.icon(parts.ALARM)}
  <div><h2>{html(language, "refusal")}</h2>
  <p><strong>{escape(error.file)}</strong> {below(language, error.cause)}</p>
  <p class="ts-quiet">{html(language, "refusal_next")}</p></div>
</article>"""


def empty_html(language: str, key: str) -> str:
    """The block where an answer will stand."""
    return f'<article class="ts-answer ts-empty" lang="{language}"><p>{html(language, key)}</p></article>'


def meaning(
    finding: Finding, said: Verdict, point: OperatingPoint, band: UncertainBand | None, language: str = "en"
) -> str:
    """What the numbers say, in plain words.

    Args:
        finding: with its probability.
        said: the verdict at the point.
        point: the operating point.
        band: where nothing is said.
        language: of the text.
    """
    p = finding.probability
    if p is None:
        return say(language, "meaning_refused")
    text = say(language, "meaning_share", p=chance(language, p), count=_count(language, p))
    if said is Verdict.NO_TUMOR:
        return f"{text} {say(language, 'meaning_none')}"
    if said is Verdict.TUMOR:
        return f"{text} {say(language, 'meaning_low' if p < 0.5 else 'meaning_tumor')}"
    low, high = parts.unsaid(point, band) if band else (point.threshold, point.threshold)
    border = say(language, "meaning_unsure", low=percent(language, low), high=percent(language, high))
    return f"{text} {border}"


def _count(language: str, p: float) -> str:
    if 0.005 <= p <= 0.995:
        return say(language, "about_count", count=number(language, 100 * p, 0))
    return say(language, "nearly_all" if p > 0.5 else "nearly_none")


def kind_html(finding: Finding, language: str) -> str:
    """The hint at the kind of tumor; nothing where none is given."""
    if not finding.tumor_type:
        return ""
    told = finding.tumor_type_told
    known = {"glioma", "meningioma", "pituitary"}
    names = {name: say(language, f"type_{name}") if name in known else name for name in finding.tumor_type}
    said = names.get(told, say(language, "kind_unsure"))
    shares = ", ".join(
        f"{names[name]} {percent(language, share, 0)}"
        for name, share in sorted(finding.tumor_type.items(), key=lambda one: -one[1])
    )
    return (
        f'<p class="ts-kind"><b>{html(language, "kind")}: {escape(said)}</b> ({escape(shares)}). '
        f'<span class="ts-quiet">{html(language, "kind_why")}</span></p>'
    )


def _scan(answer: Answer, language: str) -> str:
    scan = answer.scan
    size = f"{scan.width} x {scan.height}"
    alt = html(language, "as_read", name=scan.name, size=size)
    return f"""
<figure class="ts-scan">
  <div class="ts-stack" style="--ratio:{scan.width / scan.height:.5f}">
  <img src="{parts.data_uri(scan.pixels)}" alt="{alt}">{layers(answer.evidence, language)}</div>
  <figcaption><strong>{escape(scan.name)}</strong><span>{size}, {escape(scan.format)} {escape(scan.mode)}
  </span><button type="button" class="ts-button" data-remove>{html(language, "remove")}</button></figcaption>
  {controls(answer.evidence, language) if answer.finding.probability is not None else ""}
</figure>"""


def _report(answer: Answer, language: str) -> str:
    """A button that asks for the report, or the report."""
    if answer.no_report:
        return f'<p class="ts-quiet">{below(language, answer.no_report)}</p>'
    text = say(language, "series_get_pdf")
    if answer.report:
        link = parts.download("tumorscan.pdf", answer.report, text).replace("<a ", "<a data-fresh ", 1)
    else:
        link = f'<button type="button" class="ts-button" data-report>{escape(text)}</button>'
    return f'<p class="ts-downloads">{link}</p>'


def _gate(answer: Answer, language: str) -> str:
    refused = answer.finding.verdict is Verdict.NOT_BRAIN_MRI
    key = "gate_refused" if refused else "gate_ok" if answer.gated else "gate_none"
    return f'<p class="ts-gate">{parts.icon(parts.INFO)}<span>{html(language, key)}</span></p>'


def _verdicts(answer: Answer, language: str) -> str:
    finding = answer.finding
    if finding.probability is None:
        return refused_section(finding, language)
    p, band = finding.probability, answer.band
    return "".join(
        verdict_section(
            finding,
            point,
            band,
            language,
            text=meaning(finding, parts.said_at(p, point, band), point, band, language),
            hidden=number > 0,
        )
        for number, point in enumerate(answer.points)
    )


def verdict_section(
    finding: Finding,
    point: OperatingPoint,
    band: UncertainBand | None,
    language: str,
    *,
    text: str,
    hidden: bool,
    series: bool = False,
) -> str:
    """The verdict at an operating point: words, icon, probability on its scale, and what the point is worth.

    Args:
        finding: that has a probability.
        point: the operating point.
        band: where nothing is said.
        language: of the text.
        text: what the numbers mean.
        hidden: another point is shown first.
        series: the probability is of a whole series, for which neither it nor the point was measured.
    """
    p = finding.probability or 0.0
    said = parts.said_at(p, point, band)
    share, threshold = chance(language, p), percent(language, point.threshold)
    name = "series_probability" if series else "probability"
    measured = f" {html(language, 'series_rates')}" if series else ""
    kind = kind_html(finding, language) if said is Verdict.TUMOR else ""
    return f"""
<section class="ts-verdict ts-{parts.tone(said)}" data-point="{escape(point.name)}"
  {"hidden" if hidden else ""}>
  <h2>{parts.verdict_icon(said)}<span>{escape(parts.wording(language, said))}</span></h2>
  <p class="ts-probability">{html(language, name)} <strong>{share}</strong></p>
  <div class="ts-scale" role="img" aria-label="{html(language, "scale_label", p=share, t=threshold)}">
    <div class="ts-bar"><div class="ts-fill" style="width:{100 * p:.2f}%"></div>{_zone(point, band)}
    <div class="ts-mark" style="left:{100 * point.threshold:.2f}%"></div></div>
    <div class="ts-legend"><span>0 %</span><span>{html(language, "threshold")} {threshold}</span>
    <span>100 %</span></div>
  </div>
  <p>{escape(text)}</p>{kind}
  <p class="ts-quiet ts-rates"><b>{html(language, "point")}: {escape(parts.point_name(language, point))}.</b>
  {html(language, "sensitivity")} {escape(parts.rate_short(language, point.sensitivity))},
  {html(language, "specificity")} {escape(parts.rate_short(language, point.specificity))}.{measured}</p>
</section>"""


def _zone(point: OperatingPoint, band: UncertainBand | None) -> str:
    """The stretch of the scale where nothing is said."""
    if band is None:
        return ""
    low, high = parts.unsaid(point, band)
    return f'<div class="ts-band" style="left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%"></div>'


def refused_section(finding: Finding, language: str) -> str:
    """What the gate refused, with its reasons and no number."""
    reasons = "".join(f"<li>{below(language, reason)}</li>" for reason in finding.reasons)
    said = finding.verdict
    return f"""
<section class="ts-verdict ts-other">
  <h2>{parts.verdict_icon(said)}<span>{escape(parts.wording(language, said))}</span></h2>
  <ul class="ts-reasons">{reasons}</ul>
  <p>{html(language, "meaning_refused")}</p>
</section>"""


def _slider(answer: Answer, language: str) -> str:
    """Before and after, one over the other with a cut that moves: it works without a round trip."""
    prepared = answer.prepared.pixels
    side = prepared.shape[0]
    before = parts.data_uri(_squared(answer.scan.pixels, side))
    after = parts.data_uri(prepared)
    return f"""
<section class="ts-prep"><h3>{html(language, "prep")}</h3>
<div class="ts-cut" style="--cut:50%">
  <img src="{before}" alt="{html(language, "prep_before_alt")}">
  <img class="ts-after" src="{after}" alt="{html(language, "prep_after_alt", side=side)}">
  <span class="ts-tag">{html(language, "prep_before")}</span>
  <span class="ts-tag ts-tag-after">{html(language, "prep_after")}</span></div>
<input type="range" min="0" max="100" value="50" data-cut
  aria-label="{html(language, "prep_cut")}"></section>"""


def _squared(pixels: Picture, side: int) -> Picture:
    """A picture on a black square, in the size of the prepared one, so that the two can be compared."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    square = np.zeros((side, side, 3), np.uint8)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square


def step_name(language: str, name: str) -> str:
    """A step of the preparation as people read it."""
    known = {"framed", "denoised", "contrast", "grey"}
    return say(language, f"step_{name}") if name in known else name


def _steps(prepared: Prepared, language: str) -> str:
    if not prepared.steps:
        return ""
    figures = "".join(
        f'<li><figure><img src="{parts.data_uri(step.pixels)}" '
        f'alt="{html(language, "step_alt", i=i, name=step_name(language, step.name))}">'
        f"<figcaption>{i}. {escape(step_name(language, step.name))}</figcaption></figure></li>"
        for i, step in enumerate(prepared.steps, 1)
    )
    side = prepared.pixels.shape[0]
    return f"""
<section class="ts-steps"><h3>{html(language, "steps")}</h3>
<p class="ts-quiet">{html(language, "steps_why", side=side)}</p><ol>{figures}</ol></section>"""


def _details(answer: Answer, language: str) -> str:
    finding = answer.finding
    notes = "; ".join(below(language, note) for note in finding.notes) or html(language, "done_nothing")
    tables = "".join(
        f'<div data-point="{escape(point.name)}"{" hidden" if i else ""}>'
        f"{parts.table(parts.point_rows(language, point, answer.band))}</div>"
        for i, point in enumerate(answer.points if finding.probability is not None else ())
    )
    rows = [
        (say(language, "model"), escape(finding.model)),
        (say(language, "done"), notes),
        (say(language, "time"), escape(_times(finding, language))),
    ]
    heading = html(language, "details")
    return f'<section class="ts-details"><h3>{heading}</h3>{tables}{parts.table(rows)}</section>'


def _times(finding: Finding, language: str) -> str:
    known = {"read", "prepare", "infer", "explain"}
    return ", ".join(
        f"{say(language, f'time_{name}') if name in known else name} {ms:.0f} ms"
        for name, ms in finding.milliseconds.items()
    )
