"""What settings check of themselves."""

from __future__ import annotations

from tumorscan.errors import SettingsError


def within(owner: object, name: str, low: float, high: float) -> None:
    """Refuse a setting outside of [low, high].

    Raises:
        SettingsError: it lies outside.
    """
    value = getattr(owner, name)
    if not low <= value <= high:
        raise SettingsError(f"{type(owner).__name__}.{name} is {value}: it must lie in [{low:g}, {high:g}]")
