"""What an exported network must take and give, whichever engine opens it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from tumorscan.errors import BundleError

INPUT: Final = "pixels"
OUTPUTS: Final = ("logit", "map", "embedding")
LESION: Final = "lesion"
"""Networks with an evidence head have it, unless they were exported before 0.2."""


def check_signature(
    path: Path, inputs: Mapping[str, tuple[bool, tuple[object, ...]]], outputs: Collection[str], size: int
) -> None:
    """Refuse a network that is not one of ours.

    Args:
        path: of its file.
        inputs: name -> (is uint8, shape behind the batch).
        outputs: names.
        size: side of the pictures that the bundle prepares.

    Raises:
        BundleError: another input or a missing output.
    """
    if dict(inputs) != {INPUT: (True, (size, size, 3))} or not set(OUTPUTS) <= set(outputs):
        found = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, (_, shape) in inputs.items())
        raise BundleError(
            f"{path}: takes {found or 'nothing'} and gives {', '.join(sorted(outputs))}, where this bundle "
            f"needs {INPUT} {size}x{size}x3 (uint8) and {', '.join(OUTPUTS)}: export it anew"
        )


def damaged(path: Path, error: Exception) -> BundleError:
    """The error for a file that an engine cannot open."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return BundleError(
        f"{path}: not a network that can be opened ({lines[-1].strip()[:160]}): export it anew"
    )


def wanted_outputs(there: Collection[str]) -> tuple[str, ...]:
    """What to ask a network for, in the order of `Scores`."""
    return (*OUTPUTS, LESION) if LESION in there else OUTPUTS
