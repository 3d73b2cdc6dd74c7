"""The page: drop a picture, read the verdict. The detector and the reader are the command line's."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tumorscan.app.page.build import build_page, draw_examples

__all__ = ["build_page", "draw_examples"]


def __getattr__(name: str) -> Any:
    # On first use: the desk needs the page's words, and the page the desk.
    if name in __all__:
        return getattr(import_module(f"{__name__}.build"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
