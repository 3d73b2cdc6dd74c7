"""A volume to one finding: where the lesion is, what noise and empty slices may not do, what is no head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stacks import MarkEngine, NoGate, ShutGate, stack

from tumorscan.detect.detector import Detector, load_detector
from tumorscan.detect.stack import StackSettings, find_slices
from tumorscan.detect.volume import explain_slice, find_volume
from tumorscan.detect.volume_table import run_length
from tumorscan.errors import SettingsError
from tumorscan.model.bundle import Bundle, read_bundle
from tumorscan.types import Verdict


@pytest.fixture(scope="session")
def bundle(counting_bundle) -> Bundle:
    return read_bundle(counting_bundle)


@pytest.fixture
def detector(bundle: Bundle) -> Detector:
    detector = Detector(bundle, MarkEngine())
    detector.gate = NoGate()
    return detector


def test_a_lesion_over_several_slices_is_one_finding_with_its_place(detector: Detector) -> None:
    told: list[tuple[int, int]] = []
    found = find_volume(
        detector,
        stack(20, marked=range(8, 13)),
        settings=StackSettings(batch=8),
        progress=lambda done, of: told.append((done, of)),
    )
    assert found.finding.verdict is Verdict.TUMOR
    assert found.finding.file == "series"
    assert found.key_slice in range(9, 12)
    assert found.extent is not None
    assert 7 <= found.extent[0] <= 8
    assert 12 <= found.extent[1] <= 13
    assert len(found.slices) == len(found.curve) == 20
    assert [one.index for one in found.slices] == list(range(20))
    assert found.slices[10].finding.file == "series[10]"
    assert told == [(8, 20), (16, 20), (20, 20)]
    assert detector.engine.batches == [8, 8, 4]


def test_a_single_loud_slice_does_not_make_a_tumor(detector: Detector) -> None:
    found = find_volume(detector, stack(20, marked=[10]))
    assert found.slices[10].finding.verdict is Verdict.TUMOR
    assert found.finding.verdict is Verdict.NO_TUMOR
    assert found.extent is None


def test_the_batch_and_the_threads_change_nothing(detector: Detector) -> None:
    volume = stack(21, marked=range(3, 9), blank=[0, 1, 20])
    one = find_volume(detector, volume, settings=StackSettings(batch=1, workers=1))
    many = find_volume(detector, volume, settings=StackSettings(batch=64, workers=4))
    np.testing.assert_array_equal(one.curve, many.curve)
    assert (one.key_slice, one.extent) == (many.key_slice, many.extent)
    assert one.finding.probability == many.finding.probability


def test_empty_slices_are_left_out_and_said(detector: Detector) -> None:
    found = find_volume(detector, stack(20, marked=range(8, 13), blank=[0, 1, 2, 19]))
    assert np.isnan(found.curve[[0, 1, 2, 19]]).all()
    assert np.isfinite(found.curve[3:19]).all()
    assert found.slices[0].finding.verdict is Verdict.NOT_BRAIN_MRI
    assert "nearly empty" in found.slices[0].finding.reasons[0]
    assert "4 of 20 slices refused and left out" in found.finding.notes
    assert found.finding.verdict is Verdict.TUMOR


def test_empty_slices_with_a_loud_mark_do_not_raise_the_volume(detector: Detector) -> None:
    volume = stack(20, blank=range(14, 20))
    values = volume.values.copy()
    values[14:20, 60:77, 60:77] = 255  # what a bright artefact above the vertex would be
    found = find_volume(detector, replace(volume, values=values))
    assert found.finding.verdict is Verdict.NO_TUMOR


def test_a_volume_that_the_gate_does_not_know_is_no_head(detector: Detector) -> None:
    detector.gate = ShutGate()
    found = find_volume(detector, stack(12, marked=range(4, 9), notes=("header says CT",)))
    assert found.finding.verdict is Verdict.NOT_BRAIN_MRI
    assert found.finding.probability is None
    assert found.finding.reasons == ("no head: 12 of 12 slices are refused (unfamiliar 12)",)
    assert found.finding.notes[0] == "header says CT"
    assert (found.key_slice, found.extent) == (None, None)


def test_unknown_distances_are_said(detector: Detector) -> None:
    notes = find_volume(detector, stack(6, spacing=None)).finding.notes
    assert "distance of the slices unknown: taken as 5 mm" in notes


def test_one_slice_is_a_volume(detector: Detector) -> None:
    found = find_volume(detector, stack(1, marked=[0], spacing=None))
    assert (found.finding.verdict, found.key_slice, found.extent) == (Verdict.TUMOR, 0, (0, 0))


@pytest.mark.parametrize(
    ("spacing", "count", "extent", "length"),
    [(4.0, 9, (2, 4), 12.0), (None, 9, (2, 4), None), (float("nan"), 1, (0, 0), None), (4.0, 1, (0, 0), 4.0)],
)
def test_the_length_of_a_run_is_from_face_to_face(
    spacing: float | None, count: int, extent: tuple[int, int], length: float | None
) -> None:
    volume = stack(count, spacing=spacing)
    assert run_length(volume, extent) == length


@pytest.mark.parametrize("changes", [{"batch": 0}, {"batch": 5000}, {"workers": -1}, {"workers": 999}])
def test_settings_out_of_range_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match="must lie in"):
        StackSettings(**changes)


def test_a_slice_scores_as_the_same_picture_does() -> None:
    """The one path: the shipped bundle says of a slice what it says of its picture."""
    detector = load_detector(threads=1)
    volume = stack(3, marked=[1])
    for one in find_slices(detector, volume, StackSettings(batch=2)):
        scan = volume.scan(one.index)
        alone = detector.find(scan)
        assert one.finding.verdict is alone.verdict
        assert one.finding.reasons == alone.reasons
        if alone.probability is not None:
            assert one.finding.probability == pytest.approx(alone.probability, abs=1e-4)


def test_the_peak_of_a_slice_is_in_its_own_pixels_whatever_the_head_crop_cut() -> None:
    """The same head in a larger field of view has its peak so many pixels further on."""
    detector = load_detector(threads=1)
    detector.gate = None
    near = stack(1, marked=[0])
    far = replace(near, values=np.pad(near.values, ((0, 0), (60, 20), (90, 10))))
    one, other = (explain_slice(detector, volume, 0) for volume in (near, far))
    assert one.explanation.peak is not None
    assert other.explanation.peak is not None
    moved = np.subtract(other.explanation.peak, one.explanation.peak)
    assert moved == pytest.approx([90, 60], abs=10)
    found = find_volume(detector, far)
    assert found.slices[0].peak == pytest.approx(other.explanation.peak)
    assert one.scan.name == "series[0]"
    assert one.finding.probability is not None


class OneType:
    """Tells every slice the same; of a series what its slices say, on how many."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def hint(self, scores, index):  # noqa: ARG002 - as the true one
        return {"glioma": 0.8, "pituitary": 0.2}, "glioma"

    def series_hint(self, findings):
        self.asked.append(sum(bool(one.tumor_type) for one in findings))
        return {"glioma": 0.9, "pituitary": 0.1}, "glioma"


