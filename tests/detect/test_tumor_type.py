"""Tumor types on drawn features: probabilities, not sure, saving and loading, damage, refusals."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tumorscan.detect.detector import Detector
from tumorscan.detect.rows import to_table
from tumorscan.detect.tumor_type import (
    GEOMETRY,
    NOT_SURE,
    TypeModel,
    features_of,
    geometry,
    hint_text,
    read_types,
    types_bytes,
)
from tumorscan.detect.tumor_type_fit import fit_types
from tumorscan.errors import BundleError, DataError, SettingsError
from tumorscan.model.bundle import TYPES, add_files, read_bundle
from tumorscan.types import Finding, Scan, Scores, Verdict

pytest.importorskip("sklearn")

NAMES = ("glioma", "meningioma", "pituitary")
WIDTH = 16


def drawn(patients: int, seed: int, apart: float = 2.5):
    """Clusters of slices, four a patient, patients of a type around one axis."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(patients) % len(NAMES)
    heads = rng.normal(0, 0.7, (patients, WIDTH)) + apart * np.eye(WIDTH)[kinds]
    features = np.repeat(heads, 4, 0) + rng.normal(0, 0.5, (4 * patients, WIDTH))
    names = np.array([f"p{i}" for i in range(patients)])
    return features.astype(np.float32), np.repeat(kinds, 4), np.repeat(names, 4)


@pytest.fixture(scope="module")
def model() -> TypeModel:
    return fit_types(*drawn(90, 1), NAMES, error=0.1)


@settings(max_examples=40)
@given(arrays(np.float32, (3, WIDTH), elements=st.floats(-1e4, 1e4, width=32)))
def test_probabilities_sum_to_one_for_a_slice_and_for_a_head(model, features):
    p = model.probabilities(features)
    assert np.isfinite(p).all()
    assert p.sum(1) == pytest.approx(1)
    head = model.of_series(p)
    assert head.sum() == pytest.approx(1)
    assert {model.told(one) for one in p} | {model.told(head, series=True)} <= {*NAMES, NOT_SURE}


def test_patients_that_the_fit_never_saw_are_told_apart(model):
    features, kinds, _ = drawn(60, 2)
    p = model.probabilities(features)
    assert (p.argmax(1) == kinds).mean() > 0.9
    told = np.array([model.told(one) for one in p])
    sure = told != NOT_SURE
    assert (told[sure] == np.array(NAMES)[kinds[sure]]).mean() > 0.9


@pytest.mark.parametrize("error", [0.05, 0.2])
def test_the_true_type_is_seldom_held_impossible(error):
    fitted = fit_types(*drawn(120, 3, apart=1.0), NAMES, error=error)
    features, kinds, _ = drawn(600, 4, apart=1.0)
    p = fitted.probabilities(features)
    for number in range(len(NAMES)):
        mine = p[kinds == number, number]
        assert (mine < fitted.lowest[number]).mean() <= error + 0.05


def test_what_says_nothing_is_not_told():
    """Without a difference between the types everything stays possible."""
    fitted = fit_types(*drawn(60, 5, apart=0.0), NAMES, error=0.05)
    features, _, _ = drawn(60, 6, apart=0.0)
    told = [fitted.told(one) for one in fitted.probabilities(features)]
    assert told.count(NOT_SURE) > 0.7 * len(told)


def test_a_type_that_is_alone_but_unlikely_is_not_told(model):
    alone = replace(model, lowest=np.asarray([0.9, 0.5, 0.9], np.float32))
    assert alone.told(np.array([0.45, 0.53, 0.02])) == NOT_SURE
    assert alone.told(np.array([0.1, 0.85, 0.05])) == "meningioma"


def test_two_types_are_enough():
    features, kinds, patients = drawn(60, 7)
    two = kinds < 2
    fitted = fit_types(features[two], kinds[two], patients[two], NAMES[:2], error=0.1)
    assert (fitted.probabilities(features[two]).argmax(1) == kinds[two]).mean() > 0.9


