"""What lies in examples/ is what examples.csv says."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest

from tumorscan import read_scan

Rows = list[dict[str, str]]
LIMIT = 1_500_000


@pytest.fixture(scope="module")
def rows(examples: Path) -> Rows:
    with (examples / "examples.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_table_names_every_picture_and_no_other(examples: Path, rows: Rows) -> None:
    there = {path.relative_to(examples).as_posix() for path in examples.rglob("*.png")}
    assert there == {row["file"] for row in rows}
    assert len(rows) == len(there)


def test_files_are_what_the_table_says(examples: Path, rows: Rows) -> None:
    for row in rows:
        data = (examples / row["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"], row["file"]
        scan = read_scan(examples / row["file"])
        assert scan.pixels.shape[:2] == (int(row["height"]), int(row["width"])), row["file"]


def test_names_tell_label_and_plane(rows: Rows) -> None:
    for row in rows:
        if row["label"] == "not_brain":
            assert row["file"].startswith("not_brain/")
            assert not row["plane"]
        else:
            stem = {"tumor": "simulated_tumor", "no_tumor": "template_no_tumor"}[row["label"]]
            assert row["file"].startswith(f"{stem}_{row['plane']}_")


def test_both_labels_stand_in_each_plane(rows: Rows) -> None:
    found = {(row["label"], row["plane"]) for row in rows if row["plane"]}
    assert found == {
        (label, plane) for label in ("tumor", "no_tumor") for plane in ("axial", "coronal", "sagittal")
    }


def test_boxes_stand_where_a_tumor_is_and_lie_in_the_picture(rows: Rows) -> None:
    for row in rows:
        sides = [row[f"box_{side}"] for side in "xywh"]
        assert all(sides) == any(sides) == (row["label"] == "tumor"), row["file"]
        if all(sides):
            x, y, w, h = map(float, sides)
            assert min(x, y) > 0
            assert max(x + w, y + h) < 1
            assert min(w, h) > 0.05


def test_what_the_box_holds_stands_out(examples: Path, rows: Rows) -> None:
    """Contrast agent: the box's brightest tissue is brighter than the brain round it."""
    for row in (row for row in rows if row["label"] == "tumor"):
        grey = np.asarray(read_scan(examples / row["file"]).pixels)[..., 0].astype(float)
        x, y, w, h = (float(row[f"box_{side}"]) * 320 for side in "xywh")
        inside = grey[int(y) : int(y + h), int(x) : int(x + w)]
        assert np.percentile(inside, 95) > 1.15 * np.median(grey[grey > 60]), row["file"]


def test_all_is_small(examples: Path) -> None:
    assert sum(path.stat().st_size for path in examples.rglob("*.png")) < LIMIT


def test_notice_goes_with_the_pictures(examples: Path) -> None:
    for document in (examples / "README.md", examples.parent / "NOTICE"):
        text = " ".join(document.read_text(encoding="utf-8").replace(">", " ").split())
        assert "Copyright (C) 1993-2009 Louis Collins, McConnell Brain Imaging Centre" in text, document
        assert "provided that the above copyright notice appear in all copies" in text, document
