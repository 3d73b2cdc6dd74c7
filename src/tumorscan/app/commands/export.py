"""`tumorscan export`: a bundle that answers without TensorFlow."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tumorscan.app.commands.shared import add_json, emit, say, shows_progress

if TYPE_CHECKING:
    from tumorscan.study.export import Exported
    from tumorscan.study.parity import Parity

HELP = "write a run's network as ONNX into its bundle, so that it answers without TensorFlow"
DESCRIPTION = """\
Adds to the bundle: model.onnx (float32) and model.int8.onnx with their arrays, head.npz (to explain
answers with) and parity.json, which compares them with the trained network at batch 1 and 7. Refuses,
and writes nothing, when the float32 export differs by more than 0.001 in a logit. int8 is left out when
it changes more than 0.5 % of the decisions or 0.002 of AUC. `tumorscan train` ends with the float32 part."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", type=Path, metavar="RUN|BUNDLE")
    parser.add_argument(
        "--int8",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also the int8 twin (default: yes)",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        type=Path,
        default=[],
        metavar="FOLDER|CSV",
        help="more pictures to compare on, besides the run's training, validation and calibration splits",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Export, compare, and add to the bundle."""
    from tumorscan.study.export_run import export_run

    exported = export_run(
        options.model, options.data, int8=options.int8, progress=shows_progress(options), say=say
    )
    emit(options, _table(exported), _text(exported))
    return 0


def _table(exported: Exported) -> dict[str, Any]:
    return {
        "bundle": str(exported.bundle.folder),
        "model": exported.bundle.manifest.title,
        "pictures": len(exported.pictures.pictures),
        "source": exported.pictures.source,
        "caveat": exported.pictures.caveat,
        "fp32": [row.to_table() for row in exported.exact],
        "int8": [row.to_table() for row in exported.int8],
        "int8_refused": exported.int8_refused,
    }


def _text(exported: Exported) -> str:
    lines = [f"{exported.bundle.manifest.title} -> {exported.bundle.folder}"]
    lines += _rows(exported.exact) + _rows(exported.int8)
    lines += [f"int8 left out: {exported.int8_refused}"] * bool(exported.int8_refused)
    lines += [f"judged on {exported.pictures.caveat}"] * bool(exported.pictures.caveat)
    return "\n".join(lines)


def _rows(rows: Sequence[Parity]) -> list[str]:
    return [
        f"  {row.engine:17} batch {row.batch}: logit differs by {row.largest:.2g} at most, {row.mean:.2g} on "
        f"average; {row.decisions_differ} of {row.pictures} decisions; AUC by {row.auc_difference:.4f}; "
        f"map correlation {row.map_correlation:.4f}"
        for row in rows
    ]
