"""Which pictures a run, or what a person names, has for judging an export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tumorscan.config import Settings
from tumorscan.data.catalog import build_catalog
from tumorscan.data.phantom import draw_phantom
from tumorscan.data.split import read_split
from tumorscan.errors import DataError, UnreadableScan
from tumorscan.model.bundle import read_bundle
from tumorscan.prepare.pipeline import prepare
from tumorscan.study.claim import SPLIT
from tumorscan.study.export import Exported, ParityPictures, export_bundle
from tumorscan.study.part import Part, judged_on, load_part
from tumorscan.types import Scan

# The test split is opened by `evaluate` alone, which counts its looks.
_PARTS: Final = ("train", "validation", "calibration")
_MOST, _DRAWN = 400, 32
Say = Callable[[str], None]


def export_run(
    path: Path,
    data: Sequence[Path] = (),
    *,
    int8: bool = True,
    progress: bool = False,
    say: Say = lambda _: None,
) -> Exported:
    """Export the bundle of a run, or a bundle alone; see `export_bundle`.

    Args:
        path: a run, or a bundle.
        data: more pictures to judge on: folders or csv files. Without a run they also set int8's ranges.
        int8: also make the int8 twin.
        progress: bars on stderr.
        say: gets a line at each stage.

    Raises:
        BundleError: absent, damaged, or not exportable within the limits.
        DataError: `data` holds no picture with a label.
        EnvironmentProblem: a package is missing, or the bundle cannot be written.
    """
    bundle = read_bundle(path)
    bundle.fitted()
    settings = bundle.manifest.settings
    own = _of_run(bundle.folder.parent, settings, progress, say)
    parts = own | ({"data": _of_data(data, settings, progress)} if data else {})
    if not parts:
        return export_bundle(bundle, _drawn(settings), int8=int8, say=say)
    source = " and ".join(([f"the run's {', '.join(_PARTS)}"] if own else []) + [str(one) for one in data])
    pictures = judged_on(parts, parts["train" if own else "data"], source)
    return export_bundle(bundle, pictures, int8=int8, say=say)


def _of_run(folder: Path, settings: Settings, progress: bool, say: Say) -> dict[str, Part]:
    if not (folder / SPLIT).is_file():
        return {}
    split = read_split(folder / SPLIT)
    try:
        return {name: load_part(split.parts[name], settings, progress=progress) for name in _PARTS}
    except (UnreadableScan, DataError) as error:
        say(f"the run's own pictures are left out: {error}")
        return {}


def _of_data(data: Sequence[Path], settings: Settings, progress: bool) -> Part:
    catalog = build_catalog(data, progress=progress)
    if not catalog.records:
        raise DataError(f"{', '.join(map(str, data))}: no readable picture with a label in it")
    order = np.random.default_rng(0).permutation(len(catalog.records))[:_MOST]
    return load_part([catalog.records[i] for i in sorted(order)], settings, progress=progress)


def _drawn(settings: Settings) -> ParityPictures:
    size = settings.prepare.frame.size
    pictures = np.empty((_DRAWN, size, size, 3), np.uint8)
    labels = np.arange(_DRAWN) % 2
    for i, label in enumerate(labels):
        grey = draw_phantom(np.random.default_rng([0, i]), tumor=bool(label), size=max(size, 64)).pixels
        scan = Scan(np.repeat(grey[..., None], 3, axis=2), f"phantom {i}", "PNG", "L", 0, is_grey=True)
        pictures[i] = prepare(scan, settings.prepare).pixels
    nothing = np.empty((0, size, size, 3), np.uint8)
    return ParityPictures(pictures, labels.astype(np.int64), nothing, f"{_DRAWN} drawn phantoms", real=False)
