"""The page as a `gradio.Blocks`: where things stand, and which event calls what."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tumorscan.app.desk import Desk
from tumorscan.app.inbox import STALE_SECONDS
from tumorscan.app.page import parts
from tumorscan.app.page.batch_tab import lay_out_batch
from tumorscan.app.page.card import lay_out_card
from tumorscan.app.page.compare import lay_out_compare
from tumorscan.app.page.picture import lay_out_picture
from tumorscan.app.page.series_tab import lay_out_series
from tumorscan.app.page.texts import html
from tumorscan.app.page.widgets import Told, block, browser_language
from tumorscan.app.page.words import Words
from tumorscan.errors import require

_EXAMPLE_SIDE = 256
_EXAMPLE_SEEDS = (3, 8)


def build_page(desk: Desk) -> Any:
    """The page as a `gradio.Blocks`, not yet served; its attribute `words` is for `mount_gradio_app`.

    Args:
        desk: answers; made before, for Gradio reads when it is imported where it may write.

    Raises:
        MissingExtra: Gradio is not installed.
    """
    require("gradio", "app")
    import gradio as gr

    words = Words()
    examples = draw_examples(desk.inbox.examples)
    seconds = int(STALE_SECONDS)
    with gr.Blocks(
        title="tumorscan", analytics_enabled=False, fill_width=False, delete_cache=(seconds, seconds)
    ) as blocks:
        told: list[Told] = [_lay_out_header(desk, words)]
        with gr.Tabs(elem_id="ts-tabs"):
            with gr.Tab(words.text("tab_picture"), id="picture"):
                told += lay_out_picture(desk, examples, words)
            with gr.Tab(words.text("tab_series"), id="series"):
                told.append(lay_out_series(desk, words))
            with gr.Tab(words.text("tab_batch"), id="batch"):
                told.append(lay_out_batch(desk, words))
            with gr.Tab(words.text("tab_card"), id="card"):
                told.append(lay_out_card(desk, words))
            with gr.Tab(words.text("tab_compare"), id="compare"):
                told.append(lay_out_compare(desk, words))
        blocks.load(
            _newest(desk, told),
            outputs=[one for one, _ in told],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
    blocks.words = words
    return blocks


def _newest(desk: Desk, told: list[Told]) -> Any:
    """For who opens the page after another bundle took over: what tells of the model is told anew."""
    import gradio as gr

    # Not its title, which stays where the same network is calibrated anew.
    built = desk.detector.bundle.manifest

    def newest(request: Any) -> list[Any]:
        if desk.detector.bundle.manifest is built:
            return [gr.skip() for _ in told]
        language = browser_language(request)
        return [make(language) for _, make in told]

    newest.__annotations__["request"] = gr.Request
    return newest


def _lay_out_header(desk: Desk, words: Words) -> Told:
    def header(language: str) -> str:
        return _header(desk, language)

    return block(words.block("header", header), "ts-header"), header


def _header(desk: Desk, language: str) -> str:
    return f"""
<div lang="{language}"><p class="ts-banner" role="alert">{parts.icon(parts.INFO)}
<span>{html(language, "research")}</span></p>
<div class="ts-title"><h1>tumorscan</h1><p>{html(language, "subtitle")}</p>
<p class="ts-model">{html(language, "model")} <b>{escape(desk.detector.model)}</b></p></div></div>"""


def draw_examples(folder: Path) -> list[tuple[Path, str]]:
    """Draw the example pictures; returns each file with the key of what it shows."""
    from tumorscan.data.phantom import draw_phantom

    folder.mkdir(exist_ok=True)
    examples = []
    for number, seed in enumerate(_EXAMPLE_SEEDS, 1):
        for tumor, word in ((True, "lesion"), (False, "plain")):
            file = folder / f"drawn-{number}-{word}.png"
            phantom = draw_phantom(np.random.default_rng([seed, tumor]), tumor=tumor, size=_EXAMPLE_SIDE)
            Image.fromarray(phantom.pixels).save(file)
            examples.append((file, f"example_{word}"))
    return examples
