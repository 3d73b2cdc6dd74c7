"""Our bundle beside the packages that can be installed, on the same pictures; writes peers.md and peers.json.

    python benchmarks/peers/score.py --model BUNDLE [--data ../shared/data] [--envs FOLDER] [--limit 50]

Each package is installed from the registry into an environment of its own. Sets: figshare's fold 5 (all
tumor), kaggle253, progression, each source of no_tumor, an all-black picture, and pictures that are no
brain MRI. Each look of ours at a labelled set is counted in the bundle, as `tumorscan evaluate` does.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from report import page
from systems import Answer, environments, our_answers, peers
from tqdm import tqdm

from tumorscan.data.external import read_set
from tumorscan.detect.detector import load_detector
from tumorscan.errors import BundleError, EnvironmentProblem
from tumorscan.evaluate.intervals import exact_binomial
from tumorscan.evaluate.metrics import auc_over_groups
from tumorscan.jsonable import plain_interval
from tumorscan.read.files import list_files
from tumorscan.study.opened import count_looks

HERE = Path(__file__).resolve().parent
SHIPPED = environments.ROOT / "src" / "tumorscan" / "bundles" / "default"
Answers = Callable[[Sequence[Path]], list[Answer]]


@dataclass(frozen=True)
class Set:
    """Pictures of one source.

    Attributes:
        name: in the table.
        files: of the pictures.
        labels: 1 for a tumor, 0 for none; all 0 where there is no brain either.
        groups: names of what belongs together, for the bootstrap.
        sha256: of its pictures, under which a look is counted; empty where none is.
    """

    name: str
    files: tuple[Path, ...]
    labels: tuple[int, ...]
    groups: tuple[str, ...]
    sha256: str = ""


def main() -> None:
    """Score every system on every set."""
    options = _options()
    detector = load_detector(options.model)
    systems: dict[str, Answers] = {"tumorscan": partial(our_answers, detector)}
    about = []
    for one in peers(options.envs):
        systems[one.name] = one.answers
        about.append({"name": one.name, "version": one.version, "licence": one.licence, "what": one.what})
    with tempfile.TemporaryDirectory() as scratch:
        sets = [*_labelled(options), *_others(options, Path(scratch))]
        _count_looks(detector.bundle, sets)
        # One call a system: a start of TensorFlow takes longer than most sets.
        files = [file for one in sets for file in one.files]
        found = {name: answers(files) for name, answers in tqdm(systems.items(), disable=None)}
    table = {
        "model": detector.model,
        "rule": asdict(detector.operating_point)["name"],
        "threshold": detector.operating_point.threshold,
        "limit": options.limit,
        "when": datetime.now(UTC).isoformat(timespec="minutes"),
        "peers": about,
        "rows": _rows(sets, found),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "peers.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    (options.out / "peers.md").write_text(page(table), encoding="utf-8")
    print(f"-> {options.out / 'peers.md'}")


def _options() -> argparse.Namespace:
    near = environments.ROOT.parent / "shared" / "data"
    data = Path(os.environ.get("TUMORSCAN_DATA") or near)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--envs", type=Path, default=environments.default_folder())
    parser.add_argument("--limit", type=int, default=0, help="pictures a set, evenly chosen; 0 is all")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of peers.md and peers.json")
    options = parser.parse_args()
    if not options.data.is_dir():
        parser.error(f"{options.data}: no real images there: give --data, or set TUMORSCAN_DATA")
    return options


def _labelled(options: argparse.Namespace) -> list[Set]:
    wanted: list[tuple[Path, Mapping[str, str]]] = [
        (options.data / "figshare.csv", {"fold": "5"}),
        (options.data / "kaggle253", {}),
        (options.data / "progression.csv", {}),
        *((folder, {}) for folder in sorted((options.data / "no_tumor").iterdir()) if folder.is_dir()),
    ]
    return [_set(path, where, options.limit) for path, where in wanted]


def _set(path: Path, where: Mapping[str, str], limit: int) -> Set:
    """Without exact copies; a figshare row stands for a patient, a folder's for a group of near copies."""
    found = read_set(path, where, progress=True)
    records = _some(found.records, limit)
    return Set(
        found.name,
        tuple(record.file for record in records),
        tuple(int(record.label == "tumor") for record in records),
        tuple(record.patient or record.group for record in records),
        found.sha256,
    )


def _others(options: argparse.Namespace, scratch: Path) -> list[Set]:
    black = scratch / "black.png"
    Image.fromarray(np.zeros((240, 240, 3), np.uint8)).save(black)
    kinds = sorted(one for one in (options.data / "not_brain_mri").iterdir() if one.is_dir())
    sets = [Set("an all-black picture", (black,), (0,), ("black",))]
    for kind in kinds:
        files = tuple(_some(list_files([kind]), options.limit))
        sets.append(Set(f"not_brain_mri/{kind.name}", files, (0,) * len(files), tuple(map(str, files))))
    return sets


def _some(every: Sequence[Any], limit: int) -> list[Any]:
    chosen = np.linspace(0, len(every) - 1, limit).round().astype(int) if 0 < limit < len(every) else ()
    return [every[i] for i in chosen] if len(chosen) else list(every)


def _count_looks(bundle: Any, sets: Sequence[Set]) -> None:
    try:
        count_looks(bundle, [(one.name, one.sha256) for one in sets if one.sha256])
    except (BundleError, EnvironmentProblem, OSError) as error:
        raise SystemExit(f"a look cannot be counted, so nothing was looked at: {error}") from error


def _rows(sets: Sequence[Set], found: Mapping[str, list[Answer]]) -> list[dict[str, Any]]:
    rows, begin = [], 0
    for one in sets:
        part = slice(begin, begin + len(one.files))
        begin = part.stop
        systems = {name: _figures(one, answers[part]) for name, answers in found.items()}
        rows.append(
            {"set": one.name, "pictures": len(one.files), "tumors": sum(one.labels), "systems": systems}
        )
    return rows


def _figures(one: Set, answers: Sequence[Answer]) -> dict[str, Any]:
    """A picture without an answer is neither a tumor found nor one cleared."""
    truth = np.array(one.labels)
    tumor = np.array([answer.tumor is True for answer in answers])
    clear = np.array([answer.tumor is False for answer in answers])
    scored = np.array([answer.score is not None for answer in answers])
    figures: dict[str, Any] = {"without_answer": int((~tumor & ~clear).sum()), "said_tumor": int(tumor.sum())}
    if truth.any():
        figures["sensitivity"] = plain_interval(
            exact_binomial(int(tumor[truth == 1].sum()), int(truth.sum()))
        )
    if not truth.all():
        cleared = exact_binomial(int(clear[truth == 0].sum()), int((truth == 0).sum()))
        figures["specificity"] = plain_interval(cleared)
    if truth[scored].any() and not truth[scored].all():
        scores = [answer.score for answer in answers if answer.score is not None]
        groups = np.array(one.groups)[scored]
        figures["roc_auc"] = plain_interval(auc_over_groups(truth[scored], scores, groups))
    return figures


if __name__ == "__main__":
    main()
