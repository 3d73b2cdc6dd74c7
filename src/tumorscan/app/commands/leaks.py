"""`tumorscan leaks`: what training has seen of a test set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tumorscan.app.commands.shared import add_json, emit, say, shows_progress
from tumorscan.errors import DataError

if TYPE_CHECKING:
    from tumorscan.study.leaks import Leaks

HELP = "count the test pictures that training has a copy of"
DESCRIPTION = """\
Compares two folders or csv files (column `file`; a catalog will do; labels are not needed): how many
pictures of TEST have an exact twin in TRAIN, a near twin (resaved, resized, sharpened, other margins or
brightness, mirrored, flipped, turned), or the same patient (where a csv has the column `patient`).
--out writes leaks.csv, with every copy (of a patient one pair a test picture), and leaks.png, a gallery.
Exit code 4 where anything leaks, 0 where nothing does."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("train", type=Path, metavar="TRAIN", help="folder or csv")
    parser.add_argument("test", type=Path, metavar="TEST", help="folder or csv")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where leaks.csv and leaks.png go")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Compare; the exit code says whether there is a leak."""
    from tumorscan.study.leak_sides import read_side
    from tumorscan.study.leaks import find_leaks

    progress = shows_progress(options)
    train, test = (read_side(path, progress=progress) for path in (options.train, options.test))
    for skipped in (*train.skipped, *test.skipped):
        say(f"skipped {skipped.file}: {skipped.cause}")
    prints = {**train.fingerprints, **test.fingerprints}
    leaks = find_leaks(train.members, test.members, fingerprints=prints, progress=progress)
    table = {**leaks.to_table(), "pairs": len(leaks.pairs), "skipped": len(train.skipped) + len(test.skipped)}
    if options.out:
        table |= _write(leaks, options.out)
    emit(options, table, _text(leaks, table))
    return DataError.exit_code if leaks else 0


def _write(leaks: Leaks, folder: Path) -> dict[str, Any]:
    from tumorscan.atomic import atomic_write_bytes
    from tumorscan.study.leak_gallery import chosen, gallery
    from tumorscan.study.leaks import write_leaks

    write_leaks(leaks, folder / "leaks.csv")
    if not leaks:
        (folder / "leaks.png").unlink(missing_ok=True)
        return {"csv": str(folder / "leaks.csv")}
    atomic_write_bytes(folder / "leaks.png", gallery(chosen(leaks.pairs)))
    return {"csv": str(folder / "leaks.csv"), "gallery": str(folder / "leaks.png")}


def _text(leaks: Leaks, table: dict[str, Any]) -> str:
    from tumorscan.study.leak_pairs import KINDS

    counts = leaks.counts()
    lines = [f"{leaks.tested} test pictures against {leaks.trained} of training"]
    shown = {kind: words for kind, words in KINDS.items() if kind != "group"}
    for kind, words in {**shown, "any": "any of these"}.items():
        lines.append(f"  {words:18}{counts[kind]:7}{counts[kind] / leaks.tested:9.1%}")
    lines += [f"{name} -> {table[name]}" for name in ("csv", "gallery") if name in table]
    return "\n".join(lines)
