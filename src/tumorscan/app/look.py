"""How the page looks: theme, style sheet and scripts, all from this package or from Gradio's."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from tumorscan.errors import require

_SANS = ["system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
_MONO = ["ui-monospace", "SFMono-Regular", "Consolas", "monospace"]


def page_theme() -> Any:
    """A quiet theme in fonts that the reader's machine has, so that none is asked for elsewhere."""
    require("gradio", "app")
    import gradio as gr

    return gr.themes.Base(primary_hue="teal", neutral_hue="slate", font=_SANS, font_mono=_MONO)


def page_style() -> str:
    """The style sheet."""
    return static("page.css")


def static(name: str) -> str:
    """A text file of `app/static`."""
    return files("tumorscan.app").joinpath("static", name).read_text(encoding="utf-8")