def test_it_is_the_same_after_saving_and_loading(model, counting_bundle, tmp_path):
    shutil.copytree(counting_bundle, tmp_path / "b")
    bundle = add_files(read_bundle(tmp_path / "b"), {TYPES: types_bytes(model)})
    back = read_types(read_bundle(bundle.folder))
    features, _, _ = drawn(9, 8)
    assert back is not None
    assert back.names == model.names
    np.testing.assert_array_equal(back.probabilities(features), model.probabilities(features))
    assert [back.told(p) for p in back.probabilities(features)] == [
        model.told(p) for p in model.probabilities(features)
    ]
    assert types_bytes(back) == types_bytes(model)


def test_a_bundle_without_types_has_none(counting_bundle):
    assert read_types(read_bundle(counting_bundle)) is None


@pytest.mark.parametrize(
    "content", [b"", b"not a zip", b"PK\x03\x04 cut off"], ids=["empty", "text", "cut off"]
)
def test_a_damaged_file_is_named(content, counting_bundle, tmp_path):
    shutil.copytree(counting_bundle, tmp_path / "b")
    bundle = add_files(read_bundle(tmp_path / "b"), {TYPES: content})
    with pytest.raises(BundleError, match=r"tumor_type\.npz: no tumor types .*tumorscan tumor-type --fit"):
        read_types(bundle)


def test_a_changed_file_is_refused_by_its_hash(model, counting_bundle, tmp_path):
    shutil.copytree(counting_bundle, tmp_path / "b")
    bundle = add_files(read_bundle(tmp_path / "b"), {TYPES: types_bytes(model)})
    (bundle.folder / TYPES).write_bytes(types_bytes(replace(model, bias=model.bias + 1)))
    with pytest.raises(BundleError, match="SHA-256 differs"):
        read_bundle(bundle.folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bias": np.zeros(2, np.float32)}, "do not fit"),
        ({"names": ("glioma", "glioma", "pituitary")}, "do not fit"),
        ({"scale": np.zeros(WIDTH, np.float32)}, "a scale of 0"),
        ({"lowest": np.full(3, np.nan, np.float32)}, "nan"),
    ],
)
def test_arrays_that_cannot_be(model, change, message):
    with pytest.raises(BundleError, match=message):
        replace(model, **change)


def test_features_of_another_network_are_refused(model):
    with pytest.raises(BundleError, match="take 16 features"):
        model.probabilities(np.zeros((2, 9), np.float32))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda f, k, p: (f, k, p, {"error": 0.7}), SettingsError, "between 0 and 0.5"),
        (lambda f, k, p: (f[:-1], k, p, {}), DataError, "do not fit"),
        (lambda f, k, p: (f * np.nan, k, p, {}), DataError, "not finite"),
        (lambda f, k, p: (f[:40], k[:40], p[:40], {}), DataError, "glioma: 4 patients: at least 5"),
    ],
)
def test_what_cannot_be_fitted(change, error, message):
    features, kinds, patients, more = change(*drawn(30, 9))
    with pytest.raises(error, match=message):
        fit_types(features, kinds, patients, NAMES, **more)


def scores(**parts) -> Scores:
    cells = np.full((2, 6, 6, 1), -20, np.float32)
    cells[1, 1, 4] = 20
    whole = {"map": cells, "lesion": np.ones((2, WIDTH - GEOMETRY), np.float32)} | parts
    return Scores(np.zeros(2, np.float32), **whole)


def test_a_hint_needs_the_lesion(model):
    assert features_of(scores(), 1).shape == (WIDTH,)
    p, told = model.hint(scores(), 1)
    assert tuple(p) == NAMES
    assert sum(p.values()) == pytest.approx(1)
    assert told in (*NAMES, NOT_SURE)
    assert model.hint(scores(lesion=None), 0) == ({}, "")


