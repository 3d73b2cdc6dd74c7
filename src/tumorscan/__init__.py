"""tumorscan: a brain-tumor detector for MRI pictures. Research and teaching software, never a diagnosis."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tumorscan.detect.detector import Detector, load_detector
    from tumorscan.prepare.pipeline import prepare
    from tumorscan.read import read_scan
    from tumorscan.types import Finding, Scan

__version__ = "0.1.0"

__all__ = ["Detector", "Finding", "Scan", "__version__", "load_detector", "prepare", "read_scan"]

_HOMES = {
    "Detector": "tumorscan.detect.detector",
    "Finding": "tumorscan.types",
    "Scan": "tumorscan.types",
    "load_detector": "tumorscan.detect.detector",
    "prepare": "tumorscan.prepare.pipeline",
    "read_scan": "tumorscan.read",
}


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that `import tumorscan` stays instant."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tumorscan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
