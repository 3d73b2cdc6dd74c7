"""Answers as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tumorscan.errors import UnreadableScan

if TYPE_CHECKING:
    from tumorscan.types import Finding, Volume, VolumeFinding


def answer_line(answer: Finding | UnreadableScan) -> str:
    """Of a picture, or of a volume as a whole; a second line has the hint at the tumor's type."""
    from tumorscan.detect.decide import percent, wording
    from tumorscan.detect.tumor_type import hint_text
    from tumorscan.types import Verdict

    if isinstance(answer, UnreadableScan):
        return f"{answer.file}: ERROR {answer.cause}"
    if answer.probability is None or answer.confidence is None:
        return f"{answer.file}: {answer.verdict} ({'; '.join(answer.reasons)})"
    if answer.verdict is Verdict.CANNOT_SAY:
        return f"{answer.file}: {wording(answer.verdict)}, p(tumor) {answer.probability:.3f}"
    sure = percent(answer.confidence / 100)
    said = f"{answer.file}: {answer.verdict} ({sure}), p(tumor) {answer.probability:.3f}"
    hint = hint_text(answer)
    return f"{said}\n  {hint}" if hint else said


def volume_lines(volume: Volume, found: VolumeFinding) -> list[str]:
    """A verdict, what the volume is, the key slice and the suspicious run; slices count from 1."""
    lines = [answer_line(found.finding), f"  {_what(volume)}"]
    if found.key_slice is not None:
        lines.append(
            f"  key slice {found.key_slice + 1} of {len(volume)} ({_where(volume, found.key_slice)})"
        )
    if found.extent is not None:
        lines.append(f"  suspicious run: slices {_run(volume, found.extent)}")
    return [*lines, *(f"  note: {note}" for note in found.finding.notes)]


def _what(volume: Volume) -> str:
    from tumorscan.detect.curve import positions

    kinds = [one for one in (volume.format, volume.modality, volume.plane) if one]
    step = volume.spacing[0] if volume.spacing and not positions(volume, 1.0)[1] else 0.0
    apart = f", {step:.3g} mm apart" if step > 0 and len(volume) > 1 else ""
    return f"{' '.join(kinds)}, {len(volume)} slice{'' if len(volume) == 1 else 's'}{apart}"


def _where(volume: Volume, index: int) -> str:
    from pathlib import PurePath

    one = volume.slices[index]
    name = PurePath(one.file).name
    return name if one.frame is None else f"{name}[{one.frame}]"


def _run(volume: Volume, extent: tuple[int, int]) -> str:
    from tumorscan.detect.volume_table import run_length

    length = run_length(volume, extent)
    return f"{extent[0] + 1} to {extent[1] + 1}" + ("" if length is None else f" ({length:.0f} mm)")
