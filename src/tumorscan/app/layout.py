"""Where things stand on the page, and which event calls what."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tumorscan.app.answer import data_uri, point_rows, table
from tumorscan.app.commands.shared import RESEARCH_USE
from tumorscan.app.look import static

if TYPE_CHECKING:
    from tumorscan.app.desk import Desk

_THUMBNAIL = 96
# Everything that runs the network stands in one line, however many people ask.
_MODEL: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "model"}
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "multiple"}

_EMPTY = """<article class="ts-answer ts-empty"><p>No picture yet. The verdict, its confidence and every step
of the preparation will stand here.</p></article>"""


def lay_out(desk: Desk, examples: list[tuple[Path, str]]) -> Any:
    """The page as a `gradio.Blocks`.

    Args:
        desk: answers.
        examples: files, each with what it shows.
    """
    import gradio as gr

    with gr.Blocks(title="tumorscan", analytics_enabled=False, fill_width=False) as blocks:
        _block(_header(desk), "ts-header")
        with gr.Row(elem_id="ts-main"):
            with gr.Column(scale=2, min_width=300, elem_id="ts-left"):
                drop = _zone(desk, examples)
                zone = _block(drop, "ts-drop", static("picture_drop.js"))
            with gr.Column(scale=5, min_width=320, elem_id="ts-right"):
                answer = _block(_EMPTY, "ts-answer", static("answer.js"))
        _block(_about(desk), "ts-about")
        _connect(desk, [file for file, _ in examples], zone, answer)
    return blocks


def _block(html: str, name: str, script: str | None = None) -> Any:
    import gradio as gr

    return gr.HTML(html, elem_id=name, js_on_load=script, apply_default_css=False)


def _connect(desk: Desk, examples: list[Path], zone: Any, answer: Any) -> None:
    import gradio as gr

    def uploaded(event: Any) -> str:
        return desk.uploaded(event._data)  # noqa: SLF001 - the only way to all that the script sent

    def chosen(event: Any) -> str:
        return desk.example(examples[int(event.index) % len(examples)])

    def discarded(event: Any) -> None:
        desk.discard(event._data)  # noqa: SLF001 - as above

    for handler in (uploaded, chosen, discarded):
        # Gradio hands over what a script sent where it finds this type; it is not known before `import`.
        handler.__annotations__["event"] = gr.EventData

    def predict(file: Any) -> dict[str, Any]:
        return desk.predict(file)

    predict.__annotations__.update({"file": gr.FileData, "return": dict})
    predict.__doc__ = type(desk).predict.__doc__
    # In the browser, at once: whatever comes next, the old verdict is gone before it.
    for source in (zone, answer):
        source.clear(None, outputs=answer, js=f"() => {json.dumps(_EMPTY)}", api_visibility="private")
    zone.upload(uploaded, outputs=answer, show_progress="full", **_MODEL, **_PRIVATE)
    zone.select(chosen, outputs=answer, show_progress="full", **_MODEL, **_PRIVATE)
    zone.delete(discarded, queue=False, show_progress="hidden", **_PRIVATE)
    gr.api(predict, api_name="predict", **_MODEL)


def _header(desk: Desk) -> str:
    return f"""
<p class="ts-banner" role="alert"><svg class="ts-icon" viewBox="0 0 24 24" aria-hidden="true"><circle cx="12"
cy="12" r="9"/><path d="M12 11v5.5M12 7.5v.3"/></svg><span>{escape(RESEARCH_USE)}</span></p>
<div class="ts-title"><h1>tumorscan</h1><p>Brain-tumor detector for MRI pictures</p>
<p class="ts-model">Model <b>{escape(desk.detector.model)}</b></p></div>"""


def _zone(desk: Desk, examples: list[tuple[Path, str]]) -> str:
    limit = desk.inbox.limits.max_bytes
    return f"""
<div class="ts-zone" data-max-bytes="{limit}">
  <input type="file" id="ts-file" aria-describedby="ts-hint">
  <label class="ts-target" for="ts-file"><svg class="ts-icon" viewBox="0 0 24 24" aria-hidden="true">
  <path d="M12 16V4m0 0L7.5 8.5M12 4l4.5 4.5M4 15v4a1.5 1.5 0 0 0 1.5 1.5h13A1.5 1.5 0 0 0 20 19v-4"/></svg>
  <b>Drop an MRI picture</b><span>or click to choose a file</span></label>
  <button type="button" class="ts-button" data-paste>Paste from the clipboard</button>
  <p class="ts-status" role="status"></p>
  <p class="ts-quiet" id="ts-hint">PNG, JPEG, BMP, TIFF or WebP, 8 or 16 bit, up to {limit // 2**20} MiB. It
  stays on the machine that serves this page and is deleted as soon as it is read.</p>
</div>
<section class="ts-examples" aria-label="Examples"><h2>Or try an example</h2><ul>
{"".join(_example(i, file, text) for i, (file, text) in enumerate(examples))}</ul>
<p class="ts-quiet">Drawn by a program; no person's picture.</p></section>"""


def _example(index: int, file: Path, text: str) -> str:
    with Image.open(file) as image:
        uri = data_uri(np.asarray(image.convert("RGB")), _THUMBNAIL * 2)
    return (
        f'<li><button type="button" data-example="{index}"><img src="{uri}" alt="" width="{_THUMBNAIL}" '
        f'height="{_THUMBNAIL}"><span>{escape(text)}</span></button></li>'
    )


def _about(desk: Desk) -> str:
    point = desk.detector.operating_point
    return f"""
<details class="ts-about"><summary>About the model and its threshold</summary>
{table([("Model", desk.detector.model), *point_rows(point, desk.detector.band)])}
<p>The probability is calibrated: the network's own score is brought to a scale on which it can be read as a
frequency. It is calibrated for pictures like those of the fit, and says less of pictures from other scanners
and other hospitals. The model tells tumor from no tumor; other diseases it does not see.</p>
</details>"""
