"""`tumorscan deidentify`: DICOM files without the patient, for research data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscan.app.commands.shared import add_json, emit, say
from tumorscan.errors import EnvironmentProblem, SettingsError, UnreadableScan

if TYPE_CHECKING:
    from tumorscan.deliver.pseudonyms import Pseudonyms

HELP = "copies of DICOM files without the patient (Basic Profile of the standard)"
DESCRIPTION = """\
Writes each DICOM picture of IN (a file, folder or zip) to the new folder OUT without what identifies the
patient: the Basic Profile of PS3.15, sequences and private elements included. UIDs and the patient's number
become pseudonyms by a secret, so a study stays one study; with --salt-file another run gives the same ones.
Pixels stay as they are: text that may be burnt into them is warned of. Check copies before sharing them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("source", type=Path, metavar="IN", help="a DICOM file, a folder or a zip")
    parser.add_argument("out", type=Path, metavar="OUT", help="new folder")
    parser.add_argument(
        "--salt-file",
        type=Path,
        metavar="FILE",
        help="the secret of the pseudonyms, made where it is not there; who has it can tell which patient is "
        "which (default: a secret that is not kept)",
    )
    parser.add_argument(
        "--keep-characteristics", action="store_true", help="keep sex, age (over 89: 90), size and weight"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Write the copies; exit code 3 where a file was refused."""
    _check(options)
    pseudonyms = _pseudonyms(options)
    written, refused, warnings = _copies(options, pseudonyms)
    for line in (*warnings, *refused):
        say(line)
    table = {"out": str(options.out), "files": written, "warnings": warnings, "refused": refused}
    text = f"{written} files without the patient -> {options.out}"
    emit(options, table, text + (f", {len(refused)} refused" if refused else ""))
    return UnreadableScan.exit_code if refused else 0


def _check(options: argparse.Namespace) -> None:
    out = options.out.resolve()
    if options.salt_file and out in options.salt_file.resolve().parents:
        raise SettingsError(
            f"{options.salt_file}: the secret may not lie among the copies: keep it elsewhere"
        )
    try:
        full = options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir()))
    except OSError as error:
        raise EnvironmentProblem(
            f"{options.out}: {error.strerror}: name a folder that can be written"
        ) from error
    if full:
        raise EnvironmentProblem(
            f"{options.out}: is not empty: name a new folder, so that nothing is overwritten"
        )


def _pseudonyms(options: argparse.Namespace) -> Pseudonyms:
    from tumorscan.deliver.pseudonyms import fresh_pseudonyms, kept_pseudonyms

    return kept_pseudonyms(options.salt_file) if options.salt_file else fresh_pseudonyms()


def _copies(options: argparse.Namespace, pseudonyms: Pseudonyms) -> tuple[int, list[str], list[str]]:
    from tumorscan.atomic import atomic_write_bytes
    from tumorscan.deliver.deidentify import deidentify
    from tumorscan.read.study import DEFAULT_LIMITS, sources_of

    written, odd = 0, dict[str, list[str]]()
    with sources_of(options.source, DEFAULT_LIMITS) as (sources, left_out):
        refused = list(left_out)
        for source in sources:
            try:
                cleaned = deidentify(
                    source, pseudonyms, DEFAULT_LIMITS, keep_characteristics=options.keep_characteristics
                )
            except UnreadableScan as problem:
                refused.append(str(problem))
                continue
            if (target := options.out / cleaned.path).exists():
                refused.append(f"{source.name}: has the UID of a file before it: left out")
                continue
            atomic_write_bytes(target, cleaned.data)
            for warning in cleaned.warnings:
                odd.setdefault(warning, []).append(source.name)
            written += 1
    if not written:
        cause = "holds no DICOM picture" if not refused else refused[0].removeprefix(f"{options.source}: ")
        raise UnreadableScan(str(options.source), cause)
    warnings = [f"{_some(files)}: {warning}" for warning, files in odd.items()]
    return written, refused, warnings


def _some(files: list[str]) -> str:
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
