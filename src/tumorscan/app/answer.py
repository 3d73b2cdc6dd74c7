"""An answer as HTML: the picture and its verdict in one block, so that neither can stand without the other.

Pictures are inside the block as data, so that nothing of them is written to disk or has an address that
another person could open.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from html import escape
from io import BytesIO

import numpy as np
from PIL import Image

from tumorscan.detect.decide import wording
from tumorscan.errors import UnreadableScan
from tumorscan.types import Finding, Interval, OperatingPoint, Picture, Prepared, Scan, UncertainBand, Verdict

PREVIEW_SIDE = 768
"""Longest side, in pixels, of the scan as the page shows it; the answer is made from all its pixels."""

_STEPS = {
    "framed": "Framed",
    "denoised": "Denoised (non-local means)",
    "contrast": "Contrast (CLAHE)",
}

_ICONS = {
    Verdict.TUMOR: '<path d="M12 3 2.5 20h19z"/><path d="M12 10v4.5M12 17.2v.3"/>',
    # A dash, not a tick: it says that none was found, not that all is well.
    Verdict.NO_TUMOR: '<circle cx="12" cy="12" r="9"/><path d="M8 12h8"/>',
}
_ICON_OTHER = (
    '<circle cx="12" cy="12" r="9"/><path d="M9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M12 16.8v.2"/>'
)


@dataclass(frozen=True)
class Answer:
    """What the page shows of one picture: as read, as prepared with its steps, and what was found."""

    scan: Scan
    prepared: Prepared
    finding: Finding


def answer_html(answer: Answer, point: OperatingPoint, band: UncertainBand | None = None) -> str:
    """The block of one answer.

    Args:
        answer: scan, prepared picture with its steps, and finding.
        point: the operating point that decided.
        band: where nothing is said; None where the bundle has none.
    """
    return f"""
<article class="ts-answer" data-verdict="{escape(answer.finding.verdict)}"
  data-probability="{"" if answer.finding.probability is None else repr(answer.finding.probability)}">
  <div class="ts-top">{_scan(answer.scan)}{_verdict(answer.finding, point, band)}</div>
  {_steps(answer.prepared)}
  {_details(answer, point, band)}
</article>"""


def refusal_html(error: UnreadableScan) -> str:
    """The block of a picture that got no answer: the cause in one line."""
    return f"""
<article class="ts-answer ts-refusal" role="alert">
  {_icon('<circle cx="12" cy="12" r="9"/><path d="M12 7.5v5.5M12 16.2v.3"/>')}
  <div><h2>This file got no answer</h2>
  <p><strong>{escape(error.file)}</strong> {escape(error.cause)}</p>
  <p class="ts-quiet">Nothing was predicted. The page is ready for the next picture.</p></div>
</article>"""


def meaning(finding: Finding) -> str:
    """What the numbers say, in plain words."""
    if finding.probability is None or finding.confidence is None:
        return (
            "This is no slice of a head that the model knows, so it was not asked about a tumor. "
            "If it is one, use the picture as it left the scanner: whole, grey, in its full size."
        )
    share = 100 * finding.probability
    text = (
        f"Of 100 pictures that get a probability of {share:.1f} %, about {share:.0f} show a tumor, "
        "as far as new pictures are like those that the model was calibrated on. "
    )
    if finding.verdict is Verdict.NO_TUMOR:
        return text + "No tumor found does not mean a healthy brain: the model looks for nothing else."
    if finding.verdict is Verdict.TUMOR and finding.confidence < 50:
        return text + (
            "It is reported although a tumor is less likely than not, "
            "because the threshold is set low so that few tumors are missed."
        )
    if finding.verdict is Verdict.TUMOR:
        return text + "What it is, and whether it is one, only a physician can say."
    return text + (
        "That lies too near the border for a verdict that is wrong as rarely as was asked for: "
        "a person who knows such pictures should look at it."
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
    stream = BytesIO()
    image.save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def rate(interval: Interval) -> str:
    """A share with its interval, in per cent."""
    if not math.isfinite(interval.value):
        return "not measured"
    return (
        f"{100 * interval.value:.1f} % ({100 * interval.level:.0f} % interval "
        f"{100 * interval.low:.1f} to {100 * interval.high:.1f} %, {interval.method})"
    )


def point_rows(point: OperatingPoint, band: UncertainBand | None = None) -> list[tuple[str, str]]:
    """The operating point and the band as rows of a table."""
    rows = [
        ("Operating point", f"{point.name}, set for {point.aim}"),
        ("Threshold", f"a tumor is reported from a probability of {100 * point.threshold:.1f} %"),
        ("Fitted on", point.fitted_on),
        ("Sensitivity on these", rate(point.sensitivity)),
        ("Specificity on these", rate(point.specificity)),
    ]
    if point.statement:
        rows.append(("What that promises", point.statement))
    if band:
        low, high = min(band.low, point.threshold), max(band.high, point.threshold)
        text = f"from a probability of {100 * low:.1f} % to {100 * high:.1f} %. {band.statement}"
        rows.append((wording(Verdict.CANNOT_SAY), text))
    return rows


def table(rows: list[tuple[str, str]]) -> str:
    """Rows of a name and a text as a definition list."""
    return (
        '<dl class="ts-table">'
        + "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in rows)
        + "</dl>"
    )


def _scan(scan: Scan) -> str:
    size = f"{scan.width} x {scan.height}"
    return f"""
