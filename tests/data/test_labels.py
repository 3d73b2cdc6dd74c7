"""Names of folders to labels, of planes to planes."""

from __future__ import annotations

import pytest

from tumorscan.data.labels import ALLOWED, NAMES, label_from_folders, label_of, plane_of


@pytest.mark.parametrize(
    ("name", "label"),
    [
        *[(name, "tumor") for name in ("yes", "YES", "Tumor", "tumour", "positive", "1", "Pituitary_Tumor")],
        *[(name, "tumor") for name in ("glioma", "Meningioma", "pituitary", "glioma-tumor")],
        *[
            (name, "no_tumor")
            for name in ("no", "No", "no_tumor", "NO-TUMOR", "no tumor", "notumor", "Notumour")
        ],
        *[(name, "no_tumor") for name in ("healthy", "Normal", "negative", "0", "non-tumor", " no ")],
        *[
            (name, None)
            for name in ("", "train", "brain_tumor_dataset", "2", "01", "yes1", "masks", "unknown")
        ],
    ],
)
def test_label_of(name: str, label: str | None) -> None:
    assert label_of(name) == label


def test_no_name_means_both_labels() -> None:
    means = [label_of(name) for names in NAMES.values() for name in names]
    assert means == [label for label, names in NAMES.items() for _ in names]


def test_every_allowed_name_of_the_messages_is_one() -> None:
    assert all(label_of(name) for name in ALLOWED.replace("/", ", ").split(", "))


@pytest.mark.parametrize(
    ("inner", "outer", "label"),
    [
        (("axial", "yes", "no", "set"), "x", "tumor"),  # the nearest counts
        (("sartaj",), "no_tumor", "no_tumor"),  # one above the folder asked for
        (("pictures",), "1", None),  # a number there is too often a number of something else
        (("1", "pictures"), "x", "tumor"),
        (("masks", "progression"), "data", None),
    ],
)
def test_nearest_folder_counts(inner: tuple[str, ...], outer: str, label: str | None) -> None:
    assert label_from_folders(inner, outer) == label


@pytest.mark.parametrize(
    ("name", "plane"),
    [
        *[(name, "axial") for name in ("axial", "AX", " Ax T1 ", "transverse", "transaxial")],
        *[(name, "coronal") for name in ("cor", "Coronal", "COR T1")],
        *[(name, "sagittal") for name in ("sag", "Sagittal", "SAG")],
        *[(name, name) for name in ("", "oblique", "3D")],
    ],
)
def test_plane_of(name: str, plane: str) -> None:
    assert plane_of(name) == plane
