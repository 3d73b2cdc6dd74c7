"""The tab *How good is it*: the bundle's own figures, and plainly what it holds no figure of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from tumorscan.app.page import parts
from tumorscan.app.page.curves import curves_html
from tumorscan.app.page.texts import below, html, number, percent, say
from tumorscan.app.page.widgets import Told, block
from tumorscan.jsonable import interval_from
from tumorscan.model.bundle import GATE, Manifest
from tumorscan.types import Interval

if TYPE_CHECKING:
    from tumorscan.app.desk import Desk
    from tumorscan.app.page.words import Words

_SHARES: Final = ("sensitivity", "specificity")
_OF_TEST: Final = ("sensitivity", "specificity", "roc_auc", "average_precision", "brier", "ece")
_OF_KINDS: Final = ("slice_accuracy", "patient_accuracy", "slice_said", "slice_said_accuracy")
_OF_CURVES: Final = ("reliability", "risk")
_ABSENT: Final = ("crossval", "reliability", "risk", "errors", "leak")


def lay_out_card(desk: Desk, words: Words) -> Told:
    """The tab's contents, inside the Blocks that is being made."""

    def card(language: str) -> str:
        return card_html(desk.detector.bundle.manifest, language)

    return block(words.block("card", card), "ts-card"), card


def card_html(manifest: Manifest, language: str = "en") -> str:
    """The figures of a bundle, a section each.

    Args:
        manifest: of the bundle.
        language: of the text.
    """
    sections = (
        _points(manifest, language),
        _external(manifest, language),
        _test(manifest, language),
        curves_html(manifest, language),
        _kinds(manifest, language),
        _absent(manifest, language),
        _made(manifest, language),
        _limits(language),
    )
    body = "".join(f'<section class="ts-panel">{one}</section>' for one in sections if one)
    return f'<div class="ts-card" lang="{language}">{body}</div>'


def _points(manifest: Manifest, language: str) -> str:
    names = ("point", "threshold", "sensitivity", "specificity", "card_costs")
    head = [say(language, key).capitalize() for key in names]
    rows = [
        (
            f"{escape(parts.point_name(language, point))}<small>{escape(parts.aim(language, point))}</small>",
            percent(language, point.threshold),
            escape(parts.rate_short(language, point.sensitivity)),
            escape(parts.rate_short(language, point.specificity)),
            escape(parts.cost(language, point)),
        )
        for point in manifest.operating_points
    ]
    chart = forest(
        language,
        [
            (parts.point_name(language, point), point.sensitivity, point.specificity)
            for point in manifest.operating_points
        ],
    )
    fitted = below(language, manifest.operating_points[0].fitted_on) if manifest.operating_points else ""
    unsaid = ""
    if band := manifest.band:
        low, high = percent(language, band.low), percent(language, band.high)
        unsaid = f"<p>{html(language, 'card_band', low=low, high=high)}</p>"
    return (
        f"<h2>{html(language, 'card_points')}</h2>"
        f"<p class='ts-quiet'>{html(language, 'measured_on')}: {fitted}. "
        f"{html(language, 'card_points_why')}</p>{parts.grid(head, rows)}{chart}{unsaid}"
    )


def _external(manifest: Manifest, language: str) -> str:
    rows: list[Sequence[str]] = []
    bars: list[tuple[str, Interval, Interval]] = []
    for key, table in _sets(manifest):
        for source, stratum in table.items():
            figures = {name: _interval(stratum.get("figures", {}).get(name)) for name in _OF_TEST}
            row = _external_row(language, (key, source), stratum, figures)
            rows.append((row[0], str(manifest.looks.get(key, 0)), *row[1:]))
            bars.append((source, figures["sensitivity"], figures["specificity"]))
    heading = f"<h2>{html(language, 'card_external')}</h2>"
    if not rows:
        return f"{heading}<p>{html(language, 'card_external_none')}</p>"
    names = ("set", "looks", "pictures")
    head = [say(language, f"card_{name}") for name in names]
    head += [say(language, key) for key in ("sensitivity", "specificity", "figure_roc_auc", "figure_ece")]
    return (
        f"{heading}<p class='ts-quiet'>{html(language, 'card_external_why')}</p>{parts.grid(head, rows)}"
        f"{forest(language, bars)}"
    )


