"""int8 by static quantisation: weights by channel, activations by what calibration pictures show."""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import DataError, require
from tumorscan.model.export import INPUT, load_onnx, onnx_files

# The quantiser holds every activation of all its pictures at once: 40 MB a picture for ResNet50V2.
_MOST: Final = 32
# Tried on a trained ResNet50V2 against float32, mean |difference| of logits that range over 21:
# convolutions alone, ranges cut at 99.99 % of the values, 0.33 (0.47 with seven-bit weights); by minimum
# and maximum, 0.43; with sums, norms and pools in int8 as well, 0.76. It takes 0.43 of the time of
# float32, those 0.28.
_QUANTISED: Final = ("Conv",)
_KEPT_PER_CENT: Final = 99.99


def to_int8(files: Mapping[str, bytes], pictures: NDArray[np.uint8], name: str) -> dict[str, bytes]:
    """The int8 twin of an exported network, in the QDQ form that every runtime reads.

    Static quantisation of ONNX Runtime: uint8 activations (the range that holds 99.99 % of the values),
    int8 weights with a scale for each output channel; convolutions only.

    Args:
        files: of `to_onnx`.
        pictures: prepared pictures of the training split, uint8, N x S x S x 3.
        name: of the file to make.

    Returns:
        The file `name` and its `.data`.

    Raises:
        DataError: there is no calibration picture.
        MissingExtra: onnx is not installed.
    """
    if not len(pictures):
        raise DataError(
            "int8 needs pictures of the training split to calibrate on: give --data, or --no-int8"
        )
    onnx = require("onnx", "train")
    with tempfile.TemporaryDirectory(prefix="tumorscan-") as folder, _quiet():
        quantization = require("onnxruntime.quantization", "train")
        made = Path(folder) / "int8.onnx"
        quantization.quantize_static(
            load_onnx(files),
            str(made),
            _reader(quantization, _some(pictures)),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            # Seven bits of weight: without VNNI (before 2019) eight overflow, and the answers would
            # hang on the processor.
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=list(_QUANTISED),
            calibrate_method=quantization.CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": _KEPT_PER_CENT},
        )
        return onnx_files(onnx.load(str(made)), name)


def _some(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At most `_MOST`, evenly over the order, which may be by label."""
    chosen = np.linspace(0, len(pictures) - 1, min(len(pictures), _MOST)).round().astype(int)
    some: NDArray[np.uint8] = pictures[chosen]
    return some


def _reader(quantization: Any, pictures: NDArray[np.uint8]) -> Any:
    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # the base is known at run time only
        def __init__(self) -> None:
            self._batches = _batches(pictures)

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            return next(self._batches, None)

    return Reader()


def _batches(pictures: NDArray[np.uint8]) -> Iterator[dict[str, NDArray[np.uint8]]]:
    """One picture each: the quantiser's histograms take batches of one size only."""
    for picture in pictures:
        yield {INPUT: picture[None]}


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser speaks through the root logger and prints; a library is silent."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(before)
