"""The page: drop a picture, read the verdict. The detector and the reader are the command line's."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tumorscan.app.page.build import build_page, draw_examples
    from tumorscan.app.page.serve import address, serve

__all__ = ["address", "build_page", "draw_examples", "serve"]

_HOMES = {"address": "serve", "serve": "serve", "build_page": "build", "draw_examples": "build"}


def __getattr__(name: str) -> Any:
    # On first use: the desk needs the page's words, and the page the desk.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
