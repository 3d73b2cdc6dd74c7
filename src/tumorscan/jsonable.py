"""Values for JSON, which has no nan: what is undefined or not finite becomes null."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from tumorscan.types import Interval


def jsonable(value: Any) -> Any:
    """Nested mappings, lists, tuples and arrays as dicts and lists; a float that is not finite as None."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(one) for key, one in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [jsonable(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def plain_interval(figure: Interval) -> dict[str, Any]:
    """An interval for JSON."""
    return {name: jsonable(value) for name, value in asdict(figure).items()}


def interval_from(table: Mapping[str, Any]) -> Interval:
    """The interval that `plain_interval` gave."""
    values: dict[str, Any] = {key: math.nan if value is None else value for key, value in table.items()}
    return Interval(**values)
