"""A network as ONNX, so that a bundle answers without a training framework; and the head as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import require
from tumorscan.model.heads import DENSE, LOGIT, NORM, Seams, has_cells, seams
from tumorscan.model.onnx_graph import IR_VERSION, OPSET, GraphWriter, folded_norm

INPUT: Final = "pixels"
OUTPUTS: Final = ("logit", "map", "embedding")
LESION: Final = "lesion"
"""A further output of a network with an evidence head; see `Scores.lesion`."""
# Arrays under a kilobyte stay in the graph (shapes must, for the runtimes to read them); the others begin
# at a page, so that they can be mapped.
_SMALL, _PAGE = 1024, 4096


def to_onnx(network: Any, name: str, *, half: bool = False) -> dict[str, bytes]:
    """The network as ONNX files (opset 17, float32).

    Args:
        network: of `build_network`, in float32.
        name: of the file to make.
        half: keep kernels as float16, which float32 computes with after a cast: for networks whose kernels
            are such numbers already (see `halve.halved`).

    Returns:
        The files `name` and `name`.data, see `onnx_files`. Input `pixels`: uint8 RGB, N x S x S x 3,
        0..255, N free. Outputs, float32: `logit` (N), `map` (N x h x w x C, channels last: the trunk's
        last feature map, or the logit of each cell) and `embedding` (N x C: the mean of the trunk's last
        map); of an evidence head also `lesion` (N x C: that mean weighted by the cells' probabilities).
        The same weights give the same bytes.

    Raises:
        BundleError: a layer has no counterpart here.
        MissingExtra: the package onnx is not installed.
    """
    onnx = require("onnx", "train")
    first, *layers = network.layers
    inside = seams(network)
    graph = GraphWriter(layers, shown=(inside.map, inside.features))
    channels_first = graph.node("Transpose", [INPUT], "pixels/channels_first", perm=[0, 3, 1, 2])
    # Turned while they are bytes: a quarter of the memory of turning floats.
    graph.set_name(
        first.output, graph.node("Cast", [channels_first], "pixels/float", to=onnx.TensorProto.FLOAT)
    )
    for layer in layers:
        graph.write(layer)
    flat = graph.array("logit/shape", [-1], np.int64)
    graph.node("Reshape", [graph.name_of(network.output), flat], "logit")
    graph.node("Transpose", [graph.name_of(inside.map)], "map", perm=[0, 2, 3, 1])
    mean = graph.node("GlobalAveragePool", [graph.name_of(inside.features)], "embedding/mean")
    graph.node("Flatten", [mean], "embedding")
    if has_cells(network):
        _write_lesion(graph, inside)
    if half:
        graph.halve_kernels()
    return onnx_files(_model(onnx, graph, network), name)


def _write_lesion(graph: GraphWriter, inside: Seams) -> None:
    """The mean of the trunk's last map, weighted by the cells' probabilities."""
    likely = graph.node("Sigmoid", [graph.name_of(inside.map)], "lesion/likely")
    weighed = graph.node("Mul", [graph.name_of(inside.features), likely], "lesion/weighed")
    parts = [graph.node("GlobalAveragePool", [one], f"{one}/mean") for one in (weighed, likely)]
    graph.node("Flatten", [graph.node("Div", parts, "lesion/mean")], LESION)


def onnx_files(model: Any, name: str) -> dict[str, bytes]:
    """A model as its graph and, beside it, its arrays, which runtimes map into memory instead of copying.

    Args:
        model: an `onnx.ModelProto` that holds its arrays itself; they are taken out of it.
        name: of the graph's file; the arrays go to `name`.data.
    """
    helper = require("onnx.external_data_helper", "train")
    arrays = bytearray()
    for tensor in model.graph.initializer:
        content = tensor.raw_data
        if len(content) < _SMALL:
            continue
        arrays.extend(bytes(-len(arrays) % _PAGE))
        helper.set_external_data(tensor, f"{name}.data", offset=len(arrays), length=len(content))
        arrays.extend(content)
        tensor.ClearField("raw_data")
    graph: bytes = model.SerializeToString(deterministic=True)
    return {name: graph, f"{name}.data": bytes(arrays)}


def load_onnx(files: Mapping[str, bytes]) -> Any:
    """The model that `onnx_files` took apart, as an `onnx.ModelProto` that holds its arrays itself."""
    onnx = require("onnx", "train")
    name = min(files)
    model = onnx.load_model_from_string(files[name])
    arrays = memoryview(files[f"{name}.data"])
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            place = {entry.key: entry.value for entry in tensor.external_data}
            start = int(place["offset"])
            tensor.raw_data = bytes(arrays[start : start + int(place["length"])])
            tensor.data_location = onnx.TensorProto.DEFAULT
            tensor.ClearField("external_data")
    return model


def _model(onnx: Any, graph: GraphWriter, network: Any) -> Any:
    inside = seams(network)
    size = network.input.shape[1]
    channels = [inside.features.shape[-1]]
    shapes: dict[str, list[int]] = dict(zip(OUTPUTS, ([], list(inside.map.shape[1:]), channels), strict=True))
    if has_cells(network):
        shapes[LESION] = channels
    info, kinds = onnx.helper.make_tensor_value_info, onnx.TensorProto
    body = onnx.helper.make_graph(
        graph.nodes,
        network.name,
        [info(INPUT, kinds.UINT8, ["N", size, size, 3])],
        [info(name, kinds.FLOAT, ["N", *shape]) for name, shape in shapes.items()],
        [onnx.numpy_helper.from_array(values, name) for name, values in graph.arrays.items()],
    )
    model = onnx.helper.make_model(
        body,
        producer_name="tumorscan",
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def pooled_head(network: Any) -> dict[str, NDArray[np.float32]]:
    """The head behind the pooled vector as plain arrays, its norm folded in.

    Returns:
        `kernel` (C x D), `bias` (D), `out` (D) and `offset` (scalar), float32, such that
        logit = relu(embedding @ kernel + bias) @ out + offset.
    """
    as_numpy = require("keras.ops", "train").convert_to_numpy
    dense, last = network.get_layer(DENSE), network.get_layer(LOGIT)
    scale, shift = folded_norm(network.get_layer(NORM))
    kernel, bias, out, offset = (
        np.asarray(as_numpy(v), np.float64) for v in (dense.kernel, dense.bias, last.kernel, last.bias)
    )
    parts = {"kernel": kernel * scale, "bias": bias * scale + shift, "out": out[:, 0], "offset": offset[0]}
    return {name: np.asarray(value, np.float32) for name, value in parts.items()}
