"""The engines by name, and which one `auto` means; imports none of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from tumorscan.detect.engine import Engine
from tumorscan.errors import BundleError, EnvironmentProblem, MissingExtra, SettingsError
from tumorscan.model.bundle import INT8, ONNX, WEIGHTS, Bundle

AUTO: Final = "auto"


@dataclass(frozen=True)
class Runtime:
    """What an engine needs.

    Attributes:
        package: that runs it.
        extra: of tumorscan that brings the package; empty where the base install does.
        file: of the bundle that it runs.
        home: module here that holds its `load(bundle, file, threads)`.
    """

    package: str
    extra: str
    file: str
    home: str

    @property
    def installed(self) -> bool:
        """Whether the package can be imported, found out without importing it."""
        try:
            return find_spec(self.package) is not None
        except (ImportError, ValueError):
            return False


# In the order in which `auto` looks. ResNet50V2, one picture, two cores with AVX-512, side by side, medians:
# ONNX Runtime 35 ms, OpenVINO 38 ms (the same within the spread, but it starts 0.4 s later and holds 90 MB
# more), Keras 45 ms and seconds of start. The int8 twins are for who asks for them: what nobody asked for
# should not change an answer.
ENGINES: Final = {
    "onnxruntime": Runtime("onnxruntime", "", ONNX, "onnxruntime_engine"),
    "openvino": Runtime("openvino", "openvino", ONNX, "openvino_engine"),
    "keras": Runtime("keras", "train", WEIGHTS, "keras_engine"),
    "onnxruntime-int8": Runtime("onnxruntime", "", INT8, "onnxruntime_engine"),
    "openvino-int8": Runtime("openvino", "openvino", INT8, "openvino_engine"),
}
_EXACT: Final = ("onnxruntime", "openvino", "keras")
CHOICES: Final = (AUTO, *ENGINES)
"""What `--engine` takes."""


def load_engine(bundle: Bundle, name: str = AUTO, threads: int | None = None) -> Engine:
    """The engine of a bundle.

    Args:
        bundle: verified.
        name: one of `CHOICES`; `auto` is the fastest exact one (float32) that is installed and that the
            bundle has a file for.
        threads: to run a batch on; None for all cores that the process may use. Between batches they
            sleep, so the preparation has the cores to itself.

    Raises:
        SettingsError: there is no such engine, or `threads` is under 1.
        BundleError: the bundle has no file for it, or a damaged one.
        EnvironmentProblem: the engine's package is not installed.
    """
    if name not in CHOICES:
        raise SettingsError(f"there is no engine {name!r}: choose one of {', '.join(CHOICES)}")
    if threads is not None and threads < 1:
        raise SettingsError(f"an engine on {threads} threads: give 1 or more")
    chosen = next(_candidates(bundle), None) if name == AUTO else name
    if chosen is None:
        raise _nothing_runs(bundle)
    runtime = ENGINES[chosen]
    if runtime.file not in bundle.manifest.files:
        raise BundleError(
            f"{bundle.folder}: holds no {runtime.file} for the engine {chosen}: `tumorscan export` writes it"
        )
    if not runtime.installed:
        raise _not_installed(runtime)
    engine: Engine = import_module(f"{__name__}.{runtime.home}").load(bundle, runtime.file, threads)
    engine.name = chosen
    return engine


def _candidates(bundle: Bundle) -> Iterator[str]:
    for name in _EXACT:
        if ENGINES[name].file in bundle.manifest.files and ENGINES[name].installed:
            yield name


def _nothing_runs(bundle: Bundle) -> BundleError | EnvironmentProblem:
    if ONNX in bundle.manifest.files:
        return _not_installed(ENGINES["onnxruntime"])
    return BundleError(
        f"{bundle.folder}: holds no {ONNX}, and Keras is not installed: run `tumorscan export` on it "
        "where it was trained, or pip install 'tumorscan[train]'"
    )


def _not_installed(runtime: Runtime) -> EnvironmentProblem:
    if runtime.extra:
        return MissingExtra(runtime.package, runtime.extra)
    return EnvironmentProblem(f"{runtime.package} is not installed: pip install {runtime.package}")