def test_the_hint_at_the_type_comes_from_the_suspicious_run_alone(detector: Detector) -> None:
    detector.types = OneType()
    found = find_volume(detector, stack(20, marked=[2, *range(8, 13)]))
    assert found.finding.verdict is Verdict.TUMOR
    assert found.finding.tumor_type == found.tumor_type == {"glioma": 0.9, "pituitary": 0.1}
    assert found.finding.tumor_type_told == "glioma"
    assert found.slices[2].finding.tumor_type
    assert detector.types.asked == [5]
    none = find_volume(detector, stack(20, marked=[]))
    assert (none.finding.verdict, none.tumor_type) == (Verdict.NO_TUMOR, {})
    assert detector.types.asked == [5]


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("patient", ["01", "05"])
def test_the_key_slice_of_a_real_head_shows_its_tumor(data_dir: Path, patient: str) -> None:
    """Not what the rule was chosen on: a guard against slices that are read in another order or turn."""
    nibabel = pytest.importorskip("nibabel")
    from tumorscan.read.study import read_study

    folder = data_dir / "volumes" / "progression"
    (volume,) = read_study(folder / f"{patient}_Pre_Scan_T1.nii.gz").volumes
    mask = np.asarray(nibabel.load(folder / f"{patient}_Pre_Mask.nii.gz").dataobj) > 0
    found = find_volume(load_detector(), volume)
    assert found.finding.verdict is Verdict.TUMOR
    assert found.key_slice is not None
    assert mask[:, :, volume.slices[found.key_slice].frame].any()
    assert any("not believed" in note for note in found.finding.notes)
