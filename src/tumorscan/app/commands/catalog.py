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
`file,label` (optional: group, patient, source). One group joins exact copies, near copies (resaved,
resized, sharpened, blurred, other margins or brightness, mirrored, flipped, turned) and pictures of one
patient. What is one picture and bears two labels is listed for a person to decide, and written to
<stem of --out>.conflicts.csv; unreadable files are skipped, and listed in <stem of --out>.skipped.csv."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("sources", nargs="+", type=Path, metavar="FOLDER|CSV")
    parser.add_argument("--out", type=Path, default=Path("catalog.csv"), help="default: catalog.csv")
    parser.add_argument("--exact-only", action="store_true", help="do not look for near copies")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Build and write the catalog; exit code 0 also where files were skipped."""
    from tumorscan.data.catalog import build_catalog, conflicts, write_catalog

    catalog = build_catalog(options.sources, near=not options.exact_only, progress=shows_progress(options))
    write_catalog(catalog, options.out)
    for skipped in catalog.skipped:
        say(f"skipped {skipped.file}: {skipped.cause}")
    for source in options.sources:
        _warn_of_folds(source)
    clashes = conflicts(catalog)
    for clash in clashes:
        say(f"conflict, to be decided by a person: {clash}")
    if clashes:
        say(f"conflicts -> {options.out.with_name(f'{options.out.stem}.conflicts.csv')}")
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


def _warn_of_folds(source: Path) -> None:
    from tumorscan.data.sources import divided_patients

    divided = divided_patients(source) if source.suffix.lower() == ".csv" else []
    if divided:
        say(
            f"warning: {source}: its column fold divides {len(divided)} patients "
            f"(the first is {divided[0]}): "
            "a test on one of its folds is a test on patients of the others"
        )
