"""Near copies: how many planted ones are found, how many others are taken for copies, and what it costs.

    python benchmarks/duplicates.py [--data ../shared/data] [--slices 600] [--sizes 10000 30000 100000]

1. Made hashes, of patients with 15 slices alike to one another, one in ten a copy in some view with up to 11
   bits flipped: time, memory and recall of the search. Each size runs in a process of its own.
2. Kaggle253: distinct pictures, groups, conflicts.
3. Every slice of figshare: pairs of different pictures that are linked. Neighbouring slices of one patient
   count as wrong when linked.
4. Planted copies among whole patients of figshare and all of Kaggle253, a line a kind of change; pairs of
   different pictures, or of copies of different pictures, count as wrong.

Without the data, 2 to 4 are left out. Needs tumorscan[train].
"""

from __future__ import annotations

import argparse
import csv
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscan.data.candidates import find_candidates
from tumorscan.data.catalog import build_catalog, conflicts
from tumorscan.data.compare import COPY
from tumorscan.data.duplicates import near_links
from tumorscan.data.fingerprints import BITS, HASHES, Fingerprint, fingerprint, turned
from tumorscan.data.groups import Links
from tumorscan.data.records import pixels_sha256
from tumorscan.data.views import VIEWS, seen
from tumorscan.read import read_scan

Grey = NDArray[np.uint8]
Change = Callable[[Grey, np.random.Generator], Grey]
SLICES_A_PATIENT = 15


def jpeg(grey: Grey, quality: int) -> Grey:
    """Saved as JPEG and read again."""
    return cv2.imdecode(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 0)


