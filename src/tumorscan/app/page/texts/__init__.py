"""What the page says, in English and German, by key; and what the rooms below say, in German."""

from __future__ import annotations

import re
from html import escape
from typing import Final

from tumorscan.app.page.texts.de import DE
from tumorscan.app.page.texts.en import EN
from tumorscan.app.page.texts.lower import german
from tumorscan.detect.decide import LEAST_SHOWN

LANGUAGES: Final = ("en", "de")
_CODE: Final = re.compile(r"`([^`]+)`")
_TEXTS: Final = {"en": EN, "de": DE}


def say(language: str, key: str, **values: object) -> str:
    """A text of the page, as plain text.

    Args:
        language: one of `LANGUAGES`.
        key: of the text.
        values: what stands in its braces.
    """
    return _TEXTS[language][key].format(**values)


def raw(language: str, key: str) -> str:
    """A text of the page with its braces, which a script in the browser fills in."""
    return _TEXTS[language][key]


def html(language: str, key: str, **values: object) -> str:
    """A text of the page as HTML: what acts in HTML is disarmed, and `what stands in backticks` is code."""
    text = _CODE.sub(r"<code>\1</code>", escape(_TEXTS[language][key]))
    return text.format(**{name: escape(str(value)) for name, value in values.items()})


def below(language: str, text: str) -> str:
    """HTML of what a room below said in English: in the language, or marked as English."""
    if language == "en":
        return escape(text)
    told = german(text)
    return f'<span lang="en">{escape(text)}</span>' if told is None else escape(told)


def number(language: str, value: float, digits: int = 1) -> str:
    """A number as the language writes it."""
    text = f"{value:.{digits}f}"
    return text.replace(".", ",") if language == "de" else text


def percent(language: str, share: float, digits: int = 1) -> str:
    """A share (0..1) in per cent."""
    return f"{number(language, 100 * share, digits)} %"


def chance(language: str, probability: float) -> str:
    """A probability for people: never 0 or 100 %, which no model knows."""
    if probability >= 1 - LEAST_SHOWN:
        return say(language, "over", value=percent(language, 0.999))
    if probability < LEAST_SHOWN:
        return say(language, "under", value=percent(language, 0.001))
    return percent(language, probability)


def language_of(accepted: str | None) -> str:
    """The language for a browser, by its `Accept-Language`: the first that it names, as its own scripts see it.

    Args:
        accepted: the header, of any content.
    """
    first = (accepted or "").partition(",")[0].partition(";")[0].strip().lower()
    return "de" if first.partition("-")[0] == "de" else "en"
