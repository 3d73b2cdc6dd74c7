"""The tab *Compare*: one picture in two ways, by two bundles or two preparations, side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

from tumorscan.app.desk import answered, guarded, name_of, table_of
from tumorscan.app.page import parts
from tumorscan.app.page.answer import Answer, meaning, refusal_html
from tumorscan.app.page.texts import below, chance, html, number, say
from tumorscan.app.page.widgets import PRIVATE, Told, heard, model_line, size_text, zone_and_answer, zone_html
from tumorscan.config import ContrastSettings, DenoiseSettings, PrepareSettings
from tumorscan.errors import UnreadableScan
from tumorscan.prepare.pipeline import prepare
from tumorscan.read import read_bytes

if TYPE_CHECKING:
    from tumorscan.app.desk import Desk
    from tumorscan.app.page.words import Words
    from tumorscan.detect.detector import Detector

_SIDES = ("left", "right")


@dataclass(frozen=True)
class Way:
    """One way to judge a picture: a detector, and the preparation before it."""

    detector: Detector
    settings: PrepareSettings

    @property
    def fitted(self) -> bool:
        """Whether the preparation is the one that the bundle was fitted with."""
        return self.settings == self.detector.bundle.manifest.settings.prepare


def lay_out_compare(desk: Desk, words: Words) -> Told:
    """The tab's contents, inside the Blocks that is being made; what tells of the model."""

    def left(language: str) -> str:
        return _left(desk, language)

    zone, answer, _ = zone_and_answer(words, "compare", left, "result.js")
    shown: dict[str, Any] = {"outputs": answer, "show_progress": "full", **model_line(desk), **PRIVATE}
    zone.upload(heard(lambda sent, language: compared(desk, sent, language)), **shown)
    zone.delete(heard(lambda sent, _: desk.discard(sent)), queue=False, show_progress="hidden", **PRIVATE)
    return zone, left


def compared(desk: Desk, sent: Any, language: str = "en") -> str:
    """The HTML for a picture that was sent to be judged in two ways, or for why it was not."""
    sent = table_of(sent)
    name, options = name_of(sent.get("name")), table_of(sent.get("options"))
    ways = [way_of(desk, side, options) for side in _SIDES]

    def judged() -> list[Answer]:
        data = desk.received(sent, name)
        with desk.seat():
            scan = read_bytes(data, name, desk.inbox.limits)
            return [
                answered(way.detector, scan, prepare(scan, way.settings, keep_steps=True), {}) for way in ways
            ]

    answers = guarded(name, judged)
    if isinstance(answers, UnreadableScan):
        return refusal_html(answers, language)
    return _side_by_side(ways, answers, language)


def way_of(desk: Desk, side: str, options: dict[str, Any]) -> Way:
    """The way that a person chose for a side; what was not chosen is as the bundle was fitted."""
    detector = (
        desk.other if desk.other is not None and options.get(f"{side}_bundle") == "1" else desk.detector
    )
    settings = detector.bundle.manifest.settings.prepare
    denoise, contrast = settings.denoise, settings.contrast
    if (wanted := options.get(f"{side}_denoise")) is not None and bool(wanted) != (denoise.method != "off"):
        # The fast one, which needs no package more.
        denoise = replace(denoise, method="fast") if wanted else DenoiseSettings(method="off")
    if (wanted := options.get(f"{side}_contrast")) is not None and bool(wanted) != (contrast.method != "off"):
        contrast = replace(contrast, method="clahe") if wanted else ContrastSettings(method="off")
    return Way(detector, replace(settings, denoise=denoise, contrast=contrast))


def _left(desk: Desk, language: str) -> str:
    limit = desk.inbox.limits.max_bytes
    hint = say(language, "compare_hint", size=size_text(limit))
    options = "".join(_options(desk, side, language) for side in _SIDES)
    more = f'<div class="ts-options" data-again>{options}</div>'
    return zone_html(language, "ts-compare", title="compare_title", hint=hint, max_bytes=limit, more=more)


def _options(desk: Desk, side: str, language: str) -> str:
    """What a side is: the left as fitted, the right the other bundle, or with both filters turned."""
    right = side == "right"
    prepare = desk.detector.bundle.manifest.settings.prepare
    other = right and desk.other is not None
    if other and desk.other is not None:
        prepare = desk.other.bundle.manifest.settings.prepare
    turned = right and not other
    filters = {"denoise": prepare.denoise.method != "off", "contrast": prepare.contrast.method != "off"}
    boxes = "".join(
        f'<label class="ts-choice"><input type="checkbox" data-option="{side}_{name}"'
        f"{' checked' if on != turned else ''}><span>{html(language, f'compare_{name}')}</span></label>"
        for name, on in filters.items()
    )
    return (
        f'<fieldset class="ts-radios"><legend>{html(language, f"compare_{side}")}</legend>'
        f"{_bundles(desk, side, language)}{boxes}</fieldset>"
    )