def resized(grey: Grey, rng: np.random.Generator) -> Grey:
    """To 0.4 to 1.2 of each side, which need not be the same."""
    across, down = rng.uniform(0.4, 1.2, 2)
    size = (max(32, int(grey.shape[1] * across)), max(32, int(grey.shape[0] * down)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def sharpened(grey: Grey, rng: np.random.Generator) -> Grey:
    """Unsharp mask of 0.5 to 2."""
    amount = rng.uniform(0.5, 2)
    return cv2.addWeighted(grey, 1 + amount, cv2.GaussianBlur(grey, (0, 0), 1.5), -amount, 0)


def bordered(grey: Grey, rng: np.random.Generator) -> Grey:
    """Black margins of up to a quarter of the side, each side its own."""
    sides = (rng.uniform(0, 0.25, 4) * np.repeat(grey.shape, 2)).astype(int)
    return cv2.copyMakeBorder(grey, *map(int, sides), cv2.BORDER_CONSTANT, value=0)


def trimmed(grey: Grey, top: float, bottom: float, left: float, right: float) -> Grey:
    """Without so much of each side."""
    high, wide = grey.shape
    return grey[int(high * top) : high - int(high * bottom), int(wide * left) : wide - int(wide * right)]


def air_cut(grey: Grey, rng: np.random.Generator) -> Grey:
    """The box of all that is brighter than air, with a margin of up to 3 % of the side."""
    rows, columns = (np.flatnonzero((grey > 40).any(axis)) for axis in (1, 0))
    if not len(rows) or not len(columns):
        return grey
    margin = int(rng.uniform(0, 0.03) * max(grey.shape))
    top, left = max(0, rows[0] - margin), max(0, columns[0] - margin)
    return grey[top : rows[-1] + margin + 1, left : columns[-1] + margin + 1]


def brightened(grey: Grey, rng: np.random.Generator) -> Grey:
    """Contrast times 0.75 to 1.3, brightness -10 to 25."""
    return np.clip(grey * rng.uniform(0.75, 1.3) + rng.uniform(-10, 25), 0, 255).astype(np.uint8)


def gamma(grey: Grey, rng: np.random.Generator) -> Grey:
    """0.6 to 1.6."""
    return np.rint(255 * (grey / 255.0) ** rng.uniform(0.6, 1.6)).astype(np.uint8)


# The eight kinds of the target, then harder ones that are told apart from them.
KINDS: dict[str, Change] = {
    "resaved, JPEG 10 to 60": lambda g, r: jpeg(g, int(r.integers(10, 61))),
    "resized": resized,
    "sharpened": sharpened,
    "blurred": lambda g, r: cv2.GaussianBlur(g, (0, 0), r.uniform(0.5, 1) * max(g.shape) / 200),
    "margins cut or added": lambda g, r: air_cut(g, r) if r.random() < 0.5 else bordered(g, r),
    "brightness and contrast": brightened,
    "gamma": gamma,
    "turned, flipped, mirrored": lambda g, r: jpeg(seen(g, int(r.integers(1, 8))), 50),
}
HARDER: dict[str, Change] = {
    "3 x 3 sharpening kernel": lambda g, _: cv2.filter2D(g, -1, np.pad([[9.0]], 1, constant_values=-1.0)),
    "4 % cut off each side": lambda g, _: trimmed(g, *[0.04] * 4),
    "7 % cut off each side": lambda g, _: trimmed(g, *[0.07] * 4),
    "0 to 5 % cut off, sides differ": lambda g, r: trimmed(g, *r.uniform(0, 0.05, 4)),
    "0 to 10 % cut off, sides differ": lambda g, r: trimmed(g, *r.uniform(0, 0.1, 4)),
}


def print_of(grey: Grey) -> Fingerprint:
    """Of a grey picture."""
    return fingerprint(np.repeat(np.ascontiguousarray(grey)[..., None], 3, axis=2))


def linked(pictures: Sequence[Grey]) -> list[tuple[int, int, float]]:
    """Numbers and correlation of the pairs that are linked."""
    prints = {f"{i:06d}": print_of(picture) for i, picture in enumerate(pictures)}
    return [(int(link.one), int(link.other), link.correlation) for link in near_links(prints)]


def kaggle(data: Path) -> None:
    """Part 2."""
    start = time.perf_counter()
    catalog = build_catalog([data / "kaggle253"])
    took = time.perf_counter() - start
    groups = {name: {r.group for r in catalog.records if r.label == name} for name in ("tumor", "no_tumor")}
    different = len({record.pixels_sha256 for record in catalog.records})
    print(
        f"kaggle253: {len(catalog.records)} files, {different} distinct, "
        f"{len(groups['tumor'] | groups['no_tumor'])} groups ({len(groups['tumor'])} tumor, "
        f"{len(groups['no_tumor'])} no tumor, {len(groups['tumor'] & groups['no_tumor'])} both), "
        f"{len(conflicts(catalog))} conflicts, {took:.1f} s"
    )


def figshare(data: Path) -> None:
    """Part 3."""
    rows = list(csv.DictReader((data / "figshare.csv").open(encoding="utf-8")))
    prints: dict[str, Fingerprint] = {}
    patient: dict[str, str] = {}
    for row in rows:
        pixels = read_scan(data / row["file"]).pixels
        digest = pixels_sha256(pixels)
        prints[digest], patient[digest] = fingerprint(pixels), row["patient"]
    start = time.perf_counter()
    closest = sorted((link.correlation for link in near_links(prints, least=0.6)), reverse=True)
    wrong = list(near_links(prints))
    took = time.perf_counter() - start
    pairs = len(prints) * (len(prints) - 1) // 2
    across = sum(patient[link.one] != patient[link.other] for link in wrong)
    print(
        f"figshare: {len(prints)} slices of {len(set(patient.values()))} patients, {pairs} pairs, "
        f"{len(wrong)} linked ({across} across patients), highest correlations "
        f"{', '.join(f'{value:.3f}' for value in closest[:4])} (a copy: {COPY}), {took:.1f} s for both"
    )


def patients(data: Path, count: int) -> list[Grey]:
    """Slices of whole patients, drawn by lot, until there are so many."""
    rows = list(csv.DictReader((data / "figshare.csv").open(encoding="utf-8")))
    names = np.random.default_rng(7).permutation(sorted({row["patient"] for row in rows}))
    files: list[str] = []
    for name in names:
        if len(files) >= count:
            break
        files += [row["file"] for row in rows if row["patient"] == name]
    return [read_scan(data / file).pixels[..., 0] for file in files]


def planted(data: Path, slices: int) -> None:
    """Part 4."""
    sets = {"figshare": patients(data, slices), "kaggle253": distinct(data / "kaggle253")}
    for name, originals in sets.items():
        print(f"{name}: {len(originals)} pictures, each with one copy of each kind")
        recalls = [recall(kind, change, originals) for kind, change in KINDS.items()]
        print(f"  all eight kinds: recall {np.mean(recalls):.4f}")
        for kind, change in HARDER.items():
            recall(f"(harder) {kind}", change, originals)


def distinct(folder: Path) -> list[Grey]:
    """One picture of each group of a folder, as grey."""
    one_a_group = {record.group: record.file for record in build_catalog([folder]).records}
    return [cv2.cvtColor(read_scan(file).pixels, cv2.COLOR_RGB2GRAY) for file in one_a_group.values()]


def recall(kind: str, change: Change, originals: Sequence[Grey]) -> float:
    """Plant one copy of each, search, print a line."""
    count = len(originals)
    rng = np.random.default_rng(11)
    found = linked([*originals, *(change(grey, rng) for grey in originals)])
    true = {(i, i + count) for i in range(count)}
    hits = sum((one, other) in true for one, other, _ in found)
    pairs = count * (2 * count - 1)
    wrong = len(found) - hits
    print(f"  {kind:40} recall {hits / count:.4f}   wrong {wrong} of {pairs} pairs ({wrong / pairs:.1e})")
    return hits / count


def made_hashes(count: int, seed: int = 1) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Hashes (N x 7 x 128) and, of the last tenth, which one each is a copy of.

    Two heads differ in 58 of 128 bits in the middle and in 28 where a thousandth lies below, on Kaggle253
    and figshare together: so do these.
    """
    rng = np.random.default_rng(seed)
    originals = count - count // 10
    heads = -(-originals // SLICES_A_PATIENT)
    shape = (heads, 1, BITS)
    common = rng.normal(0, 0.35, BITS) + rng.normal(size=(heads, 1, 24)) @ rng.normal(0, 0.12, (24, BITS))
    slices = common + rng.normal(0, 0.75, shape) + rng.normal(0, 0.85, (heads, SLICES_A_PATIENT, BITS))
    own = slices.reshape(-1, BITS)[:originals].astype(np.float32)
    hashes = np.empty((count, len(HASHES), BITS), np.bool_)
    for kind in range(len(HASHES)):
        hashes[:originals, kind] = own + 0.5 * kind * rng.normal(size=own.shape).astype(np.float32) > 0
    source = rng.integers(0, originals, count - originals)
    for place, origin in enumerate(source, originals):
        hashes[place] = turned(hashes[origin], int(rng.integers(len(VIEWS))))
        for kind in range(len(HASHES)):
            hashes[place, kind, rng.choice(BITS, rng.integers(0, 12), replace=False)] ^= True
    return hashes, source


def scale(count: int) -> None:
    """Part 1, one size: search and group, as the catalog does but for the check of each pair."""
    hashes, source = made_hashes(count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, busy = time.perf_counter(), time.process_time()
    found = find_candidates(hashes)
    links = Links()
    for first, _ in found.pairs():
        links.join(int(found.one[first]), int(found.other[first]))
    took, busy = time.perf_counter() - start, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pairs = sum(1 for _ in found.pairs())
    originals = count - len(source)
    joined = sum(links.find(originals + i) == links.find(int(origin)) for i, origin in enumerate(source))
    print(
        f"{count:7d} pictures: {took:5.1f} s ({busy:5.1f} s of the processor), {peak / 1024:.0f} MB at most "
        f"({before / 1024:.0f} MB before the search), {pairs} candidate pairs, "
        f"{joined / len(source):.4f} of {len(source)} copies"
    )


def main() -> None:
    """Print all that can be measured here."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shared = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=shared)
    parser.add_argument("--slices", type=int, default=600)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 30_000, 100_000])
    parser.add_argument("--one-size", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_size:
        scale(options.one_size)
        return
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    sys.stdout.flush()
    # First, while this process is small: a child's peak counts from its parent's.
    for size in options.sizes:
        subprocess.run([sys.executable, __file__, "--one-size", str(size)], check=True)
    if options.data.is_dir():
        kaggle(options.data)
        figshare(options.data)
        planted(options.data, options.slices)
    else:
        print(f"{options.data} is not here: only the search is timed")


if __name__ == "__main__":
    main()
