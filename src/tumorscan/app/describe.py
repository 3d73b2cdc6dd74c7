"""What a bundle is, as the command line's `info` and the API's `/v1/model` tell it."""

from __future__ import annotations

from typing import Any

from tumorscan.config import to_table
from tumorscan.model.bundle import Manifest
from tumorscan.types import OperatingPoint


def describe(manifest: Manifest) -> dict[str, Any]:
    """A bundle's own account of itself, for JSON."""
    band = manifest.band
    return {
        "model": manifest.title,
        "created": manifest.created,
        "code_version": manifest.code_version,
        "temperature": manifest.temperature,
        "calibration": manifest.calibrated.words if manifest.calibrated else None,
        "operating_points": [_point(point) for point in manifest.operating_points],
        "band": {"low": band.low, "high": band.high, "statement": band.statement} if band else None,
        "prepare": to_table(manifest.settings.prepare),
        "lineage": dict(manifest.lineage),
        "looks": dict(manifest.looks),
        "files": sorted(manifest.files),
    }


def _point(point: OperatingPoint) -> dict[str, Any]:
    return {
        "name": point.name,
        "threshold": point.threshold,
        "aim": point.aim,
        "sensitivity": str(point.sensitivity),
        "specificity": str(point.specificity),
        "level": point.level,
        "guaranteed": point.guaranteed,
        "statement": point.statement,
        "fitted_on": point.fitted_on,
    }
