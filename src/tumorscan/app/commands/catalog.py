"""`tumorscan catalog`: what is in a data set."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from tumorscan.app.commands.shared import add_json, emit, say, shows_progress

HELP = "list, label, hash and group the pictures of a data set"
DESCRIPTION = """\
Lists the pictures of folders or csv files with label, size, a hash of the decoded pixels and a group.
Labels come from folder names (yes/no, tumor/no_tumor, tumour/notumor ...) or the csv's columns
`file,label` (optional: group, patient, source). Exact copies are one group.
Unreadable files are listed and skipped."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("sources", nargs="+", type=Path, metavar="FOLDER|CSV")
    parser.add_argument("--out", type=Path, default=Path("catalog.csv"), help="default: catalog.csv")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Build and write the catalog; exit code 0 also where files were skipped."""
    from tumorscan.data.catalog import build_catalog, conflicts, write_catalog

    catalog = build_catalog(options.sources, progress=shows_progress(options))
    write_catalog(catalog, options.out)
    for skipped in catalog.skipped:
        say(f"skipped {skipped.file}: {skipped.cause}")
    clashes = conflicts(catalog)
    for clash in clashes:
        say(f"conflict, to be decided by a person: {clash}")
    records = catalog.records
    labels = Counter(record.label for record in records)
    table = {
        "out": str(options.out),
        "pictures": len(records),
        "tumor": labels["tumor"],
        "no_tumor": labels["no_tumor"],
        "distinct": len({record.pixels_sha256 for record in records}),
        "groups": len({record.group for record in records}),
        "conflicts": len(clashes),
        "skipped": len(catalog.skipped),
    }
    text = (
        f"{table['pictures']} pictures ({table['tumor']} tumor, {table['no_tumor']} no tumor), "
        f"{table['distinct']} distinct, {table['groups']} groups, {table['conflicts']} conflicts, "
        f"{table['skipped']} skipped -> {options.out}"
    )
    emit(options, table, text)
    return 0
