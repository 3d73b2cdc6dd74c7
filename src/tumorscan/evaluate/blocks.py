"""What a report is made of: sections of text, tables, images and galleries, and those of an evaluation."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image as Pillow

from tumorscan.errors import DataError
from tumorscan.evaluate import figures
from tumorscan.evaluate.controls import Controls
from tumorscan.evaluate.metrics import PROPORTIONS, Evaluation
from tumorscan.evaluate.pictures import Shown
from tumorscan.types import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity (recall)",
    "specificity": "Specificity",
    "precision": "Precision",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "ece": "Calibration error",
    "log_loss": "Log loss",
}


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Table:
    """A table; the first cell of each row names it.

    Attributes:
        head: names of the columns.
        rows: as many cells each.
        caption: what it shows.
    """

    kind: ClassVar[str] = "table"
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.head):
                raise DataError(f"table row {row!r} has {len(row)} cells: the head has {len(self.head)}")

    @staticmethod
    def is_figure(cell: str) -> bool:
        """Numbers do not break over lines."""
        return len(cell) < 32 and any(c.isdigit() for c in cell)


@dataclass(frozen=True)
class Image:
    """A picture that the page carries in itself.

    Attributes:
        png: the PNG file's bytes.
        alt: what it shows, in words, for those who cannot see it.
        caption: below it.
        wide: over all columns.
        width: shown width in pixels at most.
        name: stem of a file of its own beside the report; none if empty.
    """

    png: bytes
    alt: str
    caption: str = ""
    wide: bool = False
    width: int = 480
    name: str = ""

    def __post_init__(self) -> None:
        if not self.alt.strip():
            raise DataError("an image of the report has no alt text: say in words what it shows")

    @property
    def uri(self) -> str:
        """As a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")

    @classmethod
    def of(cls, figure: Figure, alt: str, caption: str = "", *, wide: bool = False, name: str = "") -> Image:
        """From a figure."""
        width = int(figure.get_figwidth() * 100)
        return cls(figures.to_png(figure), alt, caption, wide, width, name)


@dataclass(frozen=True)
class Images:
    """Images side by side where there is room."""

    kind: ClassVar[str] = "images"
    images: tuple[Image, ...]


@dataclass(frozen=True, eq=False)
class Framed:
    """A gallery's picture, ready to embed."""

    shown: Shown
    uri: str


@dataclass(frozen=True, eq=False)
class Gallery:
    """Pictures with truth, verdict and probability.

    Attributes:
        shown: in order.
        caption: above them.
    """

    kind: ClassVar[str] = "gallery"
    shown: tuple[Shown, ...]
    caption: str = ""

    @property
    def items(self) -> list[Framed]:
        """With data URIs."""
        return [Framed(item, Image(_png(item), "picture").uri) for item in self.shown]


def galleries(shown: Mapping[str, Sequence[Shown]], most: int) -> tuple[Gallery, ...]:
    """A gallery a title that has pictures, at most so many of them; they are in order of certainty."""
    return tuple(
        Gallery(tuple(rows[:most]), f"{title}: {len(rows)} pictures, the farthest from the threshold first.")
        for title, rows in shown.items()
        if rows
    )


Block = Text | Table | Images | Gallery


@dataclass(frozen=True)
class Section:
    """A headed part of the report."""

    title: str
    blocks: tuple[Block, ...]


def evaluation_sections(evaluation: Evaluation) -> list[Section]:
    """Figures with intervals, and all curves of an evaluation."""
    return [
        Section("Figures", (figure_table(evaluation),)),
        Section("Curves", (curve_images(evaluation),)),
    ]


def curve_images(evaluation: Evaluation, prefix: str = "") -> Images:
    """Confusion, ROC with its band, precision-recall, reliability and risk-coverage.

    Args:
        evaluation: what is drawn.
        prefix: of their files beside the report.
    """
    return Images(
        (
            _confusion_image(evaluation, prefix),
            Image.of(
                figures.roc_figure(evaluation),
                f"ROC curve, AUC {in_words(evaluation.figures['roc_auc'])}",
                "The band is pointwise, by the bootstrap over groups.",
                name=f"{prefix}roc",
            ),
            Image.of(
                figures.precision_recall_figure(evaluation),
                f"Precision over recall, AP {in_words(evaluation.figures['average_precision'])}",
                name=f"{prefix}precision_recall",
            ),
            Image.of(
                figures.reliability_figure(evaluation),
                f"Reliability diagram, calibration error {in_words(evaluation.figures['ece'])}",
                f"{len(evaluation.curves.reliability)} bins of equal mass.",
                name=f"{prefix}reliability",
            ),
            _risk_coverage_image(evaluation, prefix),
        )
    )


def one_class_images(evaluation: Evaluation, prefix: str = "") -> Images:
    """What can be drawn where one class is missing: confusion and risk-coverage; see `curve_images`."""
    return Images((_confusion_image(evaluation, prefix), _risk_coverage_image(evaluation, prefix)))


def _confusion_image(evaluation: Evaluation, prefix: str) -> Image:
    figure = figures.confusion_figure(evaluation.counts)
    return Image.of(figure, _confusion_words(evaluation), name=f"{prefix}confusion")


def _risk_coverage_image(evaluation: Evaluation, prefix: str) -> Image:
    return Image.of(
        figures.risk_coverage_figure(evaluation),
        f"Share of errors over share of pictures answered, from "
        f"{evaluation.curves.risk_coverage.risk[-1]:.1%} when all are answered",
        "The pictures nearest to the threshold are left unanswered first.",
        name=f"{prefix}risk_coverage",
    )


