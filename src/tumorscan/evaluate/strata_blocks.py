"""Sections of a report on an external set: tables by source, plane and patient, curves, what is withheld."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tumorscan.evaluate import figures
from tumorscan.evaluate.blocks import (
    NAMES,
    Block,
    Image,
    Images,
    Section,
    Table,
    Text,
    curve_images,
    figure_table,
    in_words,
    interval_table,
    one_class_images,
)
from tumorscan.evaluate.strata import SIDES, PatientRow, Stratum

_MIXED = ("roc_auc", "average_precision", "brier", "ece")


def strata_section(title: str, strata: Sequence[Stratum]) -> Section:
    """Tables with a row a stratum, why figures are withheld, and sensitivity and specificity drawn."""
    blocks: list[Block] = [_sides(title, strata)]
    standing = [one for one in strata if not one.refusal]
    if standing:
        blocks.append(_mixing(title, standing))
    reasons = [f"{one.name}: {one.refusal}." for one in strata if one.refusal]
    if reasons:
        blocks.append(Text(f"Figures over both classes are withheld. {' '.join(reasons)}"))
    images = tuple(_forest(side, strata) for side in SIDES if _rows(side, strata))
    if images:
        blocks.append(Images(images))
    return Section(title, tuple(blocks))


def patients_section(rows: Sequence[PatientRow]) -> Section:
    """A table with a row a patient."""
    caption = (
        f"{len(rows)} patients. Exact binomial intervals take the slices of a head as independent, "
        "which they are not; AUC is within the patient, without an interval."
    )
    head = ("patient", "pictures", "tumors", "sensitivity", "specificity", "ROC AUC")
    body = tuple(
        (
            row.name,
            str(row.n),
            str(row.tumors),
            in_words(row.sensitivity),
            in_words(row.specificity),
            "undefined: one class" if np.isnan(row.roc_auc) else f"{row.roc_auc:.3f}",
        )
        for row in rows
    )
    return Section("By patient", (Table(head, body, caption),))


def stratum_section(stratum: Stratum, prefix: str = "") -> Section:
    """All figures and curves of one stratum, or why there are none; `prefix` of the curves' files."""
    blocks: list[Block] = []
    found = stratum.evaluation
    if stratum.refusal:
        blocks.append(Text(f"Withheld: AUC, calibration and all that needs both classes: {stratum.refusal}."))
        blocks += [one_class_images(found, prefix)] if found else []
    elif found:
        blocks += [figure_table(found), curve_images(found, prefix)]
    return Section(stratum.name, tuple(blocks))


def _sides(title: str, strata: Sequence[Stratum]) -> Table:
    names = " or ".join(sorted({one.unit for one in strata}))
    head = ("", "pictures", "tumors", names, *(cell for side in SIDES for cell in (side, "exact binomial")))
    rows = tuple(
        (
            *(one.name, str(one.n), str(one.tumors), str(one.units)),
            *(
                cell
                for side in SIDES
                for cell in (in_words(one.figures[side]), in_words(one.exact[side], reach_only=True))
            ),
        )
        for one in strata
    )
    return Table(
        head,
        rows,
        f"{title}: figures with 95% intervals by the bootstrap over {names}; exact binomial intervals "
        "beside them take the pictures as independent.",
    )


def _mixing(title: str, strata: Sequence[Stratum]) -> Table:
    return interval_table(
        f"{title}, over both classes.",
        ("", *(NAMES[name] for name in _MIXED)),
        {one.name: [one.figures[name] for name in _MIXED] for one in strata},
    )


def _rows(side: str, strata: Sequence[Stratum]) -> list[Stratum]:
    return [one for one in strata if not np.isnan(one.figures[side].value)]


def _forest(side: str, strata: Sequence[Stratum]) -> Image:
    """The bootstrap's interval, or the exact one where resamples say nothing."""
    rows = []
    for one in _rows(side, strata):
        figure = one.figures[side]
        rows.append((one.name, one.exact[side] if np.isnan(figure.low) else figure))
    words = "; ".join(f"{name} {in_words(figure)}" for name, figure in rows)
    return Image.of(figures.intervals_figure(rows, side), f"{side}: {words}", f"{side.capitalize()}.")
