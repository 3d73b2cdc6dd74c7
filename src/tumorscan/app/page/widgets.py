"""What several tabs are made of: blocks of HTML with a script, drop zones, and how events are wired."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any, Final

from tumorscan.app.desk import Desk, guarded, refused
from tumorscan.app.look import static
from tumorscan.app.page import parts
from tumorscan.app.page.answer import empty_html, refusal_html
from tumorscan.app.page.texts import LANGUAGES, html, language_of, raw
from tumorscan.errors import UnreadableScan

if TYPE_CHECKING:
    from tumorscan.app.page.words import Words

PRIVATE: Final[dict[str, Any]] = {"api_visibility": "private", "trigger_mode": "multiple"}
"""Of events that are the page's own: no name in the API, none an MCP tool."""

_AT_ONCE: Final = 16
_ZONE_TEXTS: Final = (
    *("sending", "others_left", "clipboard_empty", "clipboard_closed", "too_large", "not_sent"),
    "refusal",
)


Told = tuple[Any, Callable[[str], str]]
"""A block that tells of the model, and what gives its HTML in a language."""


def model_line(desk: Desk) -> dict[str, Any]:
    """Of events that run the network: they stand in one line, or in a service's, which is a wider one."""
    return {"concurrency_limit": _AT_ONCE if desk.shared else 1, "concurrency_id": "model"}


def block(value: Any, name: str, script: str | None = None) -> Any:
    """A `gradio.HTML` with nothing of Gradio's own look.

    Args:
        value: HTML, or a mark of `Words`.
        name: its id on the page.
        script: a file of `app/static`.
    """
    import gradio as gr

    loaded = static(script) if script else None
    return gr.HTML(value, elem_id=name, js_on_load=loaded, apply_default_css=False)


def zone_and_answer(words: Words, name: str, zone: Callable[[str], str], script: str) -> tuple[Any, Any, str]:
    """The two columns of a tab: what is handed in, and what is said of it.

    Args:
        words: of the page.
        name: of the tab; its texts are named after it.
        zone: HTML of the left column in a language.
        script: a file of `app/static` for the answer.

    Returns:
        The zone, the answer, and JavaScript that empties the answer. A zone that is cleared already does.
    """
    import gradio as gr

    def empty(language: str) -> str:
        return empty_html(language, f"{name}_empty")

    with gr.Row(elem_classes="ts-main"):
        with gr.Column(scale=2, min_width=300, elem_classes="ts-left"):
            left = block(words.block(f"zone_{name}", zone), f"ts-{name}-drop", "drop.js")
        with gr.Column(scale=5, min_width=320, elem_classes="ts-right"):
            right = block(words.block(f"empty_{name}", empty), f"ts-{name}-answer", script)
    clear = in_browser(empty)
    left.clear(None, outputs=right, js=clear, api_visibility="private")
    return left, right, clear


def zone_html(
    language: str, name: str, *, title: str, hint: str, max_bytes: int, max_files: int = 1, more: str = ""
) -> str:
    """A zone that takes files by drop, click and paste.

    Args:
        language: of its texts.
        name: unique on the page; its input is ``{name}-file``.
        title: key of what to drop.
        hint: what it takes, as text.
        max_bytes: of one file.
        max_files: at once.
        more: HTML inside the zone, options say, whose inputs marked `data-option` are sent along.
    """
    texts = json.dumps({key: raw(language, key) for key in _ZONE_TEXTS}, ensure_ascii=False)
    paste = (
        f'<button type="button" class="ts-button" data-paste>{html(language, "paste")}</button>'
        if max_files == 1
        else ""
    )
    return f"""
<div class="ts-zone" lang="{language}" data-max-bytes="{max_bytes}" data-max-files="{max_files}"
  data-texts="{escape(texts)}">
  <input type="file" id="{name}-file" aria-describedby="{name}-hint"{" multiple" if max_files > 1 else ""}>
  <label class="ts-target" for="{name}-file">{parts.icon(parts.SEND)}
  <b>{html(language, title)}</b><span>{html(language, "drop_click")}</span></label>
  {paste}<p class="ts-status" role="status"></p>
  <p class="ts-quiet" id="{name}-hint">{escape(hint)} {html(language, "hint_stays")}</p>{more}
</div>"""


def in_browser(make: Callable[[str], str]) -> str:
    """A script that gives HTML in the browser's language at once, without asking the server.

    Args:
        make: language to HTML.
    """
    made = json.dumps({language: make(language) for language in LANGUAGES})
    german = 'navigator.language.toLowerCase().split("-")[0] === "de"'
    return f'() => ({made})[{german} ? "de" : "en"]'


def heard(handler: Callable[[Any, str], Any]) -> Callable[..., Any]:
    """A handler for Gradio that gets what a script sent and the language of the browser.

    Args:
        handler: gets the data of the event, and the language; gives HTML or nothing.
    """
    import gradio as gr

    def event_of(event: Any, request: Any) -> Any:
        language = browser_language(request)
        # Whatever goes wrong, the page says so: Gradio would leave the old answer where it is.
        sent = event._data  # noqa: SLF001 - the only way to all that was sent
        made = guarded("tumorscan", lambda: handler(sent, language))
        return refusal_html(made, language) if isinstance(made, UnreadableScan) else made

    return _annotated(event_of, gr)


def heard_often(handler: Callable[[Any, str], Iterator[Any]]) -> Callable[..., Any]:
    """As `heard`, of a handler that gives its answer in parts."""
    import gradio as gr

    def event_of(event: Any, request: Any) -> Iterator[Any]:
        language = browser_language(request)
        parts_of = handler(event._data, language)  # noqa: SLF001 - as above
        try:
            yield from parts_of
        except Exception as error:  # noqa: BLE001 - as above: the page says so
            yield refusal_html(refused("tumorscan", error), language)

    return _annotated(event_of, gr)


def _annotated(event_of: Callable[..., Any], gr: Any) -> Callable[..., Any]:
    # Gradio hands these over where it finds their types, which are not known before `import`.
    event_of.__annotations__.update({"event": gr.EventData, "request": gr.Request})
    return event_of


def browser_language(request: Any) -> str:
    """The language of the browser that asks."""
    headers = getattr(request, "headers", None) or {}
    return language_of(headers.get("accept-language"))


def size_text(count: int) -> str:
    """Bytes as people read them."""
    return f"{count // 2**20} MiB" if count >= 2**20 else f"{count // 1000} kB"