def figure_table(evaluation: Evaluation) -> Table:
    """Every figure with its interval, counts, and the interval by the other method."""
    rows = []
    for name, figure in evaluation.figures.items():
        other = evaluation.alternatives.get(name)
        reach = f"{in_words(other, reach_only=True)} {other.method}" if other else ""
        counts = "{} of {}".format(*evaluation.counts.of(name)) if name in PROPORTIONS else ""
        value = _number(figure.value)
        rows.append(
            (NAMES.get(name, name), value, in_words(figure, reach_only=True), counts, figure.method, reach)
        )
    level = next(iter(evaluation.figures.values())).level
    return Table(
        ("", "value", f"{level:.0%} interval", "counts", "method", "by another method"),
        tuple(rows),
        f"{evaluation.n} pictures in {evaluation.n_groups} groups; a tumor is said at a probability of "
        f"{evaluation.threshold:.4g} or more. {_independence(evaluation)}",
    )


def interval_table(caption: str, head: Sequence[str], rows: Mapping[str, Sequence[Interval]]) -> Table:
    """A table of figures, such as one row a source or an arm.

    Args:
        caption: what it shows.
        head: names of all columns, the rows' names first.
        rows: the intervals of a row by its name.
    """
    return Table(
        tuple(head),
        tuple((name, *(in_words(figure) for figure in figures_)) for name, figures_ in rows.items()),
        caption,
    )


def training_section(history: Sequence[Mapping[str, Any]]) -> Section:
    """The training's curves over both phases."""
    aucs = [row["val_auc"] for row in history if row.get("val_auc") is not None]
    best = f", best validation AUC {max(aucs):.3f}" if aucs else ""
    image = Image.of(
        figures.training_figure(history),
        f"Loss, accuracy and AUC over {len(history)} epochs{best}",
        f"{len(history)} epochs{best}. The line divides the phases.",
        wide=True,
        name="training",
    )
    return Section("Training", (Images((image,)),))


def controls_section(controls: Controls, model: tuple[str, Interval] | None = None) -> Section:
    """The controls of a data set, a model's AUC beside them, and what that means.

    Args:
        controls: what was measured.
        model: its name (and on what it was measured) and its ROC AUC.
    """
    rows = ([model] if model else []) + list(controls.aucs.items())
    caption = (
        f"ROC AUC of simple models in grouped cross-validation ({controls.folds} folds, "
        f"{controls.n} pictures in {controls.n_groups} groups). "
        f"Shuffled labels: mean and spread of {controls.shuffles} permutations over groups."
    )
    image = Image.of(
        figures.intervals_figure(rows, "ROC AUC", chance=0.5),
        "ROC AUC of the controls: " + "; ".join(f"{name} {in_words(auc)}" for name, auc in rows),
        "The dotted line is chance.",
        name="controls",
    )
    table = interval_table(caption, ("", "ROC AUC"), {name: (auc,) for name, auc in rows})
    return Section("Controls", (Text(controls_meaning(controls, model)), table, Images((image,))))


def controls_meaning(controls: Controls, model: tuple[str, Interval] | None = None) -> str:
    """What the controls say, in sentences."""
    name, best = controls.strongest
    if best.low > 0.5:
        said = [
            f"{name}: an AUC of {in_words(best)}.",
            "To that degree the classes can be told apart by how these pictures were chosen and stored.",
        ]
    else:
        said = [
            "No control is clearly better than chance: none of these ways gives the classes of this set away."
        ]
    if model and not np.isnan(model[1].value):
        auc = model[1]
        if auc.low > best.high:
            said.append(
                "The model's interval lies above those of all controls: it rests on more than they do."
            )
        elif auc.value <= best.value:
            said.append("The model does no better than that: nothing here shows that it looks at the brain.")
        else:
            said.append(
                "The model's interval overlaps that of the strongest control: it is not shown to use more."
            )
    if not controls.sound:
        said.append(
            "Shuffled labels do not come out at 0.5 within their interval: look for copies that stand in "
            "different groups before any figure here is trusted."
        )
    return " ".join(said)


def in_words(figure: Interval, *, reach_only: bool = False) -> str:
    """``0.968 (0.833 to 0.999)``, or why there is less to say."""
    if np.isnan(figure.value):
        return "undefined"
    reach = "no interval" if np.isnan(figure.low) else f"{_number(figure.low)} to {_number(figure.high)}"
    return reach if reach_only else f"{_number(figure.value)} ({reach})"


def _number(value: float) -> str:
    return "undefined" if np.isnan(value) else f"{value:.3f}".replace("-", "−")


def _independence(evaluation: Evaluation) -> str:
    if evaluation.n == evaluation.n_groups:
        return "Each picture is its own group."
    return (
        "Exact binomial and DeLong take the pictures as independent; "
        "where groups hold several, the bootstrap over groups is the one to quote."
    )


def _confusion_words(evaluation: Evaluation) -> str:
    counts = evaluation.counts
    return (
        f"Confusion matrix: {counts.true_positive} tumors found, {counts.false_negative} missed, "
        f"{counts.true_negative} without tumor cleared, {counts.false_positive} false alarms"
    )


def _png(item: Shown) -> bytes:
    stream = io.BytesIO()
    Pillow.fromarray(item.pixels).save(stream, format="PNG", optimize=True)
    return stream.getvalue()
