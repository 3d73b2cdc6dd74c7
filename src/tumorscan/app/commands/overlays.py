"""What `predict --overlay` adds: a PNG a picture, with what spoke for the verdict drawn over the scan."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tumorscan.errors import SettingsError, UnreadableScan

if TYPE_CHECKING:
    from tumorscan.detect.detector import Detector
    from tumorscan.detect.explain import Explanation
    from tumorscan.types import Finding, Volume, VolumeFinding

    Answered = tuple[Finding | UnreadableScan, dict[str, Any]]
    """An answer, and what its JSON form gets besides."""

_UNFIT = re.compile(r"[^\w.=,+-]+")


def add_overlay(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--overlay",
        type=Path,
        metavar="FOLDER",
        help="also write a PNG a picture there, of a volume its key slice: what spoke for the verdict",
    )
    parser.add_argument(
        "--opacity", type=float, default=0.6, metavar="0..1", help="of the overlay's colours (default: 0.6)"
    )


def check_opacity(opacity: float) -> None:
    """Refuse before the first picture, not at it."""
    if not 0 <= opacity <= 1:
        raise SettingsError(f"--opacity is {opacity:g}: it must lie in [0, 1]")


class Overlays:
    """Answers files and draws what spoke for the answers into one folder."""

    def __init__(self, detector: Detector, folder: Path, opacity: float) -> None:
        self._detector = detector
        self._folder = folder
        self._opacity = opacity
        self._taken: Counter[str] = Counter()

    def answers(self, files: Iterable[Path]) -> Iterator[Answered]:
        """One answer or one named error for each file, in order.

        Raises:
            BundleError: the bundle has no head to explain with.
            EnvironmentProblem: the folder cannot be written.
        """
        from tumorscan.read import read_scan

        for file in files:
            try:
                scan = read_scan(file)
            except UnreadableScan as error:
                yield error, {}
                continue
            prepared = self._detector.prepare(scan)
            finding, explanation = self._detector.explain(scan, prepared)
            path = self._folder / self._name(file)
            self._draw(path, scan.pixels, prepared.frame, explanation)
            yield finding, {**_places(explanation), "overlay": str(path)}

    def _draw(self, path: Path, pixels: Any, frame: Any, explanation: Explanation) -> None:
        from tumorscan.atomic import atomic_write_bytes
        from tumorscan.detect.overlay import overlay
        from tumorscan.read.png import png_bytes

        drawn = overlay(pixels, explanation.evidence, frame, opacity=self._opacity, full=explanation.full)
        atomic_write_bytes(path, png_bytes(drawn))

    def key_slice(self, volume: Volume, found: VolumeFinding) -> dict[str, Any]:
        """Draw a volume's key slice; what its JSON form gets besides, None where there is no key slice."""
        from tumorscan.detect.volume import explain_slice

        if found.key_slice is None:
            return {"overlay": None}
        shown = explain_slice(self._detector, volume, found.key_slice)
        path = self._folder / self._name(Path(f"{_fit(volume.name)}.slice{found.key_slice}"))
        self._draw(path, shown.scan.pixels, shown.frame, shown.explanation)
        return {"overlay": str(path)}

    def _name(self, file: Path) -> str:
        """After the file; files of one name from several folders are counted."""
        self._taken[file.name] += 1
        count = self._taken[file.name]
        return f"{file.name}.overlay.png" if count == 1 else f"{file.name}-{count}.overlay.png"


def _fit(name: str) -> str:
    """The last part of a volume's name, fit for a file on any system."""
    return _UNFIT.sub("_", Path(name).name).strip("._")[:100] or "volume"


def _places(explanation: Explanation) -> dict[str, Any]:
    peak, box = explanation.peak, explanation.box
    return {
        "peak": None if peak is None else [round(one, 1) for one in peak],
        "peak_box": None
        if box is None
        else [round(one, 1) for one in (box.left, box.top, box.width, box.height)],
    }
