"""Figures of an evaluation and of a training: matplotlib without global state, colours of Okabe and Ito.

Every function returns a `matplotlib.figure.Figure`, which no window and no registry knows.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tumorscan.atomic import atomic_write_bytes
from tumorscan.errors import DataError, require
from tumorscan.evaluate.metrics import Counts, Evaluation
from tumorscan.types import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by every kind of colour vision (Okabe and Ito 2008).
BLUE, ORANGE, GREEN, GREY, INK = "#0072B2", "#D55E00", "#009E73", "#8A8A8A", "#222222"
PHASES = ("-", "--")


def confusion_figure(counts: Counts) -> Figure:
    """The confusion matrix: each cell its count and its share of the row, shaded by the share."""
    figure, axes = _canvas(4.6, 4.0)
    table = np.array(
        [[counts.true_positive, counts.false_negative], [counts.false_positive, counts.true_negative]]
    )
    totals = table.sum(axis=1, keepdims=True)
    shares = np.divide(table, totals, out=np.zeros((2, 2)), where=totals > 0)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.1)
    for (row, column), count in np.ndenumerate(table):
        ink = "white" if shares[row, column] > 0.55 else INK
        share = f"{shares[row, column]:.1%} of {totals[row, 0]}" if totals[row, 0] else "no such picture"
        axes.text(column, row - 0.06, str(count), ha="center", va="center", fontsize=26, color=ink)
        axes.text(column, row + 0.24, share, ha="center", va="center", fontsize=10, color=ink)
    axes.set_xticks([0, 1], ["tumor", "no tumor"])
    axes.set_yticks([0, 1], ["tumor", "no tumor"], rotation=90, va="center")
    axes.tick_params(length=0)
    axes.set_xlabel("the system says")
    axes.set_ylabel("truth")
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


def roc_figure(evaluation: Evaluation) -> Figure:
    """ROC curve with its bootstrap band and the operating point."""
    figure, axes = _canvas()
    roc, counts = evaluation.curves.roc, evaluation.counts
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="chance")
    if roc.band_low.size:
        axes.fill_between(
            roc.band_false_alarms,
            roc.band_low,
            roc.band_high,
            color=BLUE,
            alpha=0.18,
            lw=0,
            label=f"{evaluation.figures['roc_auc'].level:.0%} band",
        )
        axes.plot(
            roc.false_alarms, roc.sensitivity, color=BLUE, lw=2, label=f"AUC {_said(evaluation, 'roc_auc')}"
        )
        clear, others = counts.of("specificity")
        hits, tumors = counts.of("sensitivity")
        label = f"operating point, p ≥ {evaluation.threshold:.3g}"
        axes.plot(
            1 - clear / others, hits / tumors, "o", ms=9, color=ORANGE, mec="white", label=label, zorder=5
        )
    else:
        _say(axes, "undefined: one class only")
    _square(axes, "1 − specificity (false alarms)", "sensitivity")
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    return figure


def precision_recall_figure(evaluation: Evaluation) -> Figure:
    """Precision over recall, the operating point, and the share of tumors as the floor."""
    figure, axes = _canvas()
    curve, counts = evaluation.curves.precision_recall, evaluation.counts
    tumors = counts.of("sensitivity")[1]
    if tumors:
        share = tumors / evaluation.n
        axes.axhline(share, color=GREY, lw=1, ls=":", label=f"share of tumors {share:.2f}")
        axes.step(
            np.concatenate(([0.0], curve.recall)),
            np.concatenate((curve.precision[:1], curve.precision)),
            where="pre",
            color=BLUE,
            lw=2,
            label=f"AP {_said(evaluation, 'average_precision')}",
        )
        found, said = counts.of("precision")
        if said:
            label = f"operating point, p ≥ {evaluation.threshold:.3g}"
            axes.plot(
                found / tumors, found / said, "o", ms=9, color=ORANGE, mec="white", label=label, zorder=5
            )
    else:
        _say(axes, "undefined: no tumor")
    _square(axes, "recall (sensitivity)", "precision")
    if tumors:
        axes.legend(loc="lower left", frameon=False, fontsize=9)
    return figure


def reliability_figure(evaluation: Evaluation) -> Figure:
    """What was said against what was found, over bins of equal mass, and where the probabilities lie."""
    figure, (axes, below) = _canvas(4.6, 5.4, rows=2, gridspec_kw={"height_ratios": [3, 1]}, sharex=True)
    bins, histogram = evaluation.curves.reliability, evaluation.curves.histogram
    said = [step.probability for step in bins]
    found = np.array([step.share.value for step in bins])
    reach = np.array([[step.share.low, step.share.high] for step in bins]).T
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="perfect")
    axes.errorbar(
        said,
        found,
        np.abs(reach - found),
        fmt="o-",
        color=BLUE,
        lw=1.5,
        ms=6,
        capsize=3,
        label="bin, Wilson interval",
    )
    axes.plot([], [], " ", label=f"ECE {_said(evaluation, 'ece')}")
    axes.axvline(
        evaluation.threshold, color=INK, ls="--", lw=1, label=f"threshold {evaluation.threshold:.3g}"
    )
    axes.set(ylabel="share that are tumors", xlim=(-0.01, 1.01), ylim=(-0.02, 1.02))
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    steps = histogram.edges[:-1]
    below.bar(steps, histogram.tumors, 0.05, align="edge", color=ORANGE, label="tumor", ec="white", lw=0.5)
    below.bar(
        steps,
        histogram.others,
        0.05,
        histogram.tumors,
        align="edge",
        color=BLUE,
        label="no tumor",
        ec="white",
        lw=0.5,
    )
    below.axvline(evaluation.threshold, color=INK, ls="--", lw=1)
    below.set(xlabel="probability of a tumor", ylabel="pictures")
    below.yaxis.get_major_locator().set_params(integer=True)
    below.legend(loc="upper center", frameon=False, fontsize=9, ncols=2)
    return figure


def risk_coverage_figure(evaluation: Evaluation) -> Figure:
    """Share of wrong verdicts among those kept, when the pictures next to the threshold are left unsaid."""
    figure, axes = _canvas(4.6, 3.8)
    curve = evaluation.curves.risk_coverage
    axes.plot(curve.coverage, curve.risk, color=BLUE, lw=2, drawstyle="steps-post")
    axes.plot(
        curve.coverage[-1], curve.risk[-1], "o", ms=9, color=ORANGE, mec="white", zorder=5, clip_on=False
    )
    axes.annotate(
        f"all answered: {curve.risk[-1]:.1%} wrong",
        (1, curve.risk[-1]),
        (-8, 8),
        textcoords="offset points",
        ha="right",
    )
    axes.set(xlabel="coverage (share of pictures answered)", ylabel="risk (share wrong)", xlim=(0, 1))
    axes.set_ylim(0, max(0.1, 1.25 * float(curve.risk.max())))
    return figure


def training_figure(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Loss, accuracy and AUC over both phases, training against validation.

    Args:
        history: one row an epoch with phase, epoch, loss, accuracy, auc and val_loss, val_accuracy,
            val_auc; a figure that a row lacks (or has as None) leaves a gap.

    Raises:
        DataError: the history is empty.
    """
    if not history:
        raise DataError("the training history is empty: train for at least one epoch")
    figure, axes = _canvas(9.6, 3.4, columns=3)
    epochs = np.arange(1, len(history) + 1)
    for panel, name in zip(axes, ("loss", "accuracy", "auc"), strict=True):
        for key, colour, style, mark in ((name, BLUE, "--", "."), (f"val_{name}", ORANGE, "-", "o")):
            points = np.array([np.nan if row.get(key) is None else row[key] for row in history], dtype=float)
            label = "validation" if key.startswith("val_") else "training"
            panel.plot(epochs, points, style, color=colour, lw=1.8, marker=mark, ms=4, label=label)
        _mark_phases(panel, history)
        panel.set(xlabel="epoch", xlim=(0.5, len(history) + 0.5))
        panel.set_title({"auc": "AUC"}.get(name, name), loc="left", fontsize=11)
        panel.xaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylim(bottom=0)
    axes[0].legend(frameon=False, fontsize=9)
    return figure