def _external_row(
    language: str, names: tuple[str, str], stratum: Mapping[str, Any], figures: Mapping[str, Interval]
) -> Sequence[str]:
    key, source = names
    name, _, digest = key.partition(" sha256:")
    counts = say(language, "card_counts", n=stratum.get("n", 0), tumors=stratum.get("tumors", 0))
    if patients := stratum.get("patients"):
        counts += say(language, "card_patients", patients=patients)
    return (
        f"{escape(name if name == source else f'{name}: {source}')}<small>{escape(digest)}</small>",
        escape(counts),
        *(escape(parts.rate_short(language, figures[one])) for one in _SHARES),
        *(escape(_plain(language, figures[one])) for one in ("roc_auc", "ece")),
    )


def _sets(manifest: Manifest) -> list[tuple[str, Mapping[str, Any]]]:
    """External sets by key, each with its sources."""
    return [
        (key, table["sources"])
        for key, table in manifest.metrics.items()
        if isinstance(table, Mapping) and isinstance(table.get("sources"), Mapping)
    ]


def _test(manifest: Manifest, language: str) -> str:
    heading = f"<h2>{html(language, 'card_test')}</h2>"
    figures = manifest.metrics.get("test")
    if not isinstance(figures, Mapping):
        return f"{heading}<p>{html(language, 'card_test_none')}</p>"
    looks = html(language, "card_test_looks", count=manifest.looks.get("test", 1))
    rows = [
        (say(language, f"figure_{name}"), escape(_plain(language, _interval(figures[name]))))
        for name in _OF_TEST
        if name in figures
    ]
    return f"{heading}<p class='ts-quiet'>{looks}</p>{parts.table(rows)}"


def _kinds(manifest: Manifest, language: str) -> str:
    """How often the hint at the kind of tumor was right; nothing of a bundle that gives none."""
    told = manifest.lineage.get("tumor_type")
    if not isinstance(told, Mapping) or not isinstance(told.get("measured"), Mapping):
        return ""
    rows = [
        (say(language, f"kind_{name}"), rate_html(language, _interval(told["measured"][name])))
        for name in _OF_KINDS
        if name in told["measured"]
    ]
    why = html(language, "kind_why")
    fitted, kept = (below(language, str(told.get(name, "-"))) for name in ("fitted_on", "kept_out"))
    where = f"{html(language, 'kind_fitted')} {fitted}; {html(language, 'kind_kept')} {kept}."
    return f"<h2>{html(language, 'kind')}</h2><p class='ts-quiet'>{why} {where}</p>{parts.table(rows)}"


def rate_html(language: str, figure: Interval) -> str:
    """A share with its interval as HTML; of one whose resamples all agree, the share alone."""
    if math.isfinite(figure.value) and not math.isfinite(figure.low):
        return html(language, "rate_alone", value=percent(language, figure.value))
    return parts.rate(language, figure)


def _absent(manifest: Manifest, language: str) -> str:
    """What a reader would want to know and the bundle does not hold, with what measures it."""
    drawn = _OF_CURVES if isinstance(manifest.metrics.get("curves"), Mapping) else ()
    missing = [name for name in _ABSENT if name not in drawn]
    rows = [(say(language, f"absent_{name}"), html(language, f"absent_{name}_how")) for name in missing]
    if "controls" not in manifest.metrics:
        rows.append((say(language, "absent_controls"), html(language, "absent_controls_how")))
    heading, why = html(language, "card_absent"), html(language, "card_absent_why")
    return f"<h2>{heading}</h2><p class='ts-quiet'>{why}</p>{parts.table(rows)}"


