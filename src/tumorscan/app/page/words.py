"""Blocks of HTML that the browser shows in the reader's language, by Gradio's I18n."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tumorscan.app.page.texts import LANGUAGES, say

if TYPE_CHECKING:
    from collections.abc import Mapping


class Words:
    """Collects what stands on the page in every language; the browser chooses.

    Gradio translates texts and HTML alike by a key, so a block is made once in each language.
    """

    def __init__(self) -> None:
        self._by_language: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}

    def block(self, key: str, make: Callable[[str], str]) -> Any:
        """A mark for what `make` gives in each language.

        Args:
            key: unique on the page.
            make: language to HTML or text.
        """
        from gradio.i18n import I18nData

        for language, made in self._by_language.items():
            made[key] = make(language)
        return I18nData(key)

    def text(self, key: str) -> Any:
        """A mark for a text of `texts`."""
        return self.block(key, lambda language: say(language, key))

    @property
    def translations(self) -> Mapping[str, Mapping[str, str]]:
        """By language and key."""
        return self._by_language

    def i18n(self) -> Any:
        """For `mount_gradio_app`."""
        import gradio as gr

        return gr.I18n(**self._by_language)