def intervals_figure(rows: Sequence[tuple[str, Interval]], label: str, chance: float | None = None) -> Figure:
    """One figure of several systems, arms or sources side by side, each with its interval (a forest plot).

    Args:
        rows: name and figure, drawn from the top; nan is left out but named.
        label: of the axis, "ROC AUC".
        chance: drawn as a line.

    Raises:
        DataError: there are no rows.
    """
    if not rows:
        raise DataError("there is no figure to draw: give at least one row")
    figure, axes = _canvas(6.4, 0.9 + 0.42 * len(rows))
    for place, (_, shown) in enumerate(rows):
        axes.plot([shown.low, shown.high], [place, place], color=BLUE, lw=2, solid_capstyle="butt")
        axes.plot(shown.value, place, "o", ms=7, color=BLUE, mec="white")
    if chance is not None:
        axes.axvline(chance, color=GREY, lw=1, ls=":")
    axes.set_yticks(range(len(rows)), [f"{plain(name)}\n{_short(shown)}" for name, shown in rows], fontsize=9)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(label)
    axes.grid(visible=False, axis="y")
    return figure


def to_png(figure: Figure, dpi: int = 144) -> bytes:
    """The figure as a PNG file's bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi, facecolor="white")
    return stream.getvalue()


def save(figure: Figure, path: str | os.PathLike[str], dpi: int = 144) -> None:
    """Write the figure as a PNG file, whole or not at all.

    Raises:
        EnvironmentProblem: it cannot be written.
    """
    atomic_write_bytes(Path(path), to_png(figure, dpi))


def plain(text: str, width: int = 0) -> str:
    """Text that the figures' font can draw, and at most `width` characters of it, cut in the middle."""
    manager = require("matplotlib.font_manager", "train")
    font = manager.get_font(manager.findfont("DejaVu Sans"))
    drawn = "".join(c if c.isprintable() and font.get_char_index(ord(c)) else "?" for c in text)
    if width and len(drawn) > width:
        tail = (width - 1) // 2
        drawn = f"{drawn[: width - 1 - tail]}…{drawn[len(drawn) - tail :]}"
    # A dollar would start a formula.
    return drawn.replace("$", r"\$")


