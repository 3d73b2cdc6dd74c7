"""Drawn slices: the same for the same seed, lesions where they belong, classes told by nothing else."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.data.anatomy import BRAIN, Tissue, draw_head, tissues
from tumorscan.data.phantom import Phantom, draw_phantom, write_phantoms
from tumorscan.errors import EnvironmentProblem, SettingsError
from tumorscan.read import list_files, read_scan

SEEDS = st.integers(0, 2**32)


def drawn(seed: int, *, tumor: bool, size: int = 96) -> Phantom:
    return draw_phantom(np.random.default_rng(seed), tumor=tumor, size=size)


def brightest_share(pixels: np.ndarray) -> np.ndarray:
    """The head: the convex hull of what is far brighter than the air in the corners."""
    smooth = cv2.GaussianBlur(pixels, (0, 0), 1.5)
    points = np.argwhere(smooth > 0.35 * smooth.max())[:, ::-1].astype(np.int32)
    hull = np.zeros(pixels.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    return hull.astype(bool)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.booleans(), st.sampled_from([64, 97, 160]))
def test_the_same_seed_draws_the_same_slice(seed: int, tumor: bool, size: int) -> None:
    one, two = drawn(seed, tumor=tumor, size=size), drawn(seed, tumor=tumor, size=size)
    np.testing.assert_array_equal(one.pixels, two.pixels)
    np.testing.assert_array_equal(one.mask, two.mask)
    assert (one.pixels.shape, one.pixels.dtype) == ((size, size), np.uint8)
    assert (one.mask.shape, one.mask.dtype) == ((size, size), np.bool_)
    assert np.isfinite(one.pixels.std())
    assert one.pixels.std() > 10


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_a_lesion_lies_inside_the_head_and_its_box_holds_it_closely(seed: int) -> None:
    phantom = drawn(seed, tumor=True)
    assert 10 < phantom.mask.sum() < 0.15 * phantom.mask.size
    assert not (phantom.mask & ~brightest_share(phantom.pixels)).any()
    assert phantom.box is not None
    left, top, width, height = (round(value * 96) for value in phantom.box)
    inside = phantom.mask[top : top + height, left : left + width]
    assert inside.sum() == phantom.mask.sum()
    assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_without_a_lesion_there_is_no_mask_and_the_head_is_the_same(seed: int) -> None:
    ill, well = drawn(seed, tumor=True), drawn(seed, tumor=False)
    assert well.box is None
    assert not well.mask.any()
    changed = ill.pixels != well.pixels
    assert changed[ill.mask].any()
    air = ~brightest_share(well.pixels)
    # A lesion must not change the air, or the air would tell the classes; blur may carry a little over.
    assert np.abs(ill.pixels.astype(int) - well.pixels)[air].max() <= 2


def test_the_box_of_a_known_mask() -> None:
    mask = np.zeros((10, 20), np.bool_)
    mask[2:5, 4:14] = True
    assert Phantom(np.zeros((10, 20), np.uint8), mask).box == (0.2, 0.2, 0.5, 0.3)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(64, 160))
def test_tissues_add_up_to_one_and_lie_where_they_belong(seed: int, size: int) -> None:
    anatomy = tissues(draw_head(np.random.default_rng(seed)), size)
    np.testing.assert_allclose(anatomy.tissues.sum(axis=0), 1, atol=1e-4)
    assert anatomy.tissues.min() >= -1e-6
    deep, outside = anatomy.depth > 0.05, anatomy.depth < 1 - 1.1 / BRAIN
    brain = anatomy.tissues[[Tissue.FLUID, Tissue.GREY, Tissue.WHITE]].sum(axis=0)
    np.testing.assert_allclose(brain[deep], 1, atol=1e-3)
    np.testing.assert_allclose(anatomy.tissues[Tissue.AIR][outside], 1, atol=1e-3)
    assert anatomy.tissues[Tissue.WHITE].sum() > 0.15 * deep.sum()
    assert anatomy.tissues[Tissue.GREY].sum() > 0.15 * deep.sum()


def corner(pixels: np.ndarray) -> float:
    return float(pixels[:8, :8].mean())


def auc(scores: list[float], ill: list[bool]) -> float:
    """Area under the ROC curve by counting pairs."""
    values, labels = np.array(scores), np.array(ill)
    ahead = values[labels][:, None] - values[~labels][None, :]
    return float(np.mean(ahead > 0) + np.mean(ahead == 0) / 2)


@pytest.mark.parametrize("statistic", [np.mean, np.std, np.median, np.max, np.min, corner])
def test_grey_levels_alone_do_not_tell_the_classes(statistic: Any, many: list[Phantom]) -> None:
    scores = [float(statistic(phantom.pixels)) for phantom in many]
    area = auc(scores, [phantom.box is not None for phantom in many])
    assert 0.3 < area < 0.7


def test_lesions_are_bright_and_dark_small_and_large(many: list[Phantom]) -> None:
    ill = [phantom for phantom in many if phantom.box is not None]
    brain = [np.median(phantom.pixels[phantom.pixels > 40]) for phantom in ill]
    inside = [phantom.pixels[phantom.mask].mean() for phantom in ill]
    brighter = np.mean([a > b for a, b in zip(inside, brain, strict=True)])
    assert 0.3 < brighter < 0.9
    areas = [phantom.mask.mean() for phantom in ill]
    assert max(areas) > 5 * min(areas)


@pytest.fixture(scope="module")
def many() -> list[Phantom]:
    return [drawn(seed, tumor=seed % 2 == 0) for seed in range(160)]


def test_written_phantoms_are_read_back_with_their_table(tmp_path: Path) -> None:
    table = write_phantoms(tmp_path / "new" / "set", 5, 3, size=96)
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["file"] for row in rows] == [
        "yes/phantom_0001.png", "no/phantom_0002.png", "yes/phantom_0003.png",
        "no/phantom_0004.png", "yes/phantom_0005.png",
    ]  # fmt: skip
    assert [row["label"] for row in rows] == ["tumor", "no_tumor", "tumor", "no_tumor", "tumor"]
    assert len({row["group"] for row in rows}) == 5
    for number, row in enumerate(rows, start=1):
        phantom = draw_phantom(np.random.default_rng([3, number]), tumor=row["label"] == "tumor", size=96)
        scan = read_scan(table.parent / row["file"])
        np.testing.assert_array_equal(scan.pixels[..., 0], phantom.pixels)
        assert (scan.format, scan.mode, scan.is_grey) == ("PNG", "L", True)
        box = [row[f"box_{side}"] for side in "xywh"]
        assert box == ([f"{value:.6f}" for value in phantom.box] if phantom.box else [""] * 4)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in list_files([folder])}


def test_the_same_seed_writes_the_same_bytes_and_more_only_adds(tmp_path: Path) -> None:
    for name, count, seed in (("a", 4, 1), ("b", 4, 1), ("more", 6, 1), ("other", 4, 2)):
        write_phantoms(tmp_path / name, count, seed, size=64)
    a, more = contents(tmp_path / "a"), contents(tmp_path / "more")
    assert len(a) == 5
    assert a == contents(tmp_path / "b")
    assert all(more[name] == data for name, data in a.items() if name.endswith(".png"))
    assert not set(contents(tmp_path / "other").values()) & set(a.values())


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"count": 1}, "phantom count is 1: it must be at least 2"),
        ({"count": -3}, "phantom count is -3: it must be at least 2"),
        ({"seed": -1}, "phantom seed is -1: it must be 0 or more"),
        ({"size": 63}, r"phantom size is 63: it must lie in \[64, 1024\]"),
        ({"size": 1025}, r"phantom size is 1025: it must lie in \[64, 1024\]"),
    ],
)
def test_settings_out_of_range_are_refused_before_a_folder_is_made(
    options: dict[str, int], cause: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=cause):
        write_phantoms(tmp_path / "new", **{"count": 4, "seed": 1, **options})
    assert not (tmp_path / "new").exists()


def test_a_size_out_of_range_is_refused() -> None:
    with pytest.raises(SettingsError, match="phantom size is 8"):
        drawn(1, tumor=True, size=8)


def test_a_folder_with_anything_in_it_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".kept").write_text("mine")
    with pytest.raises(EnvironmentProblem, match="the folder is not empty: name a new one or empty it"):
        write_phantoms(tmp_path, 2, 1)
    assert [path.name for path in tmp_path.iterdir()] == [".kept"]


@pytest.mark.parametrize("name", ["file", "file/below", "a" * 300])
def test_a_folder_that_cannot_be_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentProblem, match="name a folder that can be written"):
        write_phantoms(tmp_path / name, 2, 1)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_half_written_stays(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = Path.open, []

    def fail_on_the_table(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self.suffix != ".csv":
            return real(self, *args, **kwargs)
        calls.append(self)
        raise error

    monkeypatch.setattr(Path, "open", fail_on_the_table)
    wanted = EnvironmentProblem if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(wanted, match="No space left on device" if isinstance(error, OSError) else None):
        write_phantoms(tmp_path / "new", 2, 1, size=64)
    assert len(calls) == 1
    assert list((tmp_path / "new").iterdir()) == []
