"""What a localisation experiment leaves on disk: report.html, metrics.json, pictures.csv, figures."""

from __future__ import annotations

from typing import Final

from tumorscan.data.table import write_table
from tumorscan.evaluate import figures
from tumorscan.evaluate.blanking import ELSEWHERE, SIDE
from tumorscan.evaluate.blocks import Block, Image, Images, Section, Text, in_words, interval_table
from tumorscan.evaluate.localisation import APART, FIGURES, MEASURES, WORDS
from tumorscan.evaluate.report import write_metrics, write_report
from tumorscan.study.localisation_result import Localisation, Part
from tumorscan.study.opened import Listed
from tumorscan.types import Interval

_DRAWN: Final = ("peak_in", "iou_area", "mass", APART)
_MEANING: Final = (
    "Every map is the one for tumor, whatever the verdict. Peak in the lesion: the centre of the strongest "
    "cell lies in the box or mask. Pointing game: within 15 pixels of 224 of it (Zhang et al. 2016). IoU: "
    "of the map cut at half of its peak, and of its strongest pixels, as many as the lesion has. Evidence "
    "in the lesion: share of what speaks for a tumor; also over the lesion's share of the picture, so that "
    "an even map has 1. Lesions above the rest: how often the strongest evidence in a lesion is above the "
    "strongest outside of one, over all pairs of pictures: tumors against tissue "
    "of the same heads. The random map has a lot a cell; the middle of the picture is what is known without "
    "looking."
)


def write_localisation(result: Localisation) -> None:
    """Write everything to the result's folder.

    Raises:
        EnvironmentProblem: something cannot be written.
    """
    folder = result.folder
    write_metrics(folder / "metrics.json", result.to_table())
    _write_pictures(result)
    images = []
    for name in _DRAWN:
        rows = [(kind, one.figures[name]) for kind, one in result.parts[0].maps.items()]
        figure = figures.intervals_figure(rows, WORDS[name])
        alt = "; ".join(f"{kind} {in_words(one)}" for kind, one in rows)
        images.append(Image.of(figure, f"{WORDS[name]}: {alt}", name=name))
    sections = [
        Section("What is measured", (Text(_MEANING), Images(tuple(images)))),
        *(_section(part) for part in result.parts),
    ]
    if result.blanking:
        sections.append(_blanking(result))
    write_report(
        folder / "report.html",
        title=f"Where the evidence lies on {result.opened.name}",
        measured=Listed(result.facts),
        sections=sections,
        warnings=result.opened.warnings,
        headline=_headline(result),
    )


def _section(part: Part) -> Section:
    kinds = list(part.maps)
    first = kinds[0]
    blocks: list[Block] = [
        interval_table(
            f"{part.n} pictures, {part.units} {part.unit}; means, with the bootstrap over {part.unit}.",
            ("", *kinds),
            {WORDS[name]: [part.maps[kind].figures[name] for kind in kinds] for name in FIGURES},
        ),
        interval_table(
            f"How far {first} is ahead, paired.",
            ("", *kinds[1:]),
            {WORDS[name]: [part.maps[kind].ahead[name] for kind in kinds[1:]] for name in FIGURES},
        ),
    ]
    return Section(part.name[:1].upper() + part.name[1:], tuple(blocks))


def _blanking(result: Localisation) -> Section:
    text = (
        f"A square of {SIDE:.0%} of the side is filled with its blurred surroundings: around the peak, and "
        f"at up to {ELSEWHERE} other places on tissue. If the map is true, the score falls more at the peak."
    )
    table = interval_table(
        "Fall of the logit, mean over pictures; the difference is paired.",
        ("", "at the peak", "elsewhere", "difference", "share where the peak's is greater"),
        {
            f"{name} ({one.pictures})": (one.peak, one.elsewhere, one.difference, one.wins)
            for name, one in result.blanking.items()
        },
    )
    return Section("Blanking", (Text(text), table))


def _headline(result: Localisation) -> list[tuple[str, Interval]]:
    own = next(iter(result.parts[0].maps.values())).figures
    cards = [(WORDS[name], own[name]) for name in _DRAWN]
    first = next(iter(result.blanking.values()), None)
    return [*cards, ("Fall of the logit at the peak over elsewhere", first.difference)] if first else cards


def _write_pictures(result: Localisation) -> None:
    """A row a picture: what the model's own map is worth on it."""
    head = (
        "file",
        "source",
        "patient",
        "plane",
        "probability",
        "reported",
        *MEASURES,
        "evidence_lesion",
        "evidence_rest",
        "fall_peak",
        "fall_else",
    )
    rows = []
    for one in result.found:
        own, falls = next(iter(one.measured.values())), one.falls or ("", "")
        rows.append(
            {
                **{name: getattr(one.record, name) for name in head[:4]},
                "probability": repr(one.probability),
                "reported": str(one.said).lower(),
                **{name: repr(getattr(own, name)) for name in MEASURES},
                "evidence_lesion": repr(own.lesion),
                "evidence_rest": repr(own.rest),
                "fall_peak": falls[0],
                "fall_else": falls[1],
            }
        )
    write_table(result.folder / "pictures.csv", head, rows)
