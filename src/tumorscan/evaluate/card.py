"""The card of a bundle: what a person should know before using it, and two reporting checklists.

It is made from `bundle.json` alone, so it says nothing that the bundle does not, and the same bundle
gives the same card. In the bundle's folder it stands outside of the hashed files: looks and figures are
added to a bundle after it is sealed, and a card that can be made again at any time needs no hash; its
first lines name the SHA-256 of the `bundle.json` that it was made from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tumorscan.atomic import atomic_write_text
from tumorscan.evaluate.blocks import NAMES, in_words
from tumorscan.evaluate.card_facts import LIMITS, USE, not_intended, preparation, training, weights
from tumorscan.evaluate.checklists import checklists
from tumorscan.evaluate.controls import controls_from
from tumorscan.evaluate.kinds import kind_title
from tumorscan.jsonable import interval_from
from tumorscan.model.bundle import Bundle, Manifest, manifest_sha256

CARD: Final = "card.md"


def write_card(bundle: Bundle) -> Path:
    """Write card.md into the bundle's folder; returns its path.

    Raises:
        EnvironmentProblem: it cannot be written; an old one is as it was.
    """
    path = bundle.folder / CARD
    atomic_write_text(path, card_text(bundle.manifest))
    return path


def card_text(manifest: Manifest) -> str:
    """The card as Markdown."""
    parts = [
        (
            f"# {manifest.title}\n\nMade by tumorscan from `bundle.json` {manifest_sha256(manifest)}. "
            f"Trained {manifest.created} with tumorscan {manifest.code_version}."
        ),
        _section("Intended use", USE),
        _section("Not intended", *not_intended(manifest)),
        _section("Data", *_data(manifest)),
        _section("Weights", *weights(manifest)),
        _section("Preparation", *preparation(manifest)),
        _section("Training", *training(manifest)),
        _section("Operating points", *_points(manifest)),
        *([_section("Gate", *gate)] if (gate := _gate(manifest)) else []),
        *([_section("Tumor type", *types)] if (types := _types(manifest)) else []),
        _section("Test split", *_test(manifest)),
        _section("Controls", *_controls(manifest)),
        _section("External sets", *_external(manifest)),
        _section("Limits", *LIMITS),
        _section("Files", *_files(manifest)),
        *checklists(manifest),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, *lines: str) -> str:
    """Lines of a list or a table stay together; so does a single paragraph."""
    return f"## {title}\n\n" + "\n".join(lines or ("Not recorded.",))


def _data(manifest: Manifest) -> list[str]:
    data = manifest.lineage.get("data", {})
    if not data:
        return []
    return [
        f"- Sources: {', '.join(map(_plain, data.get('sources', []))) or 'not recorded'}.",
        *(f"- {name}: {counts}." for name, counts in data.get("splits", {}).items()),
        (
            f"- Split by group (copies and patients stay together), seed {data.get('split_seed')}. "
            '"copy" holds later exact copies, which are used nowhere.'
        ),
    ]


def _points(manifest: Manifest) -> list[str]:
    if manifest.calibrated is None or not manifest.operating_points:
        return ["Never fitted: this bundle cannot answer."]
    rows = [
        f"| {point.name} | {point.threshold:.4g} | {point.aim} | {in_words(point.sensitivity)} | "
        f"{in_words(point.specificity)} | {point.fitted_on} |"
        for point in manifest.operating_points
    ]
    return [
        (
            "A tumor is said at a calibrated probability at or above the threshold. Calibration: "
            f"{manifest.calibrated.words}, fitted on the calibration split. Sensitivity and specificity are "
            "those on the pictures of the fit. The first point is the default.\n"
        ),
        "| name | threshold | set for | sensitivity | specificity | fitted on |",
        "|---|---|---|---|---|---|",
        *rows,
        *_promises(manifest),
    ]


def _promises(manifest: Manifest) -> list[str]:
    """What is guaranteed of the points, and where nothing is said."""
    lines = [
        f"- {point.name}: {_plain(point.statement)}" for point in manifest.operating_points if point.statement
    ]
    band = manifest.band
    if band:
        lines.append(
            f"- CANNOT SAY - please review: from a probability of {band.low:.4g} to {band.high:.4g}, and "
            f"from there to the point's threshold where that lies outside. {band.statement} "
            f"Fitted on {band.fitted_on}."
        )
    return ["", *lines] if lines else []


def _gate(manifest: Manifest) -> list[str]:
    """What refuses pictures before any verdict; nothing of a bundle that refuses none."""
    told = manifest.lineage.get("gate", {})
    if not told:
        return []
    others = ", ".join(f"{count} {_plain(kind)}" for kind, count in told["negatives"].items()) or "none"
    return [
        (
            "- Refuses, with a reason and before any verdict, what does not look like a slice of a head that "
            f"it knows. Fitted on {told['train']} training pictures and, as what to refuse: {others}."
        ),
        (
            f"- Its limit is set to refuse at most {told['most_refused']:.1%} of {told['calibration']} "
            "pictures of the calibration split."
        ),
    ]


def _types(manifest: Manifest) -> list[str]:
    """The hint at the type; nothing of a bundle that tells none."""
    told = manifest.lineage.get("tumor_type", {})
    if not told:
        return []
    lines = [
        (
            "- A hint for research, given with TUMOR DETECTED alone: "
            f"{', '.join(map(_plain, told['types']))}, or not sure. It knows these types, on the sequence of "
            "its fit, and no other: every other tumor looks like one of them to it, or like none."
        ),
        (
            f"- Fitted on {_plain(told['fitted_on'])}; the true type is held impossible for "
            f"{told['error']:.0%} of the slices of a type at most, on pictures like those. One is told where "
            f"it is the only possible one, at a probability of {told['sure']:g} or more."
        ),
    ]
    if told.get("measured"):
        figures = {name: interval_from(table) for name, table in told["measured"].items()}
        lines.append(
            f"- Measured on {_plain(told['kept_out'])}, kept out of the fit: "
            + "; ".join(f"{kind_title(name)} {in_words(one)}" for name, one in figures.items())
            + "."
        )
    return lines


def _test(manifest: Manifest) -> list[str]:
    figures = manifest.metrics.get("test")
    if not figures:
        return ["Not measured yet: `tumorscan evaluate RUN`."]
    return [
        f"Looks at the test split: {manifest.looks.get('test', 0)}.\n",
        "| figure | value and 95% interval | method |",
        "|---|---|---|",
        *(
            f"| {NAMES.get(name, name)} | {in_words(interval)} | {interval.method} |"
            for name, interval in ((name, interval_from(table)) for name, table in figures.items())
        ),
    ]


def _controls(manifest: Manifest) -> list[str]:
    table = manifest.metrics.get("controls")
    if not table:
        return ["Not measured: `tumorscan evaluate RUN` does."]
    controls = controls_from(table)
    return [
        "ROC AUC of models that never see the brain, on the whole data set.\n",
        "| control | ROC AUC |",
        "|---|---|",
        *(f"| {name} | {in_words(auc)} |" for name, auc in controls.aucs.items()),
    ]


def _external(manifest: Manifest) -> list[str]:
    looked = {name: count for name, count in sorted(manifest.looks.items()) if name != "test"}
    if not looked:
        return ["None was looked at."]
    rows = []
    for name, count in looked.items():
        sources = manifest.metrics.get(name, {}).get("sources", {})
        for source, table in sorted(sources.items()):
            figures = {key: _quoted(key, table) for key in table["figures"]}
            cells = (figures[key] for key in ("sensitivity", "specificity", "roc_auc", "ece"))
            counts = f"{table['n']} ({table['tumors']} tumors)"
            rows.append(f"| {_plain(name)} | {count} | {_plain(source)} | {counts} | {' | '.join(cells)} |")
        if not sources:
            rows.append(f"| {_plain(name)} | {count} | not recorded | | | | | |")
    return [
        "Each look is counted; a set is told by the hash of its pictures.\n",
        "| set | looks | source | pictures | sensitivity | specificity | ROC AUC | calibration error |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ]


def _quoted(name: str, table: Mapping[str, Any]) -> str:
    """The bootstrap's interval, or the exact one where all resamples agree."""
    figure = interval_from(table["figures"][name])
    if math.isnan(figure.low) and name in table["exact"]:
        figure = interval_from(table["exact"][name])
    return in_words(figure)


def _files(manifest: Manifest) -> list[str]:
    return [
        f"- Version {manifest.version or 'not given'}: the first digits of the weights' SHA-256.",
        *(f"- `{name}`: SHA-256 {digest}" for name, digest in sorted(manifest.files.items())),
    ]


def _plain(text: str) -> str:
    """Names come from folders and csv files: nothing in them may act as Markdown or HTML."""
    kept = "".join(c if c.isprintable() else "?" for c in str(text))
    for mark in "\\`|<>[]*_":
        kept = kept.replace(mark, f"\\{mark}")
    return kept