def _made(manifest: Manifest, language: str) -> str:
    data = manifest.lineage.get("data", {})
    calibration = manifest.calibrated
    gate = "card_gate_yes" if GATE in manifest.files else "card_no"
    rows = [
        (say(language, "model"), escape(manifest.title)),
        (say(language, "card_made"), escape(f"{manifest.created}, tumorscan {manifest.code_version}")),
        (say(language, "card_sources"), escape(", ".join(data.get("sources", ())) or "-")),
        (say(language, "card_splits"), _splits(data.get("splits", {}), language)),
        (say(language, "card_leaks"), html(language, _leaks_key(data))),
        (say(language, "card_calibration"), escape(calibration.words) if calibration else "-"),
        (say(language, "card_gate"), html(language, gate)),
    ]
    return f"<h2>{html(language, 'card_how')}</h2>{parts.table(rows)}"


def _splits(splits: Mapping[str, Any], language: str) -> str:
    lines = "".join(
        f"<li>{html(language, f'split_{name}')}: {below(language, str(text))}</li>"
        for name, text in splits.items()
        if name in {"train", "validation", "calibration", "test", "copy"}
    )
    return f"<ul>{lines}</ul>" if lines else "-"


def _leaks_key(data: Mapping[str, Any]) -> str:
    if "leaks" not in data:
        return "card_leaks_unknown"
    return "card_leaks_some" if data["leaks"] else "card_leaks_none"


def _limits(language: str) -> str:
    lines = "".join(f"<li>{html(language, f'limit_{i}')}</li>" for i in range(1, 7))
    return f"<h2>{html(language, 'card_limits')}</h2><ul class='ts-list'>{lines}</ul>"


def _interval(table: Any) -> Interval:
    if not isinstance(table, Mapping):
        return Interval(math.nan, math.nan, math.nan, "")
    return interval_from(table)


def _plain(language: str, figure: Interval) -> str:
    """A figure that is no share, with its interval."""
    if not math.isfinite(figure.value):
        return say(language, "not_measured")
    value, low, high = (number(language, one, 3) for one in (figure.value, figure.low, figure.high))
    return say(language, "rate_short", value=value, low=low, high=high)


def forest(language: str, rows: Sequence[tuple[str, Interval, Interval]]) -> str:
    """Sensitivity and specificity with their intervals, one row each; a square and a circle tell them apart.

    Args:
        language: of the text.
        rows: name, sensitivity and specificity.
    """
    lines = []
    for place, (name, *figures) in enumerate(rows):
        y = 34 + 44 * place
        lines.append(f'<text x="0" y="{y + 5}">{escape(name[:26])}</text>')
        lines += [_bar(figure, y - 7 + 14 * i, i) for i, figure in enumerate(figures)]
    height = 34 + 44 * len(rows)
    ticks = "".join(
        f'<path class="ts-tick" d="M{_x(share):g} 12V{height - 22}"/>'
        f'<text class="ts-quiet" text-anchor="middle" x="{_x(share):g}" y="{height - 4}">'
        f"{percent(language, share, 0)}</text>"
        for share in (0, 0.25, 0.5, 0.75, 1)
    )
    label = html(language, "forest_alt")
    legend = (
        f'<p class="ts-legend-line"><span class="ts-key ts-square"></span>{html(language, "sensitivity")}'
        f'<span class="ts-key"></span>{html(language, "specificity")} '
        f'<span class="ts-quiet">{html(language, "forest_interval")}</span></p>'
    )
    return (
        f'<figure class="ts-forest"><svg viewBox="0 0 640 {height}" role="img" aria-label="{label}">'
        f"{ticks}{''.join(lines)}</svg><figcaption>{legend}</figcaption></figure>"
    )


def _x(share: float) -> float:
    return 200 + 410 * share


def _bar(figure: Interval, y: float, kind: int) -> str:
    if not math.isfinite(figure.value):
        return ""
    x = _x(figure.value)
    mark = (
        f'<circle cx="{x:.1f}" cy="{y}" r="5"/>'
        if kind
        else f'<rect x="{x - 5:.1f}" y="{y - 5}" width="10" height="10"/>'
    )
    line = f'<path d="M{_x(figure.low):.1f} {y}H{_x(figure.high):.1f}"/>'
    return f'<g class="{"ts-spec" if kind else "ts-sens"}">{line}{mark}</g>'
