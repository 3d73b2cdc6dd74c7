"""The tab *One picture*."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tumorscan.app.desk import table_of
from tumorscan.app.page import parts
from tumorscan.app.page.answer import empty_html
from tumorscan.app.page.texts import html, say
from tumorscan.app.page.widgets import (
    PRIVATE,
    Told,
    block,
    heard,
    in_browser,
    model_line,
    size_text,
    zone_html,
)

if TYPE_CHECKING:
    from tumorscan.app.desk import Desk
    from tumorscan.app.page.words import Words

_THUMBNAIL = 96


def lay_out_picture(desk: Desk, examples: list[tuple[Path, str]], words: Words) -> list[Told]:
    """The tab's contents, inside the Blocks that is being made.

    Args:
        desk: answers.
        examples: files, each with the key of what it shows.
        words: of the page.

    Returns:
        What tells of the model.
    """
    import gradio as gr

    def left(language: str) -> str:
        return _left(desk, examples, language)

    with gr.Row(elem_classes="ts-main"):
        with gr.Column(scale=2, min_width=300, elem_classes="ts-left"):
            zone = block(words.block("zone_picture", left), "ts-drop", "drop.js")
        with gr.Column(scale=5, min_width=320, elem_classes="ts-right"):
            answer = block(
                words.block("empty_picture", lambda language: empty_html(language, "empty_picture")),
                "ts-answer",
                "answer.js",
            )

    def about(language: str) -> str:
        return _about(desk, language)

    told = block(words.block("about", about), "ts-about")
    _connect(desk, [file for file, _ in examples], zone, answer)
    return [(zone, left), (told, about)]


def _connect(desk: Desk, examples: list[Path], zone: Any, answer: Any) -> None:
    import gradio as gr

    def predict(file: Any) -> dict[str, Any]:
        return desk.predict(file)

    predict.__annotations__.update({"file": gr.FileData, "return": dict})
    predict.__doc__ = type(desk).predict.__doc__

    def chosen(sent: Any, language: str) -> str:
        report = bool(table_of(sent.get("options")).get("report"))
        return desk.example(examples[int(sent["index"]) % len(examples)], language, report=report)

    clear = in_browser(lambda language: empty_html(language, "empty_picture"))
    # In the browser, at once: whatever comes next, the old verdict is gone before it.
    for source in (zone, answer):
        source.clear(None, outputs=answer, js=clear, api_visibility="private")
    shown: dict[str, Any] = {"outputs": answer, "show_progress": "full", **model_line(desk), **PRIVATE}
    zone.upload(heard(desk.uploaded), **shown)
    zone.select(heard(chosen), **shown)
    zone.delete(heard(lambda sent, _: desk.discard(sent)), queue=False, show_progress="hidden", **PRIVATE)
    gr.api(predict, api_name="predict", **model_line(desk))


def _left(desk: Desk, examples: list[tuple[Path, str]], language: str) -> str:
    limit = desk.inbox.limits.max_bytes
    hint = say(language, "hint_picture", size=size_text(limit))
    zone = zone_html(
        language, "ts", title="drop_picture", hint=hint, max_bytes=limit, more="<div data-again hidden></div>"
    )
    return f"""{zone}{points_html(desk, language, "ts-point")}
<section class="ts-examples" lang="{language}" aria-labelledby="ts-examples-title">
<h2 id="ts-examples-title">{html(language, "examples")}</h2><ul>
{"".join(_example(i, file, say(language, key)) for i, (file, key) in enumerate(examples))}</ul>
<p class="ts-quiet">{html(language, "examples_drawn")}</p></section>"""


def points_html(desk: Desk, language: str, name: str, option: str = "") -> str:
    """The choice of an operating point, with what each costs; nothing where there is only one.

    Args:
        desk: has the points.
        language: of the text.
        name: of the group of radio buttons, unique on the page.
        option: under which name a drop zone sends the chosen one along.
    """
    points = desk.points
    if len(points) < 2:
        return ""
    choices = [
        (point.name, parts.point_name(language, point), parts.cost(language, point)) for point in points
    ]
    quiet = f'<p class="ts-quiet">{html(language, "points_why")}</p>'
    group = parts.radios(name, say(language, "points"), choices, points[0].name, extra=quiet, option=option)
    return f'<section class="ts-points" lang="{language}">{group}</section>'


def _example(index: int, file: Path, text: str) -> str:
    with Image.open(file) as image:
        uri = parts.data_uri(np.asarray(image.convert("RGB")), _THUMBNAIL * 2)
    return (
        f'<li><button type="button" data-example="{index}"><img src="{uri}" alt="" width="{_THUMBNAIL}" '
        f'height="{_THUMBNAIL}"><span>{escape(text)}</span></button></li>'
    )


def _about(desk: Desk, language: str) -> str:
    point = desk.detector.operating_point
    rows = [
        (say(language, "model"), escape(desk.detector.model)),
        *parts.point_rows(language, point, desk.detector.band),
    ]
    return f"""
<details class="ts-about" lang="{language}"><summary>{html(language, "about")}</summary>
{parts.table(rows)}
<p>{html(language, "about_text")}</p>
</details>"""
