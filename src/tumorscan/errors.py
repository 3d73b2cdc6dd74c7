"""Every error that tumorscan raises on purpose: one line that names the thing, the cause and the cure."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from types import ModuleType
from typing import ClassVar


class TumorscanError(Exception):
    """Base of all. `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 1


class SettingsError(TumorscanError):
    """A setting or an argument is unknown, of the wrong kind or out of range."""

    exit_code = 2


class UnreadableScan(TumorscanError):
    """A file is missing, empty, damaged, too large or no picture."""

    exit_code = 3

    def __init__(self, file: str, cause: str) -> None:
        super().__init__(f"{file}: {cause}")
        self.file = file
        self.cause = cause


class DataError(TumorscanError):
    """A data set cannot be used as it is: labels, columns, groups, splits."""

    exit_code = 4


class BundleError(TumorscanError):
    """A bundle or weights file is absent, damaged, incomplete or of another make."""

    exit_code = 5


class EnvironmentProblem(TumorscanError):
    """The machine is in the way: full disk, port in use, read-only folder."""

    exit_code = 6


class MissingExtra(EnvironmentProblem):
    """An optional dependency is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"{module} is not installed: pip install 'tumorscan[{extra}]'")
        self.module = module
        self.extra = extra


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency.

    Args:
        module: dotted name, for example ``"skimage.restoration"``.
        extra: the extra of tumorscan that brings it.

    Raises:
        MissingExtra: the module is absent; the message is the pip line that brings it.
    """
    _without_telemetry(module.partition(".")[0])
    try:
        with _quiet_tensorflow() if _is_chatty(module) else nullcontext():
            return import_module(module)
    except ModuleNotFoundError as error:
        # A module missing deeper down is a broken install, which the pip line mends as well.
        raise MissingExtra(module.partition(".")[0], extra) from error


def _without_telemetry(package: str) -> None:
    """Keep runtimes from reporting home; they do so from when they are imported, so this comes before.

    ONNX Runtime (1.32 on) would send events to Microsoft and keep a device's number in the user's cache.
    OpenVINO would tell Google Analytics and write to ~/intel, through a package that it does without
    where that cannot be imported. Ray would report each cluster's make and use.
    """
    if package == "onnxruntime":
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    elif package == "ray":
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    elif package == "openvino" and "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # Python's mark of what is absent


def _is_chatty(module: str) -> bool:
    return module.partition(".")[0] == "keras" and "keras" not in sys.modules


@contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    """Mute it while it is imported: its C++ side logs then whatever TF_CPP_MIN_LOG_LEVEL says."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Each fit of a study traces graphs of its own, which TensorFlow takes for a mistake and warns of.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with muted():
        yield


@contextmanager
def muted() -> Iterator[None]:
    """Send the process's stderr to nowhere for a while; exceptions still get out.

    For runtimes whose C++ side writes there: a silent library and a clean command line need this.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
