"""Make the bundle of a finished run the shipped one, and pin its verdicts on the examples.

    python tools/ship.py runs/default

Look at `git diff examples/verdicts.csv` before committing: a verdict that changed is a change for users.
"""

from __future__ import annotations

import argparse
import csv
import io
import shutil
from pathlib import Path

from tumorscan import load_detector, read_scan
from tumorscan.atomic import atomic_write_text
from tumorscan.config import SHIPPED
from tumorscan.evaluate.card import write_card
from tumorscan.model.bundle import read_bundle

EXAMPLES = Path(__file__).parents[1] / "examples"
PINNED = EXAMPLES / "verdicts.csv"


def main() -> None:
    """Copy, then ask it about every example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished run, with gate and tumor types fitted")
    bundle = read_bundle(parser.parse_args().run)
    missing = [name for name in ("gate.npz", "tumor_type.npz") if not (bundle.folder / name).is_file()]
    if missing:
        parser.error(f"{bundle.folder} lacks {' and '.join(missing)}: `make train-default` fits them")
    shutil.rmtree(SHIPPED)
    shutil.copytree(bundle.folder, SHIPPED)
    write_card(read_bundle(SHIPPED))  # the run's own was written by the code of its day
    atomic_write_text(PINNED, _verdicts())
    print(f"{bundle.manifest.title} is shipped; its verdicts stand in {PINNED}")


def _verdicts() -> str:
    """The table of `verdicts.csv`, for the pictures that it names now."""
    detector = load_detector(engine="onnxruntime")
    with PINNED.open(encoding="utf-8", newline="") as stream:
        files = [row["file"] for row in csv.DictReader(stream)]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["file", "verdict", "probability"])
    for file in files:
        found = detector.find(read_scan(EXAMPLES / file))
        shown = "" if found.probability is None else f"{found.probability:.4f}"
        table.writerow([file, found.verdict, shown])
    return text.getvalue()


if __name__ == "__main__":
    main()
