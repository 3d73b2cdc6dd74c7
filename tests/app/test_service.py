"""The service: the command line's answers for many users at once, through changes of the bundle and the end."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from handed_in import BAD_FILES, LIMIT, PICTURES

from tumorscan.app.service import Capacity, Overloaded, Service
from tumorscan.app.watch import Watch
from tumorscan.config import ReadLimits
from tumorscan.errors import BundleError, SettingsError, UnreadableScan
from tumorscan.model.bundle import MANIFEST, ONNX, read_bundle, write_bundle
from tumorscan.read import read_scan

PATIENCE = 120


@pytest.fixture
def bundle(tiny_bundle, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


@pytest.fixture
def service(bundle):
    service = Service(bundle, capacity=Capacity(waiting=40), limits=ReadLimits(max_bytes=LIMIT))
    yield service
    service.close()


def other_bundle(bundle: Path, name: str = "other") -> None:
    """Another bundle moves in, all at once, as the commands that write bundles do it."""
    old = read_bundle(bundle)
    files = {file: (bundle / file).read_bytes() for file in old.manifest.files}
    write_bundle(bundle, replace(old.manifest, name=name), files)


def happens(what, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


@pytest.mark.parametrize("name", PICTURES)
def test_answers_as_the_command_line(service, pictures, tiny_detector, name):
    scan = read_scan(pictures / name)
    expected = tiny_detector.find(scan)
    for found in (service.find(scan), service.find_bytes((pictures / name).read_bytes(), name)):
        assert found.probability == pytest.approx(expected.probability, abs=1e-6)
        assert (found.verdict, found.notes, found.model) == (expected.verdict, expected.notes, expected.model)
        assert set(found.milliseconds) == {"read", "prepare", "infer"}
    assert service.accepted_now == 0


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_as_the_reader_does(service, pictures, name):
    with pytest.raises(UnreadableScan) as error:
        service.find_bytes((pictures / name).read_bytes(), name)
    assert BAD_FILES[name][1] in error.value.cause
    assert service.accepted_now == 0


def test_many_at_once_each_get_their_own(service, pictures, tiny_detector):
    scans = [read_scan(pictures / name) for name in PICTURES]
    expected = [tiny_detector.find(scan).probability for scan in scans]
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(service.find, scans * 4))
    assert [one.probability for one in found] == pytest.approx(expected * 4, abs=1e-5)


def test_explains_with_the_steps_of_the_preparation(service, pictures):
    prepared, finding, _ = service.explain(read_scan(pictures / "plain.png"))
    assert prepared.steps[0].name == "framed"
    assert finding.probability == pytest.approx(
        service.find(read_scan(pictures / "plain.png")).probability, abs=1e-6
    )


def test_operating_points_by_name(service, pictures):
    assert service.points == ("screening",)
    scan = read_scan(pictures / "plain.png")
    assert service.find(scan, operating_point="screening").operating_point == "screening"
    with pytest.raises(SettingsError, match=r"no operating point 'best': choose one of screening"):
        service.find(scan, operating_point="best")
    assert service.accepted_now == 0


def test_a_full_queue_says_when_to_come_again(service, pictures):
    scan = read_scan(pictures / "plain.png")
    with (
        service.accepted(40),
        pytest.raises(Overloaded, match="40 pictures are waiting: try again in") as error,
    ):
        service.find(scan)
    assert 1 <= error.value.retry_after <= 60
    assert service.find(scan).probability is not None


@pytest.mark.parametrize("wrong", [{"waiting": 0}, {"batch": 0}, {"workers": 300}])
def test_capacity_is_checked(wrong):
    with pytest.raises(SettingsError, match="it must lie in"):
        Capacity(**wrong)


def test_stops_when_all_that_was_accepted_is_answered(service, pictures):
    scan = read_scan(pictures / "plain.png")
    entered, leave = threading.Event(), threading.Event()

    def slow():
        entered.set()
        assert leave.wait(PATIENCE)
        return scan

    def asked():
        with service.accepted():
            return service.answer(slow)

    with ThreadPoolExecutor(2) as pool:
        asking = pool.submit(asked)
        assert entered.wait(PATIENCE)
        assert service.stop(0.05) is False
        with pytest.raises(Overloaded, match="is stopping"):
            service.find(scan)
        leave.set()
        assert service.stop(PATIENCE) is True
        assert asking.result(PATIENCE).probability is not None


def test_another_bundle_takes_over_without_a_dropped_request(service, bundle, pictures):
    scan = read_scan(pictures / "plain.png")
    before = service.detector
    models: set[str] = set()
    ended = threading.Event()

    def asking():
        while not ended.is_set():
            models.add(service.find(scan).model)
        return True

    with ThreadPoolExecutor(4) as pool:
        users = [pool.submit(asking) for _ in range(4)]
        happens(lambda: models)
        other_bundle(bundle)
        assert service.reload()
        happens(lambda: len(models) == 2)
        ended.set()
        assert all(one.result(PATIENCE) for one in users)
    assert {one.split()[0] for one in models} == {"tiny", "other"}
    assert before.find(scan).model.startswith("tiny"), "a detector that someone holds goes on"
    assert service.reloads == 1


def _truncated(bundle: Path) -> None:
    for file in bundle.glob("*.onnx.data"):
        with file.open("r+b") as stream:
            stream.truncate(100)


def _not_json(bundle: Path) -> None:
    (bundle / MANIFEST).write_text("{", encoding="utf-8")


def _one_missing(bundle: Path) -> None:
    (bundle / ONNX).unlink()


def _gone(bundle: Path) -> None:
    shutil.rmtree(bundle)


def _other_point(bundle: Path) -> None:
    old = read_bundle(bundle)
    files = {file: (bundle / file).read_bytes() for file in old.manifest.files}
    write_bundle(bundle, replace(old.manifest, operating_points=()), files)


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (_truncated, "SHA-256 differs"),
        (_not_json, "damaged or of another version"),
        (_one_missing, "missing from the bundle"),
        (_gone, "no bundle here"),
        (_other_point, "never fitted"),
    ],
)
def test_a_broken_bundle_leaves_the_old_one_answering(service, bundle, pictures, caplog, spoil, cause):
    scan = read_scan(pictures / "plain.png")
    expected = service.find(scan).probability
    kept = shutil.copytree(bundle, bundle.parent / "kept")
    spoil(bundle)
    assert service.find(scan).probability == pytest.approx(expected, abs=1e-6)
    assert service.reload() is False
    assert cause in service.problem
    assert str(bundle) in service.problem, "it names the folder that people know, not our copy of it"
    assert service.problem in caplog.text
    assert service.find(scan).probability == pytest.approx(expected, abs=1e-6)
    shutil.rmtree(bundle, ignore_errors=True)
    shutil.copytree(kept, bundle)
    assert service.reload() is True
    assert service.problem == ""


def test_a_bundle_that_cannot_answer_is_refused_at_the_start(bundle):
    _one_missing(bundle)
    with pytest.raises(BundleError, match="missing from the bundle"):
        Service(bundle)


def test_the_copy_goes_with_the_last_who_uses_it(bundle, monkeypatch, tmp_path):
    folder = tmp_path / "private"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    service = Service(bundle)
    assert len(list(folder.iterdir())) == 1
    held = service.detector
    service.reload()
    service.close()
    assert len(list(folder.iterdir())) == 2
    del held
    assert len(list(folder.iterdir())) == 1
    del service
    happens(lambda: not list(folder.iterdir()))


def test_the_watch_takes_a_new_bundle_when_it_stands_still(service, bundle):
    with Watch(service, every=0.05):
        other_bundle(bundle)
        happens(lambda: service.detector.model.startswith("other"))
        _not_json(bundle)
        happens(lambda: service.problem)
        assert service.detector.model.startswith("other")


def test_the_watch_can_be_told_to(service):
    with Watch(service, every=PATIENCE) as watch:
        watch.now()
        happens(lambda: service.reloads == 1)


def test_nothing_is_reloaded_while_nothing_changes(service):
    with Watch(service, every=0.01):
        time.sleep(0.3)
    assert service.reloads == 0
    assert np.isfinite(service.detector.operating_point.threshold)