<figure class="ts-scan">
  <img src="{data_uri(scan.pixels)}" alt="{escape(scan.name)} as it was read, {size} pixels">
  <figcaption><strong>{escape(scan.name)}</strong><span>{size}, {escape(scan.format)} {escape(scan.mode)}
  </span><button type="button" class="ts-button" data-remove>Remove</button></figcaption>
</figure>"""


def _verdict(finding: Finding, point: OperatingPoint, band: UncertainBand | None) -> str:
    if finding.probability is None:
        return _not_a_head(finding)
    kind = {Verdict.TUMOR: "tumor", Verdict.NO_TUMOR: "none"}.get(finding.verdict, "other")
    share, threshold = 100 * finding.probability, 100 * point.threshold
    return f"""
<section class="ts-verdict ts-{kind}">
  <h2>{_icon(_ICONS.get(finding.verdict, _ICON_OTHER))}<span>{escape(wording(finding.verdict))}</span></h2>
  {_confidence(finding)}
  <div class="ts-scale" role="img"
    aria-label="Probability of a tumor {share:.1f} per cent, threshold {threshold:.1f} per cent">
    <div class="ts-bar"><div class="ts-fill" style="width:{share:.2f}%"></div>{_zone(point, band)}
    <div class="ts-mark" style="left:{threshold:.2f}%"></div></div>
    <div class="ts-legend"><span>Calibrated probability of a tumor <b>{share:.1f} %</b></span>
    <span>threshold {threshold:.1f} %</span></div>
  </div>
  <p>{escape(meaning(finding))}</p>
</section>"""


def _confidence(finding: Finding) -> str:
    if finding.verdict is Verdict.CANNOT_SAY:
        return '<p class="ts-confidence">No verdict on this picture</p>'
    return (
        f'<p class="ts-confidence"><strong>{finding.confidence:.1f} %</strong> confidence in this verdict</p>'
    )


def _zone(point: OperatingPoint, band: UncertainBand | None) -> str:
    """The stretch of the scale where nothing is said."""
    if band is None:
        return ""
    low, high = min(band.low, point.threshold), max(band.high, point.threshold)
    return f'<div class="ts-band" style="left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%"></div>'


def _not_a_head(finding: Finding) -> str:
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in finding.reasons)
    return f"""
<section class="ts-verdict ts-other">
  <h2>{_icon(_ICON_OTHER)}<span>{escape(finding.verdict)}</span></h2>
  <p class="ts-confidence">Refused before any verdict:</p><ul class="ts-reasons">{reasons}</ul>
  <p>{escape(meaning(finding))}</p>
</section>"""


def _steps(prepared: Prepared) -> str:
    if not prepared.steps:
        return ""
    figures = "".join(
        f'<li><figure><img src="{data_uri(step.pixels)}" '
        f'alt="The picture after step {i}, {escape(step.name)}">'
        f"<figcaption>{i}. {escape(_STEPS.get(step.name, step.name))}</figcaption></figure></li>"
        for i, step in enumerate(prepared.steps, 1)
    )
    side = prepared.pixels.shape[0]
    return f"""
<section class="ts-steps"><h3>What the model saw</h3>
<p class="ts-quiet">Every step of the preparation, in order; the last, {side} x {side} pixels, went to the
model.</p><ol>{figures}</ol></section>"""


def _details(answer: Answer, point: OperatingPoint, band: UncertainBand | None) -> str:
    finding = answer.finding
    times = ", ".join(f"{name} {ms:.0f} ms" for name, ms in finding.milliseconds.items())
    notes = "; ".join(finding.notes) or "decoded as it is, nothing else"
    rows = [
        *point_rows(point, band),
        ("Model", finding.model),
        ("Done to the file", notes),
        ("Time", times),
    ]
    return f'<section class="ts-details"><h3>How the verdict came about</h3>{table(rows)}</section>'


def _icon(paths: str) -> str:
    return f'<svg class="ts-icon" viewBox="0 0 24 24" aria-hidden="true">{paths}</svg>'
