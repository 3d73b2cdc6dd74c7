"""ONNX Runtime: the portable default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tumorscan.detect.engine import Engine, usable_cores
from tumorscan.detect.engines.signature import INPUT, check_signature, damaged, wanted_outputs
from tumorscan.errors import require
from tumorscan.model.bundle import Bundle
from tumorscan.types import Picture, Scores

_ERRORS_ONLY = 3


class OnnxRuntimeEngine(Engine):
    """An exported network in ONNX Runtime, on the CPU."""

    name = "onnxruntime"

    def __init__(self, session: Any, size: int) -> None:
        super().__init__(size)
        self._session = session
        self._outputs = list(wanted_outputs({one.name for one in session.get_outputs()}))

    def _run(self, pictures: Picture) -> Scores:
        return Scores(*self._session.run(self._outputs, {INPUT: pictures}))


def load(bundle: Bundle, file: str, threads: int | None = None) -> OnnxRuntimeEngine:
    """Open an exported network; its arrays are mapped from the file, not read into memory first.

    Raises:
        BundleError: the file is no such network.
        MissingExtra: ONNX Runtime is not installed.
    """
    runtime = require("onnxruntime", "train")
    path = bundle.folder / file
    try:
        session = runtime.InferenceSession(
            str(path), _options(runtime, threads or usable_cores()), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's errors have no base of their own
        raise damaged(path, error) from error
    size = bundle.manifest.settings.prepare.frame.size
    _check(path, session, size)
    return OnnxRuntimeEngine(session, size)


def _options(runtime: Any, threads: int) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # A plan of memory is kept for each size of batch that ever came: 107 MB after sizes 1 to 8, no gain.
    options.enable_mem_pattern = False
    # Threads that spin while they wait would take the cores from the preparation of the next picture.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _check(path: Path, session: Any, size: int) -> None:
    inputs = {one.name: (one.type == "tensor(uint8)", tuple(one.shape[1:])) for one in session.get_inputs()}
    check_signature(path, inputs, {one.name for one in session.get_outputs()}, size)
