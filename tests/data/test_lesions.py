"""Boxes and masks: read, refused, carried to the prepared picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tumorscan.config import FrameSettings
from tumorscan.data.lesions import Lesion, box_on_prepared, mask_on_prepared, read_lesions, read_mask
from tumorscan.data.records import Record, one_class_sources
from tumorscan.errors import DataError
from tumorscan.prepare.frame import frame
from tumorscan.types import Frame, Scan

HEADER = "file,label,box_x,box_y,box_w,box_h,mask"


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """table(*lines, header): a csv beside a picture of 40 x 30, its mask, and masks that are wrong."""
    mask = np.zeros((30, 40), np.uint8)
    _save(tmp_path / "a.png", np.full((30, 40), 90, np.uint8))
    _save(tmp_path / "black.png", mask)
    mask[10:20, 8:16] = 1
    _save(tmp_path / "m.png", mask)
    _save(tmp_path / "turned.png", mask.T)
    _save(tmp_path / "lossy.jpg", mask * 255)
    (tmp_path / "nothing.png").touch()

    def write(*lines: str, header: str = HEADER) -> Path:
        path = tmp_path / "set.csv"
        path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
        return path

    return write


def _save(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(path)


def test_boxes_and_masks_are_keyed_by_the_resolved_file(table: Callable[..., Path], tmp_path: Path) -> None:
    found = read_lesions(table("./a.png,tumor,0.25,0.5,0.5,0.25,m.png"))
    assert found == {
        (tmp_path / "a.png").resolve(): Lesion((0.25, 0.5, 0.5, 0.25), (tmp_path / "m.png").resolve())
    }


def test_a_mask_is_what_is_not_black(table: Callable[..., Path], tmp_path: Path) -> None:
    table("a.png,tumor,,,,,m.png")
    mask = read_mask(tmp_path / "m.png")
    assert mask.shape == (30, 40)
    assert mask.sum() == 80
    assert mask[10:20, 8:16].all()


def test_unknown_places_are_left_out(table: Callable[..., Path]) -> None:
    assert (
        read_lesions(table("a.png,tumor,,,,,", "b.png,no_tumor,,,,,", "a.png,no_tumor,,,,,black.png")) == {}
    )


def test_a_csv_without_such_columns_gives_none(table: Callable[..., Path]) -> None:
    assert read_lesions(table("a.png,tumor", header="file,label")) == {}


def test_rounding_past_the_rim_is_cut(table: Callable[..., Path]) -> None:
    (lesion,) = read_lesions(table("a.png,tumor,-0.0004,0.9,0.2,0.1004,")).values()
    assert lesion.box is not None
    left, top, width, height = lesion.box
    assert (left, top) == (0.0, 0.9)
    assert left + width == pytest.approx(0.1996)
    assert top + height == pytest.approx(1.0)


def test_where_selects_before_anything_is_checked(table: Callable[..., Path]) -> None:
    path = table("a.png,tumor,2,2,2,2,,1", "a.png,tumor,0.1,0.1,0.2,0.2,,2", header=HEADER + ",fold")
    assert len(read_lesions(path, {"fold": "2"})) == 1
    with pytest.raises(DataError, match="outside"):
        read_lesions(path)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a.png,tumor,0.8,0.1,0.3,0.1,", "lies outside the picture"),
        ("a.png,tumor,-0.1,0.1,0.3,0.1,", "lies outside the picture"),
        ("a.png,tumor,12,10,20,10,", "fractions of the picture's sides"),
        ("a.png,tumor,0.1,0.1,0,0.1,", "has no area"),
        ("a.png,tumor,0.5,0.5,-0.2,0.1,", "has no area"),
        ("a.png,tumor,0.1,,0.1,,", "half a box, box_y, box_h is empty"),
        ("a.png,tumor,0.1,one,0.1,0.1,", "box_y is 'one'"),
        ("a.png,tumor,0.1,nan,0.1,0.1,", "box_y is 'nan'"),
        ("a.png,tumor,0.1,0.1,inf,0.1,", "box_w is 'inf'"),
        ("a.png,no_tumor,0.1,0.1,0.1,0.1,", "labelled no_tumor, with a box"),
        ("a.png,perhaps,0.1,0.1,0.1,0.1,", "unknown label 'perhaps'"),
        ("a.png,tumor,,,,,gone.png", "there is no mask gone.png"),
        ("a.png,tumor,,,,,nothing.png", "0 bytes"),
        ("a.png,tumor,,,,,black.png", "labelled tumor, but its mask black.png is empty"),
        ("a.png,tumor,,,,,turned.png", "turned.png is 30 x 40 pixels and its picture 40 x 30"),
        ("a.png,tumor,,,,,lossy.jpg", "save it as PNG"),
        ("gone.png,tumor,,,,,m.png", "gone.png: does not exist"),
        ("a.png,no_tumor,,,,,m.png", "is not empty"),
    ],
)
def test_refusals_name_file_and_line(table: Callable[..., Path], line: str, says: str) -> None:
    path = table("b.png,no_tumor,,,,,", line)
    with pytest.raises(DataError) as caught:
        read_lesions(path)
    assert says in str(caught.value)
    assert f"{path}: line 3: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_lesions_of_one_picture_are_refused(table: Callable[..., Path]) -> None:
    path = table("a.png,tumor,0.1,0.1,0.2,0.2,", "a.png,tumor,0.1,0.1,0.3,0.2,")
    with pytest.raises(DataError, match=r"line 3: a.png stands in an earlier line"):
        read_lesions(path)


def test_a_missing_box_column_is_named(table: Callable[..., Path]) -> None:
    path = table("a.png,tumor,0.1,0.1,0.2", header="file,label,box_x,box_y,box_w")
    with pytest.raises(DataError, match="no column box_h beside box_x"):
        read_lesions(path)


@given(
    size=st.sampled_from([32, 57, 224]),
    crop=st.booleans(),
    pad=st.booleans(),
    corner=st.tuples(st.floats(0, 0.7), st.floats(0, 0.7)),
    sides=st.tuples(st.floats(0.1, 0.3), st.floats(0.1, 0.3)),
)
@settings(max_examples=40)
def test_box_and_mask_go_the_same_way(
    size: int, crop: bool, pad: bool, corner: tuple[float, float], sides: tuple[float, float]
) -> None:
    pixels = np.zeros((120, 90, 3), np.uint8)
    pixels[20:110, 10:80] = 150
    _, way = frame(
        Scan(pixels, "x", "PNG", "L", 1, True), FrameSettings(size, crop_head=crop, pad_square=pad)
    )
    left, top, width, height = (
        round(a * b) for a, b in zip((*corner, *sides), (90, 120, 90, 120), strict=True)
    )
    mask = np.zeros((120, 90), bool)
    mask[top : top + height, left : left + width] = True
    moved = mask_on_prepared(mask, way)
    box = box_on_prepared((left / 90, top / 120, width / 90, height / 120), 90, 120, way)
    assert moved.shape == (size, size)
    if box is None:
        assert not moved.any()
        return
    assert 0 <= box[0] < box[0] + box[2] <= 1 + 1e-9
    assert 0 <= box[1] < box[1] + box[3] <= 1 + 1e-9
    centres = (np.arange(size) + 0.5) / size
    rims = (box[0], box[0] + box[2]), (box[1], box[1] + box[3])
    (across, near_x), (down, near_y) = ((_within(centres, *rim), _near(centres, *rim)) for rim in rims)
    # A pixel whose centre lies on the rim may fall to either side by rounding.
    sure = ~(near_y[:, None] | near_x)
    assert np.array_equal((down[:, None] & across)[sure], moved[sure])


def _within(centres: np.ndarray, low: float, high: float) -> np.ndarray:
    return (centres >= low) & (centres < high)


def _near(centres: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.minimum(abs(centres - low), abs(centres - high)) < 1e-9


def test_nothing_is_left_of_a_box_that_the_crop_cut_off() -> None:
    way = Frame(50, 50, 50, 50, 0, 0, 50, 50, 32)
    assert box_on_prepared((0.1, 0.1, 0.2, 0.2), 100, 100, way) is None
    assert box_on_prepared((0.5, 0.5, 0.5, 0.5), 100, 100, way) == (0, 0, 1, 1)


def test_a_source_of_one_class_is_found(record: Callable[..., Record]) -> None:
    mixed = [record(1, "tumor", "a"), record(2, "no_tumor", "b")]
    alone = [replace(record(3, "no_tumor", "c"), source="clinic")]
    assert one_class_sources(mixed) == {}
    assert one_class_sources([*mixed, *alone]) == {"clinic": "no_tumor"}


@pytest.mark.data
def test_the_real_lesions_are_read(data_dir: Path) -> None:
    boxes = read_lesions(data_dir / "figshare.csv", {"fold": "5"})
    masks = read_lesions(data_dir / "progression.csv")
    assert len(boxes) == 664
    assert len(masks) == 82
    assert all(one.box and not one.mask for one in boxes.values())
    assert all(one.mask and not one.box for one in masks.values())