def test_geometry_is_where_the_evidence_is():
    numbers = geometry(scores().map[1, ..., 0])
    assert numbers[:2] == pytest.approx([4 / 5 - 0.5, 1 / 5 - 0.5], abs=1e-3)
    assert numbers[7] == pytest.approx(0, abs=1e-3)  # one cell: the log of its area
    assert len(numbers) == GEOMETRY
    assert np.isfinite(geometry(scores().map[0, ..., 0])).all()


class LesionEngine:
    """Reports tumors in bright pictures, and keeps or drops what types are told by."""

    name = "lesion"

    def __init__(self, *, keeps: bool = True) -> None:
        self.keeps = keeps

    def run(self, pictures: np.ndarray) -> Scores:
        bright = pictures.reshape(len(pictures), -1).mean(1) > 100
        more = {"lesion": np.ones((len(pictures), WIDTH - GEOMETRY), np.float32)} if self.keeps else {}
        cells = np.zeros((len(pictures), 6, 6, 1), np.float32)
        return Scores(np.where(bright, 3, -3).astype(np.float32), cells, **more)


def scan_of(value: int) -> Scan:
    pixels = np.full((64, 64, 3), value, np.uint8)
    return Scan(pixels, f"{value}.png", "PNG", "L", 1, is_grey=True)


@pytest.fixture
def typed_bundle(model, counting_bundle, tmp_path):
    shutil.copytree(counting_bundle, tmp_path / "t")
    return add_files(read_bundle(tmp_path / "t"), {TYPES: types_bytes(model)})


def test_a_hint_is_given_with_a_tumor_alone(typed_bundle):
    detector = Detector(typed_bundle, LesionEngine())
    tumor, none = detector.find(scan_of(200)), detector.find(scan_of(20))
    assert (tumor.verdict, none.verdict) == (Verdict.TUMOR, Verdict.NO_TUMOR)
    assert tuple(tumor.tumor_type) == NAMES
    assert tumor.tumor_type_told in (*NAMES, NOT_SURE)
    assert (none.tumor_type, none.tumor_type_told) == ({}, "")
    assert to_table(none)["tumor_type"] is None
    assert to_table(tumor)["tumor_type"]["told"] == tumor.tumor_type_told
    assert sum(to_table(tumor)["tumor_type"]["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert hint_text(none) == ""
    assert hint_text(tumor).startswith(f"type, a research hint only: {tumor.tumor_type_told} (")


def test_an_engine_without_the_lesion_answers_without_a_hint(typed_bundle):
    found = Detector(typed_bundle, LesionEngine(keeps=False)).find(scan_of(200))
    assert found.verdict is Verdict.TUMOR
    assert (found.tumor_type, found.tumor_type_told) == ({}, "")


def test_types_of_another_network_are_refused_with_a_cure(counting_bundle, tmp_path):
    features, kinds, patients = drawn(30, 1)
    other = fit_types(features[:, :9], kinds, patients, NAMES)
    shutil.copytree(counting_bundle, tmp_path / "t")
    bundle = add_files(read_bundle(tmp_path / "t"), {TYPES: types_bytes(other)})
    with pytest.raises(BundleError, match="take 9 features"):
        Detector(bundle, LesionEngine()).find(scan_of(200))


def finding(p: dict[str, float]) -> Finding:
    return Finding("a.png", Verdict.TUMOR, 0.9, 90.0, 0.5, "screening", "m", tumor_type=p)


def test_a_head_is_told_by_its_slices_with_a_hint(model):
    sure, other = (
        dict(zip(NAMES, (0.98, 0.01, 0.01), strict=True)),
        dict(zip(NAMES, (0.4, 0.5, 0.1), strict=True)),
    )
    p, told = model.series_hint([finding(sure), finding({}), finding(sure), finding(other)])
    assert max(p, key=p.get) == "glioma"
    assert told in ("glioma", NOT_SURE)
    assert model.series_hint([finding({})]) == ({}, "")
