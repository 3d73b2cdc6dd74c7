"""How much a network multiplies, and how fast this machine can."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx

_SIDE = 2048


def multiply_adds(path: Path) -> int:
    """Multiply-adds of convolutions and matrix products for one picture, counted from an ONNX graph.

    Args:
        path: of the graph; arrays in files beside it are not needed.
    """
    model = onnx.load(path, load_external_data=False)
    _one_picture(model)
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {one.name: _shape(one) for one in (*graph.value_info, *graph.output, *graph.input)}
    shapes |= {one.name: tuple(one.dims) for one in graph.initializer}
    return sum(_of_node(node, shapes) for node in graph.node)


def _one_picture(model: Any) -> None:
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    # What was inferred for any number of pictures is inferred anew for one.
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.shape.dim[0].dim_value = 1


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def _of_node(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    # QLinearConv: input, scale, zero point, then the weights.
    weights_at = {"Conv": 1, "QLinearConv": 3, "MatMul": 1, "Gemm": 1}.get(node.op_type)
    if weights_at is None:
        return 0
    out, kernel = shapes[node.output[0]], shapes[node.input[weights_at]]
    if "Conv" in node.op_type:  # kernel: out, in / groups, high, wide
        return int(np.prod(out, dtype=np.int64) * np.prod(kernel[1:], dtype=np.int64))
    transposed = any(one.name == "transB" and one.i for one in node.attribute)
    return int(np.prod(out, dtype=np.int64)) * kernel[-1 if transposed else -2]


def peak_rate(seconds: float = 3.0) -> dict[str, float]:
    """Floating-point operations a second of a large float32 matrix product, the best of many.

    Args:
        seconds: to try each for.

    Returns:
        For numpy (its BLAS) and ONNX Runtime, each on all cores.
    """
    rng = np.random.default_rng(1)
    one, other = (rng.random((_SIDE, _SIDE), np.float32) for _ in range(2))
    session = _product_session()
    return {
        "numpy": _best(lambda: np.matmul(one, other), seconds),
        "onnxruntime": _best(lambda: session.run(None, {"a": one, "b": other}), seconds),
    }


def _best(product: Any, seconds: float) -> float:
    product()
    best, end = np.inf, time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        product()
        best = min(best, time.perf_counter() - begun)
    return 2.0 * _SIDE**3 / best


def _product_session() -> Any:
    import onnxruntime
    from onnx import TensorProto, helper

    def square(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [_SIDE, _SIDE])

    node = helper.make_node("MatMul", ["a", "b"], ["c"])
    graph = helper.make_graph([node], "product", [square("a"), square("b")], [square("c")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
