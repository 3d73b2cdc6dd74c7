"""Weights as named arrays: where they come from, and which variables they fill."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import SHIPPED, ModelSettings
from tumorscan.errors import BundleError, TumorscanError, require
from tumorscan.model.bundle import WEIGHTS
from tumorscan.model.heads import CELLS
from tumorscan.model.network import head_layers, trunk_layers
from tumorscan.model.trunk import bare_trunk

Named = dict[str, NDArray[Any]]
"""`<layer>/<variable>` -> array in Keras's own shape (HWIO kernels)."""

# EfficientNetB0's ImageNet graph divides by the square root of these a second time; we fold that
# into its Normalization layer, so one graph serves every source (see keras.applications.efficientnet).
_EFFICIENTNET_STDDEV = np.array([0.229, 0.224, 0.225], np.float32)


@dataclass(frozen=True)
class WeightsReport:
    """What a source filled.

    Attributes:
        source: as the user named it.
        sha256: of the file; empty where there is none.
        filled: names of the variables of the trunk that were filled.
        fresh: names of those that start from a fresh initialisation.
        head: the head was filled too.
    """

    source: str
    sha256: str
    filled: tuple[str, ...]
    fresh: tuple[str, ...]
    head: bool = False

    @property
    def fresh_layers(self) -> frozenset[str]:
        """Layers of the trunk with a fresh variable."""
        return frozenset(name.rpartition("/")[0] for name in self.fresh)

    def __str__(self) -> str:
        total = len(self.filled) + len(self.fresh)
        text = f"{len(self.filled)} of {total} trunk variables filled from {self.source}"
        if self.fresh and self.filled:
            text += f"; fresh: {', '.join(sorted(self.fresh_layers))}"
        return text


def load_trunk_weights(network: Any, settings: ModelSettings) -> WeightsReport:
    """Fill the trunk of a network from `settings.weights`, and an evidence head from a file that has one.

    Raises:
        BundleError: the file is missing, damaged, of another network, or the download failed.
    """
    source = str(_shipped()) if settings.weights == "default" else settings.weights
    layers = trunk_layers(network)
    if source == "none":
        return WeightsReport(source, "", (), tuple(sorted(_variables(layers))))
    named, digest = (
        (_imagenet(settings.trunk), "") if source == "imagenet" else _from_file(Path(source), settings)
    )
    filled = fill(layers, named, source)
    head = settings.head == "evidence" and f"{CELLS}/kernel" in named
    if head:
        # The weights of another evidence head: its training goes on.
        fill(head_layers(network), named, source)
    if not filled:
        raise BundleError(
            f"{source}: holds no variable of {settings.trunk}; was it saved from another network?"
        )
    fresh = sorted(set(_variables(layers)) - set(filled))
    return WeightsReport(source, digest, tuple(filled), tuple(fresh), head)


def _shipped() -> Path:
    path = SHIPPED / WEIGHTS
    if not path.is_file():
        raise BundleError(
            f"{path}: no bundle is shipped with this tumorscan: give --weights imagenet, none or PATH"
        )
    return path


def named_weights(layers: Iterable[Any]) -> Named:
    """Every variable of the layers as an array, by name."""
    ops = require("keras.ops", "train")
    return {name: ops.convert_to_numpy(variable) for name, variable in _variables(layers).items()}


def fill(layers: Iterable[Any], named: Mapping[str, NDArray[Any]], source: str) -> list[str]:
    """Assign arrays to the variables of the same name; returns the names, sorted.

    Raises:
        BundleError: a shape differs, or an array holds nan or infinity.
    """
    layers = tuple(layers)
    variables = _variables(layers)
    filled = sorted(set(variables) & set(named))
    for name in filled:
        value = named[name]
        if tuple(value.shape) != tuple(variables[name].shape):
            raise BundleError(
                f"{source}: {name} has shape {tuple(value.shape)}, the network {tuple(variables[name].shape)}"
            )
        if not np.isfinite(value).all():
            raise BundleError(f"{source}: {name} holds nan or infinity")
        variables[name].assign(value)
    for layer in layers:
        # A Normalization computes with copies of its variables, which it makes here.
        if type(layer).__name__ == "Normalization":
            layer.finalize_state()
    return filled


def read_npz(path: Path) -> Named:
    """Named arrays from a .npz without pickles.

    Raises:
        BundleError: the file is missing, damaged, or holds objects.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise BundleError(f"{path}: there is no such weights file") from error
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
        raise BundleError(f"{path}: not a readable .npz of plain arrays ({error})") from error


def _variables(layers: Iterable[Any]) -> dict[str, Any]:
    return {
        f"{_stable_name(layer)}/{variable.name}": variable
        for layer in layers
        for variable in layer.weights
        if "seed_generator" not in variable.path
    }


def _stable_name(layer: Any) -> str:
    # Keras numbers unnamed layers through a process; the only such layer with variables is this one.
    return "normalization" if type(layer).__name__ == "Normalization" else str(layer.name)


def _imagenet(trunk: str) -> Named:
    try:
        named = named_weights(bare_trunk(trunk, "imagenet").layers)
    except TumorscanError:
        raise
    except Exception as error:  # Keras raises a bare Exception when its download fails
        raise BundleError(
            f"ImageNet weights of {trunk} could not be fetched ({error}); "
            "without a network give --weights default (the shipped ones) or a file"
        ) from error
    if trunk == "EfficientNetB0":
        named["normalization/variance"] = named["normalization/variance"] * _EFFICIENTNET_STDDEV
    return named


def _from_file(path: Path, settings: ModelSettings) -> tuple[Named, str]:
    if not path.is_file():
        raise BundleError(f"{path}: there is no such weights file")
    if path.suffix == ".npz":
        named = read_npz(path)
    elif path.suffix == ".keras":
        named = _from_keras(path)
    elif path.suffix == ".h5":
        named = _from_h5(path, settings)
    else:
        raise BundleError(f"{path}: weights are read from .npz, .weights.h5, .h5 and .keras files")
    return named, hashlib.sha256(path.read_bytes()).hexdigest()


def _from_keras(path: Path) -> Named:
    keras = require("keras", "train")
    try:
        # Safe mode refuses Lambda layers, the way by which a model file could run code.
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BundleError(f"{path}: not a Keras model that can be loaded safely ({_line(error)})") from error
    return named_weights(model._flatten_layers(include_self=False, recursive=True))  # noqa: SLF001 - no public walk


def _from_h5(path: Path, settings: ModelSettings) -> Named:
    trunk = bare_trunk(settings.trunk)
    try:
        trunk.load_weights(path)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BundleError(
            f"{path}: does not fit {settings.trunk} without its top ({_line(error)})"
        ) from error
    return named_weights(trunk.layers)


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
