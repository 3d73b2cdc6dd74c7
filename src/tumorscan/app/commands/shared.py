"""Arguments and output that several commands have in common."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tumorscan.config import PRESETS, SHIPPED, Settings, changed, preset, read_settings
from tumorscan.errors import SettingsError

if TYPE_CHECKING:
    from tumorscan.app.commands import Command
    from tumorscan.study.crossval import Repeats
    from tumorscan.study.opened import Trial

RESEARCH_USE = "Research and teaching software: not a medical device, never a diagnosis."


def add_command(
    kinds: argparse._SubParsersAction[argparse.ArgumentParser], name: str, command: Command
) -> argparse.ArgumentParser:
    """A command among others, with its help and its arguments; its parser."""
    parser = kinds.add_parser(
        name,
        help=command.HELP,
        description=command.DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    return parser


def add_json(parser: argparse.ArgumentParser, what: str = "one JSON object instead of text") -> None:
    """The flag that makes a command speak to programs."""
    parser.add_argument("--json", action="store_true", help=what)


def add_settings(parser: argparse.ArgumentParser, default: str = "original") -> None:
    """A preset by name, or settings from a file."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--preset", choices=list(PRESETS), default=default, help=f"default: {default}")
    group.add_argument(
        "--settings", type=Path, metavar="TOML", help="settings from a file, laid over its preset"
    )
    _add_set(parser)


def add_recipe(parser: argparse.ArgumentParser, default: str) -> None:
    """What a training needs besides its data: settings, and where the weights come from."""
    parser.add_argument(
        "--weights",
        metavar="SOURCE",
        help="imagenet (download), none, default (the shipped ones), or a .npz, .weights.h5 or .keras file",
    )
    add_settings(parser, default)


def add_repeated_folds(parser: argparse.ArgumentParser, out: str) -> None:
    """What a repeated cross-validation needs; `out` says what the folder is of."""
    parser.add_argument("sources", nargs="+", type=Path, metavar="FOLDER|CSV")
    parser.add_argument("--out", type=Path, required=True, help=out)
    parser.add_argument("--repeats", type=int, default=5, help="default: 5")
    parser.add_argument("--folds", type=int, default=5, help="default: 5")
    add_recipe(parser, "original")
    add_json(parser)


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one setting, as in --set prepare.denoise.method=off; may be repeated",
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Which bundle answers, on which engine."""
    parser.add_argument(
        "--model",
        type=Path,
        default=SHIPPED,
        metavar="BUNDLE",
        help="folder of a bundle, or of a finished run (default: the shipped one)",
    )
    parser.add_argument(
        "--engine",
        default="auto",
        metavar="NAME",
        help="what runs the network: auto (default: the fastest exact one here), onnxruntime, openvino, "
        "keras, onnxruntime-int8 or openvino-int8",
    )


def add_where(parser: argparse._ActionsContainer) -> None:
    """Which rows of a csv are meant."""
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="only the csv rows that hold it; may be given several times",
    )


def selection(pairs: list[str]) -> dict[str, str]:
    """What `--where` selects, by column.

    Raises:
        SettingsError: no pair, or a column that is named twice.
    """
    chosen: dict[str, str] = {}
    for pair in pairs:
        column, sign, value = (part.strip() for part in pair.partition("="))
        if not sign or not column:
            raise SettingsError(f"--where {pair}: write COLUMN=VALUE, for example --where fold=5")
        if chosen.setdefault(column, value) != value:
            raise SettingsError(f"--where names the column {column} twice: no row holds both values")
    return chosen


def add_sets(parser: argparse.ArgumentParser) -> None:
    """A bundle that is tried on some sets, and where the report goes."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="folder of a bundle, or of a finished run")
    parser.add_argument("--sets", type=Path, nargs="+", required=True, metavar="CSV|FOLDER", help="the sets")
    add_where(parser)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="default: beside the bundle")
    parser.add_argument("--engine", default="auto", help="what runs the network (default: auto)")
    add_allow_leaks(parser, "measure although training has seen pictures; the report says so first")
    add_json(parser)


def add_operating_point(parser: argparse._ActionsContainer) -> None:
    """At which of the bundle's operating points."""
    parser.add_argument(
        "--operating-point",
        default="",
        metavar="NAME",
        help="screening, balanced, specific, or what the bundle has (default: its first; see `info --model`)",
    )


def add_allow_leaks(parser: argparse.ArgumentParser, what: str) -> None:
    """The flag that takes a split of which training has seen the test."""
    parser.add_argument("--allow-leaks", action="store_true", help=what)


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings that the arguments name."""
    settings = read_settings(options.settings) if options.settings else preset(options.preset)
    return changed(settings, options.set)


def recipe_of(options: argparse.Namespace) -> Settings:
    """The settings with their source of weights; a path is made absolute, so that a resume finds it."""
    settings, weights = settings_of(options), options.weights
    if weights is None:
        return settings
    source = weights if weights in ("imagenet", "none", "default") else str(Path(weights).resolve())
    return replace(settings, model=replace(settings.model, weights=source))


def repeats_of(options: argparse.Namespace) -> Repeats:
    """The cross-validation that the arguments of `add_repeated_folds` name."""
    from tumorscan.study.crossval import Repeats

    return Repeats(options.sources, recipe_of(options), options.out, options.repeats, options.folds)


def trial_of(options: argparse.Namespace, sets: Sequence[Path]) -> Trial:
    """The trial of a bundle that the arguments name, each set compared with what training has seen."""
    from tumorscan.study.external_leaks import check_against_run
    from tumorscan.study.opened import Trial

    progress = shows_progress(options)
    return Trial(
        options.model,
        sets,
        where=selection(options.where),
        out=options.out,
        engine=options.engine,
        leak_check=check_against_run(options.model, allow=options.allow_leaks, progress=progress, say=say),
        progress=progress,
        say=say,
    )


def emit(options: argparse.Namespace, table: dict[str, Any], text: str) -> None:
    """Print the result for a program or for a person."""
    print(json.dumps(table) if options.json else text)


def say(line: str) -> None:
    """A line of progress, on stderr so that stdout stays the result's."""
    print(line, file=sys.stderr, flush=True)


def shows_progress(options: argparse.Namespace) -> bool:
    """Bars are for people at a terminal."""
    return sys.stderr.isatty() and not options.json
