"""The bundle: one folder that holds a trained model and all that an answer depends on.

`bundle.json` names the SHA-256 of every other file and of itself. Nothing in a bundle is a pickle
and nothing in it can run code: weights are plain arrays, the network is rebuilt from settings.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tumorscan.atomic import atomic_write_text
from tumorscan.config import SHIPPED, Settings, recorded_settings, to_table
from tumorscan.errors import BundleError, EnvironmentProblem, SettingsError
from tumorscan.jsonable import interval_from, jsonable
from tumorscan.types import Calibration, OperatingPoint, UncertainBand

T = TypeVar("T")
SCHEMA = 1
MANIFEST = "bundle.json"
WEIGHTS = "weights.npz"
# What `tumorscan export` adds; each .onnx has its arrays beside it in a file of the same name and ".data".
ONNX, INT8, HEAD, PARITY = "model.onnx", "model.int8.onnx", "head.npz", "parity.json"
# What `tumorscan gate --fit` adds.
GATE = "gate.npz"
# What `tumorscan tumor-type --fit` adds.
TYPES = "tumor_type.npz"

# NumPy parses headers as Python, which threads must not do at once before 3.11.8 (python/cpython#106905).
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Manifest:
    """What `bundle.json` says.

    Attributes:
        name: for people; the preset's unless given.
        version: the first 12 hex digits of the weights' SHA-256.
        created: UTC, ISO 8601.
        code_version: of tumorscan at the time of training.
        settings: all of them; `settings.prepare` is what serving does to a scan.
        temperature: the logit is divided by it; None until fitted, and where `calibration` stands.
        operating_points: thresholds on the calibrated probability, the default first; empty until fitted.
        lineage: weights and data that it came from, by hash; split sizes; the chosen epoch.
        metrics: what `evaluate` measured, by name of the data.
        looks: how often each test set was opened.
        files: SHA-256 of every other file in the folder.
        calibration: another way than a temperature; None where that is it.
        band: where nothing is said; None: two verdicts only.
    """

    name: str
    version: str
    created: str
    code_version: str
    settings: Settings
    temperature: float | None = None
    operating_points: tuple[OperatingPoint, ...] = ()
    lineage: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    looks: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    calibration: Calibration | None = None
    band: UncertainBand | None = None

    @property
    def title(self) -> str:
        """Name and version, as answers quote it."""
        return f"{self.name} {self.version}"

    @property
    def calibrated(self) -> Calibration | None:
        """From logits to probabilities; None until fitted."""
        if self.calibration is None and self.temperature is not None:
            return Calibration("temperature", {"slope": (1 / self.temperature,)})
        return self.calibration


@dataclass(frozen=True)
class Bundle:
    """A verified bundle on disk."""

    folder: Path
    manifest: Manifest

    @property
    def weights(self) -> Path:
        """The network's variables by name."""
        return self.folder / WEIGHTS

    def fitted(self, operating_point: str = "") -> tuple[Calibration, OperatingPoint]:
        """Calibration and an operating point.

        Args:
            operating_point: its name; the bundle's default if empty.

        Raises:
            BundleError: they were never fitted, so the bundle cannot answer.
            SettingsError: there is no operating point of that name.
        """
        calibration, points = self.manifest.calibrated, self.manifest.operating_points
        if calibration is None or not points:
            raise BundleError(
                f"{self.folder}: temperature and threshold were never fitted; train it to the end"
            )
        for point in points:
            if operating_point in ("", point.name):
                return calibration, point
        raise SettingsError(
            f"{self.folder}: there is no operating point {operating_point!r}: "
            f"choose one of {', '.join(point.name for point in points)}"
        )

    def part(self, name: str, make: Callable[[Mapping[str, NDArray[Any]]], T], wrong: str, again: str) -> T:
        """What one of the bundle's .npz files holds.

        Args:
            name: of the file.
            make: makes it of the file's arrays, by name.
            wrong: what is to be said of a damaged file.
            again: how it is written anew.

        Raises:
            BundleError: the file is damaged.
        """
        path = self.folder / name
        try:
            with _one_at_a_time, np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
                arrays = dict(found)
            return make(arrays)
        except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, BundleError) as error:
            raise BundleError(f"{path}: {wrong} ({error}): {again}") from error

    def count_look(self, *test_sets: str) -> Bundle:
        """Record that test sets were opened, all or none; returns the bundle as it now stands on disk."""
        looks = Counter(self.manifest.looks)
        looks.update(test_sets)
        return self._rewrite(replace(self.manifest, looks=dict(looks)))

    def record_metrics(self, test_set: str, metrics: Mapping[str, Any]) -> Bundle:
        """Keep what was measured on a test set; returns the bundle as it now stands on disk."""
        return self._rewrite(
            replace(self.manifest, metrics={**self.manifest.metrics, test_set: dict(metrics)})
        )

    def _rewrite(self, manifest: Manifest) -> Bundle:
        atomic_write_text(self.folder / MANIFEST, _to_json(manifest))
        return Bundle(self.folder, manifest)


