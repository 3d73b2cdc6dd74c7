"""What people call the two classes and the planes, and how a folder or a csv says which one a picture is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tumorscan.types import Label

NAMES: Final[dict[Label, tuple[str, ...]]] = {
    "tumor": (
        *("yes", "tumor", "tumour", "tumors", "tumours", "positive", "1"),
        *("glioma", "meningioma", "pituitary", "glioma tumor", "meningioma tumor", "pituitary tumor"),
    ),
    "no_tumor": (
        *("no", "no tumor", "no tumour", "no tumors", "no tumours", "non tumor", "non tumour"),
        *("healthy", "normal", "negative", "0"),
    ),
}
"""The names of each class; case, spaces, dashes and underscores do not count."""

LABELS: Final[tuple[Label, ...]] = ("no_tumor", "tumor")
"""Both classes, in the order of the numbers 0 and 1."""

ALLOWED: Final = (
    "yes/no, tumor/no_tumor, positive/negative, 1/0, healthy, normal, glioma, meningioma, pituitary"
)
"""For messages: the names that count, the commonest ones."""

_PLANES: Final = {"axial": ("ax", "trans"), "coronal": ("cor",), "sagittal": ("sag",)}
"""How the words for each plane begin."""


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c not in " -_")


_LABEL_OF: Final[dict[str, Label]] = {_plain(name): label for label in LABELS for name in NAMES[label]}


def label_of(name: str) -> Label | None:
    """The label that a folder's name or a csv's value means, None if it means neither.

    ``"No-Tumor"``, ``"notumor"`` and ``"NO_TUMOR"`` are one name.
    """
    return _LABEL_OF.get(_plain(name))


def label_from_folders(inner: Iterable[str], outer: str) -> Label | None:
    """The label that the folders around a picture give it: the nearest one that is a class's name.

    Args:
        inner: names of the folders from the picture outwards; the last is the folder that was asked for.
        outer: name of the folder around the one asked for, so that ``no_tumor/hospital_a`` can be asked
            for alone. A bare 1 or 0 does not count there: it is too often a number of something else.
    """
    for name in inner:
        label = label_of(name)
        if label is not None:
            return label
    return None if outer.strip() in {"0", "1"} else label_of(outer)


def plane_of(name: str) -> str:
    """The plane that a csv's value means: axial, coronal, sagittal; any other word stays as it is.

    ``"sag"``, ``"Sagittal"`` and ``"SAG T1"`` are one plane; transverse is axial.
    """
    name = name.strip()
    return next((plane for plane, words in _PLANES.items() if name.casefold().startswith(words)), name)