def _bundles(desk: Desk, side: str, language: str) -> str:
    if desk.other is None:
        return ""
    lines = "".join(
        f'<option value="{place}"{" selected" if (side == "right") == bool(place) else ""}>'
        f"{escape(detector.model)}</option>"
        for place, detector in enumerate((desk.detector, desk.other))
    )
    return (
        f'<label class="ts-select"><span>{html(language, "compare_bundle")}</span>'
        f'<select data-option="{side}_bundle">{lines}</select></label>'
    )


def _side_by_side(ways: list[Way], answers: list[Answer], language: str) -> str:
    columns = "".join(
        _column(side, way, answer, language) for side, way, answer in zip(_SIDES, ways, answers, strict=True)
    )
    return f"""
<article class="ts-answer" lang="{language}"><div class="ts-two">{columns}</div>
{_difference(answers, language)}</article>"""


def _column(side: str, way: Way, answer: Answer, language: str) -> str:
    finding, point = answer.finding, answer.points[0]
    said = parts.said_at(finding.probability, point, answer.band)
    share = "" if finding.probability is None else chance(language, finding.probability)
    reasons = "".join(f"<li>{below(language, one)}</li>" for one in finding.reasons)
    fitted = "compare_fitted" if way.fitted else "compare_changed"
    probability = f"{html(language, 'probability')} <strong>{share}</strong>" if share else ""
    return f"""
<section data-side="{side}"><h3>{html(language, f"compare_{side}")}</h3>
<p>{escape(way.detector.model)}<br>
<span class="ts-quiet">{_filters(way, language)}; {html(language, fitted)}</span></p>
<div class="ts-verdict ts-{parts.tone(said)}"
  data-probability="{"" if finding.probability is None else repr(finding.probability)}">
<h4>{parts.verdict_icon(said)}<span>{escape(parts.wording(language, said))}</span></h4>
<p class="ts-probability">{probability}</p>
{f"<ul class='ts-reasons'>{reasons}</ul>" if reasons else ""}
<p class="ts-quiet">{html(language, "point")}: {escape(parts.point_name(language, point))}.
{escape(meaning(finding, said, point, answer.band, language)) if share else ""}</p></div>
{_pictures(answer, language)}</section>"""


def _filters(way: Way, language: str) -> str:
    on = {"denoise": way.settings.denoise.method != "off", "contrast": way.settings.contrast.method != "off"}
    return ", ".join(
        f"{html(language, f'compare_{name}')}: {html(language, 'compare_on' if one else 'compare_off')}"
        for name, one in on.items()
    )


def _pictures(answer: Answer, language: str) -> str:
    side = answer.prepared.pixels.shape[0]
    figures = (
        f'<figure><img src="{parts.data_uri(answer.prepared.pixels)}" '
        f'alt="{html(language, "prep_after_alt", side=side)}">'
        f"<figcaption>{html(language, 'compare_saw')}</figcaption></figure>"
    )
    if answer.evidence.colours:
        alt = html(language, "compare_evidence_alt", name=answer.scan.name)
        ratio = answer.scan.width / answer.scan.height
        figures += (
            f'<details class="ts-more"><summary>{html(language, "compare_evidence")}</summary>'
            f'<div class="ts-stack" style="--ratio:{ratio:.5f}">'
            f'<img src="{parts.data_uri(answer.scan.pixels)}" alt="{alt}">'
            f'<img class="ts-layer" data-layer="colour" src="{answer.evidence.colours}" alt="">'
            "</div></details>"
        )
    return figures


def _difference(answers: list[Answer], language: str) -> str:
    left, right = (answer.finding.probability for answer in answers)
    said = {parts.said_at(one.finding.probability, one.points[0], one.band) for one in answers}
    line = html(language, "compare_same" if len(said) == 1 else "compare_other")
    if left is not None and right is not None:
        points = ("+" if right >= left else "") + number(language, 100 * (right - left))
        line = f"{html(language, 'compare_difference', points=points)} {line}"
    return f'<p class="ts-difference">{line}</p>'
