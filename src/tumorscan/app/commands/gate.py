"""`tumorscan gate`: what a bundle's gate refuses, and how it is fitted."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tumorscan.app.commands.shared import add_json, emit, say, shows_progress
from tumorscan.errors import BundleError, SettingsError

if TYPE_CHECKING:
    from tumorscan.detect.detector import Detector
    from tumorscan.detect.gate import Gate
    from tumorscan.study.gate import Refused, Seen

HELP = "fit or measure the gate that refuses what is no slice of a head"
DESCRIPTION = """\
tumorscan gate BUNDLE --negatives FOLDER --brains PATH...
  how much the bundle's gate refuses: of each kind of FOLDER (a subfolder each), and of each PATH, with exact
  binomial intervals.

tumorscan gate BUNDLE --fit SPLIT.csv [--negatives FOLDER] [--half] [--unseen-kinds] [--brains PATH...]
  fits a gate on the parts train and calibration of a run's split.csv and writes it into the bundle, then
  measures it. With --half the first half of each kind is for the fit and the second is measured; without,
  the fit sees all and what is measured of them is no test. --unseen-kinds also judges each kind by a gate
  that was fitted without it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", type=Path, metavar="BUNDLE", help="folder of a bundle, or of a finished run")
    parser.add_argument("--negatives", type=Path, metavar="FOLDER", help="pictures of other things, by kind")
    parser.add_argument("--brains", type=Path, nargs="+", default=[], metavar="PATH", help="slices of heads")
    parser.add_argument("--fit", type=Path, metavar="SPLIT", help="fit on this split.csv and write the gate")
    parser.add_argument("--half", action="store_true", help="keep half of each kind of negative apart")
    parser.add_argument("--unseen-kinds", action="store_true", help="judge each kind by a fit without it")
    parser.add_argument(
        "--most-refused", type=float, default=0.005, metavar="SHARE", help="of calibration (default: 0.005)"
    )
    parser.add_argument("--engine", default="auto", metavar="NAME", help="what runs the network")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Fit if asked to, then measure."""
    from tumorscan.detect.detector import load_detector
    from tumorscan.study.gate import kinds_of

    if not (options.fit or options.negatives or options.brains):
        raise SettingsError("nothing to do: name --negatives and --brains to measure, or --fit SPLIT.csv")
    if options.unseen_kinds and not (options.fit and options.negatives):
        raise SettingsError("--unseen-kinds goes with --fit and --negatives")
    kinds = kinds_of(options.negatives) if options.negatives else {}
    fitted, measured = _halves(kinds) if options.half else (kinds, kinds)
    detector = load_detector(options.model, options.engine)
    parts: dict[str, list[Refused]] = {}
    gate = detector.gate
    if options.fit:
        gate, unseen = _fit(options, detector, fitted)
        if options.unseen_kinds:
            parts["kinds that the fit had not seen"] = unseen
    if gate is None:
        raise BundleError(f"{options.model}: has no gate: fit one with --fit SPLIT.csv")
    parts |= _measured(options, detector, gate, measured)
    emit(options, _table(gate, parts), _text(gate, parts))
    return 0


def _halves(kinds: Mapping[str, list[Path]]) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """First and second half by name: neighbours in a series are alike and stay on one side."""
    first = {kind: files[: len(files) // 2] for kind, files in kinds.items()}
    return first, {kind: files[len(files) // 2 :] for kind, files in kinds.items()}


def _fit(
    options: argparse.Namespace, detector: Detector, kinds: Mapping[str, list[Path]]
) -> tuple[Gate, list[Refused]]:
    from tumorscan.data.split import read_split
    from tumorscan.evaluate.card import write_card
    from tumorscan.study.gate import add_gate, fit, unseen_kinds

    split = read_split(options.fit)
    train, calibration = (
        _see(options, detector, [record.file for record in split.parts[name]])
        for name in ("train", "calibration")
    )
    negatives = {kind: _see(options, detector, files) for kind, files in kinds.items()}
    gate = fit(train, calibration, negatives, options.most_refused)
    fitted_on = {
        "train": len(train.embeddings),
        "calibration": len(calibration.embeddings),
        "negatives": {kind: len(seen.embeddings) for kind, seen in negatives.items()},
        "most_refused": options.most_refused,
    }
    write_card(add_gate(detector.bundle, gate, fitted_on))
    if not options.unseen_kinds:
        return gate, []
    return gate, unseen_kinds(train, calibration, negatives, options.most_refused)


def _measured(
    options: argparse.Namespace, detector: Detector, gate: Gate, kinds: Mapping[str, list[Path]]
) -> dict[str, list[Refused]]:
    from tumorscan.app.commands.listing import list_items
    from tumorscan.study.gate import refused

    heads = {str(path): [Path(item.file) for item in list_items([path]).items] for path in options.brains}
    sets = {"no slices of heads": kinds, "slices of heads": heads}
    return {
        what: [refused(gate, name, _see(options, detector, files)) for name, files in groups.items()]
        for what, groups in sets.items()
        if groups
    }


def _see(options: argparse.Namespace, detector: Detector, files: Sequence[Path]) -> Seen:
    from tumorscan.study.gate import see

    seen = see(detector, files, progress=shows_progress(options))
    for error in seen.unread:
        say(f"not readable: {error}")
    return seen


def _table(gate: Gate, parts: Mapping[str, Sequence[Refused]]) -> dict[str, Any]:
    from tumorscan.study.gate import pooled

    shares = {what: [row.to_table() for row in (*rows, pooled(rows))] for what, rows in parts.items()}
    return {"threshold": float(gate.threshold), **shares}


def _text(gate: Gate, parts: Mapping[str, Sequence[Refused]]) -> str:
    from tumorscan.study.gate import pooled

    lines = [f"gate, limit {float(gate.threshold):.3f}: share refused"]
    for what, rows in parts.items():
        lines += [what, *(row.to_text() for row in (*rows, pooled(rows)))]
    return "\n".join(lines)