def floats(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    """Arrays by name as float32; a ValueError where one holds no numbers."""
    return {name: np.asarray(values, np.float32) for name, values in arrays.items()}


def write_bundle(folder: Path, manifest: Manifest, files: Mapping[str, bytes]) -> Bundle:
    """Write a bundle beside its place and move it in; an older one there survives any failure.

    Args:
        folder: where it goes.
        manifest: what it says; `files` and `version` are filled in here.
        files: name -> content; `weights.npz` is among them.

    Raises:
        EnvironmentProblem: the disk is full or read-only.
    """
    version = hashlib.sha256(files[WEIGHTS]).hexdigest()[:12]
    return _write(folder, replace(manifest, version=version, files={}), files)


def add_files(bundle: Bundle, files: Mapping[str, bytes], *, drop: Collection[str] = ()) -> Bundle:
    """The same bundle with more or newer files, all or nothing; see `write_bundle`.

    Files in the folder that the manifest does not name (the card) come along as they are.

    Args:
        bundle: as it stands on disk.
        files: name -> content; one of the same name gives way.
        drop: names of files to leave behind.

    Raises:
        EnvironmentProblem: the disk is full or read-only; the bundle is as it was.
    """
    kept = {
        name: digest
        for name, digest in bundle.manifest.files.items()
        if name not in files and name not in drop
    }
    left = {MANIFEST, *files, *drop}
    carried = [one.name for one in bundle.folder.iterdir() if one.is_file() and one.name not in left]
    return _write(bundle.folder, replace(bundle.manifest, files=kept), files, carried)


def _write(
    folder: Path, manifest: Manifest, files: Mapping[str, bytes], carried: Collection[str] = ()
) -> Bundle:
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = replace(manifest, files=dict(sorted({**manifest.files, **hashes}.items())))
    made: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        for name in carried:
            _link_or_copy(folder / name, made / name)
        for name, content in files.items():
            (made / name).write_bytes(content)
        (made / MANIFEST).write_text(_to_json(manifest), encoding="utf-8")
        made.chmod(0o755)
        _move_in(made, folder)
    except OSError as error:
        raise EnvironmentProblem(f"{folder}: the bundle cannot be written ({error.strerror})") from error
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
    return Bundle(folder, manifest)


def read_bundle(path: Path) -> Bundle:
    """Read and verify a bundle.

    Args:
        path: its folder, or the folder of a run that holds one.

    Raises:
        BundleError: absent, of an unknown schema, or a file that differs from its hash.
    """
    folder = path if (path / MANIFEST).is_file() else path / "bundle"
    if not (folder / MANIFEST).is_file():
        if path == SHIPPED:
            raise BundleError(f"{path}: no bundle is shipped with this tumorscan: give --model FOLDER")
        raise BundleError(f"{path}: no bundle here (no {MANIFEST}); `tumorscan train` makes one")
    try:
        manifest = _from_json((folder / MANIFEST).read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError, AttributeError, SettingsError) as error:
        raise BundleError(f"{folder / MANIFEST}: damaged or of another version ({error})") from error
    except OSError as error:
        raise BundleError(f"{folder / MANIFEST}: {error.strerror}") from error
    for name, digest in manifest.files.items():
        _verify(folder, name, digest)
    return Bundle(folder, manifest)


def _link_or_copy(source: Path, target: Path) -> None:
    """The same file under a second name, or a copy where the file system has no links."""
    try:
        target.hardlink_to(source)
    except (OSError, NotImplementedError):
        shutil.copyfile(source, target)


def _move_in(made: Path, folder: Path) -> None:
    old = made.with_name(made.name + "-old")
    if folder.exists():
        folder.rename(old)
    try:
        made.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _verify(folder: Path, name: str, digest: str) -> None:
    if Path(name).name != name:
        raise BundleError(f"{folder / MANIFEST}: names a file outside the bundle ({name})")
    file = folder / name
    if not file.is_file():
        raise BundleError(f"{file}: missing from the bundle; copy the whole folder again")
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != digest:
        raise BundleError(f"{file}: changed since it was written (SHA-256 differs); copy the bundle again")


def manifest_sha256(manifest: Manifest) -> str:
    """The SHA-256 that `bundle.json` gives of itself: of all it says."""
    return _digest(_table(manifest))


def _table(manifest: Manifest) -> dict[str, Any]:
    table = {"schema": SCHEMA, **asdict(manifest), "settings": to_table(manifest.settings)}
    plain: dict[str, Any] = jsonable(table)
    return plain


def _to_json(manifest: Manifest) -> str:
    table = _table(manifest)
    return json.dumps({**table, "sha256": _digest(table)}, indent=1, allow_nan=False) + "\n"


def _from_json(text: str) -> Manifest:
    table = json.loads(text)
    digest = table.pop("sha256")
    schema = table.pop("schema")
    if schema != SCHEMA:
        raise ValueError(f"schema {schema}, this tumorscan reads {SCHEMA}")
    if digest != _digest({"schema": schema, **table}):
        raise ValueError("its own SHA-256 differs")
    table["settings"] = recorded_settings(table["settings"])
    table["operating_points"] = tuple(_operating_point(point) for point in table["operating_points"])
    if table.get("calibration"):
        table["calibration"] = _calibration(table["calibration"])
    if table.get("band"):
        table["band"] = UncertainBand(**table["band"])
    return Manifest(**table)


def _calibration(table: Mapping[str, Any]) -> Calibration:
    parameters = {name: tuple(map(float, numbers)) for name, numbers in table["parameters"].items()}
    return Calibration(**{**table, "parameters": parameters})


def _operating_point(table: Mapping[str, Any]) -> OperatingPoint:
    bounds = {name: interval_from(table[name]) for name in ("sensitivity", "specificity")}
    return OperatingPoint(**{**table, **bounds})


def _digest(table: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()
