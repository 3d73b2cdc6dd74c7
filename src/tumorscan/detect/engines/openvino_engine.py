"""OpenVINO: the fastest in int8 on Intel's and AMD's processors."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from tumorscan.detect.engine import Engine, usable_cores
from tumorscan.detect.engines.signature import INPUT, check_signature, damaged, wanted_outputs
from tumorscan.errors import require
from tumorscan.model.bundle import Bundle
from tumorscan.types import Picture, Scores


class OpenVinoEngine(Engine):
    """An exported network in OpenVINO, on the CPU.

    It is compiled when first needed: for exactly one picture, which is faster, or, from the first larger
    batch on, for any number.
    """

    name = "openvino"

    def __init__(self, core: Any, model: Any, size: int, threads: int) -> None:
        super().__init__(size)
        self._core = core
        self._model = model
        self._threads = threads
        self._outputs = wanted_outputs({one.any_name for one in model.outputs})
        self._requests: dict[bool, Any] = {}
        # A request holds the buffers of one run at a time.
        self._lock = Lock()

    def _run(self, pictures: Picture) -> Scores:
        with self._lock:
            request = self._request(single=len(pictures) == 1)
            request.infer({INPUT: pictures})
            # Copies: the next run writes into the same buffers.
            return Scores(*(np.array(request.get_tensor(name).data, np.float32) for name in self._outputs))

    def _request(self, *, single: bool) -> Any:
        if False in self._requests:
            return self._requests[False]
        if single not in self._requests:
            self._requests[single] = self._compiled(single=single).create_infer_request()
        return self._requests[single]

    def _compiled(self, *, single: bool) -> Any:
        model = self._model
        if single:
            model = model.clone()
            model.reshape([1, self.size, self.size, 3])
        # Left to itself it computes in bfloat16 where the processor can, and gives another answer.
        # No CACHE_DIR: a compiled ResNet50V2 loads no faster from a cache, and takes 92 MB on the disk.
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": self._threads,
        }
        return self._core.compile_model(model, "CPU", settings)


def load(bundle: Bundle, file: str, threads: int | None = None) -> OpenVinoEngine:
    """Open an exported network; its arrays are mapped from the file.

    Raises:
        BundleError: the file is no such network.
        MissingExtra: OpenVINO is not installed.
    """
    openvino = require("openvino", "openvino")
    core = openvino.Core()
    path = bundle.folder / file
    try:
        model = core.read_model(str(path))
    except RuntimeError as error:
        raise damaged(path, error) from error
    size = bundle.manifest.settings.prepare.frame.size
    _check(path, model, size)
    return OpenVinoEngine(core, model, size, threads or usable_cores())


def _check(path: Path, model: Any, size: int) -> None:
    inputs = {one.any_name: (one.element_type.to_string() == "u8", _shape(one)) for one in model.inputs}
    check_signature(path, inputs, {one.any_name for one in model.outputs}, size)


def _shape(one: Any) -> tuple[object, ...]:
    sides = list(one.partial_shape)[1:]
    return tuple(side.get_length() if side.is_static else "?" for side in sides)