def canvas(width: float, height: float) -> Figure:
    """An empty figure that no window knows, in inches; its layout keeps a margin for ticks and frames."""
    engine = require("matplotlib.layout_engine", "train").ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    figure: Figure = require("matplotlib.figure", "train").Figure(figsize=(width, height), layout=engine)
    return figure


def _canvas(
    width: float = 4.6, height: float = 4.4, rows: int = 1, columns: int = 1, **layout: Any
) -> tuple[Figure, Any]:
    figure = canvas(width, height)
    axes = figure.subplots(rows, columns, **layout)
    panels: Iterable[Axes] = np.ravel(axes)
    for panel in panels:
        panel.grid(color="#E6E6E6", lw=0.8)
        panel.set_axisbelow(True)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            panel.spines[side].set_color("#9A9A9A")
    return figure, axes


def _square(axes: Axes, across: str, up: str) -> None:
    axes.set(xlabel=across, ylabel=up, xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    axes.set_box_aspect(1)


def _said(evaluation: Evaluation, name: str) -> str:
    return _short(evaluation.figures[name])


def _short(shown: Interval) -> str:
    if np.isnan(shown.value):
        return "undefined"
    if np.isnan(shown.low):
        return f"{shown.value:.3f}"
    return f"{shown.value:.3f} ({shown.low:.3f} to {shown.high:.3f})"


def _say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color=INK)


def _mark_phases(axes: Axes, history: Sequence[Mapping[str, Any]]) -> None:
    """A line where one phase follows another, and the names of both above the panel."""
    phases = [str(row.get("phase", "")) for row in history]
    starts = [0, *(i for i in range(1, len(phases)) if phases[i] != phases[i - 1])]
    for start, end in zip(starts, [*starts[1:], len(phases)], strict=True):
        if start:
            axes.axvline(start + 0.5, color=INK, lw=1)
        axes.text(
            (start + end + 1) / 2,
            1.0,
            plain(phases[start], 12),
            ha="center",
            va="bottom",
            fontsize=8,
            color="#666666",
            transform=axes.get_xaxis_transform(),
        )
