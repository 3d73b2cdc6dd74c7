"""`tumorscan info`: what this installation, or a bundle, is and can do."""

from __future__ import annotations

import argparse
import platform
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args, get_type_hints

import tumorscan
from tumorscan.app.commands.shared import add_json, emit
from tumorscan.config import PRESETS, ModelSettings

HELP = "what this installation can do, or what a bundle is"
DESCRIPTION = """\
Without --model: version, presets, trunks and which extras are installed. With --model: what the bundle
says of itself, after its files were verified."""

_WIDTH = 100
_EXTRAS = {"original": "skimage", "train": "keras", "app": "gradio", "openvino": "openvino"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--model", type=Path, metavar="BUNDLE", help="folder of a bundle or a run")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    table = _of_bundle(options.model) if options.model else _of_installation()
    emit(options, table, "\n".join(_outline(table)))
    return 0


def _of_installation() -> dict[str, Any]:
    from tumorscan.data.batches import default_cache
    from tumorscan.detect.engines import ENGINES

    return {
        "version": tumorscan.__version__,
        "python": platform.python_version(),
        "presets": list(PRESETS),
        "trunks": list(get_args(get_type_hints(ModelSettings)["trunk"])),
        "engines": {name: runtime.installed for name, runtime in ENGINES.items()},
        "extras": {extra: find_spec(module) is not None for extra, module in _EXTRAS.items()},
        "cache": str(default_cache()),
    }


def _of_bundle(path: Path) -> dict[str, Any]:
    from tumorscan.app.describe import describe
    from tumorscan.model.bundle import read_bundle

    return describe(read_bundle(path).manifest)


def _outline(table: dict[str, Any], margin: str = "") -> list[str]:
    """A nested table as indented lines: what fits beside its key stands there."""
    lines = []
    for key, value in table.items():
        beside = f"{margin}{key}: {_beside(value)}"
        inside = value if isinstance(value, list) else [value]
        if len(beside) <= _WIDTH or not any(isinstance(one, dict) for one in inside):
            lines.append(beside)
            continue
        lines.append(f"{margin}{key}:")
        for i, one in enumerate(inside):
            lines += [""] * (i > 0)
            lines += _outline(one, f"{margin}  ") if isinstance(one, dict) else [f"{margin}  {_beside(one)}"]
    return lines


def _beside(value: Any) -> str:
    """A value in one line; an interval as everywhere else."""
    if isinstance(value, dict) and value.keys() >= {"value", "low", "high", "method"}:
        from tumorscan.jsonable import interval_from

        return str(interval_from(value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_beside(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_beside, value))
    if value is None or isinstance(value, bool):
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)
