"""From Keras layers to ONNX nodes: a writer for the few kinds of layers that our networks are made of.

Why our own: Keras 3.15 hands its ONNX export to tf2onnx, which works (61 s for a ResNet50V2 where this
takes 6) but traces a TensorFlow function: one backend, one more package, no say over names and arrays.
A flat graph of sixteen kinds of layers is a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import BundleError, require
from tumorscan.model.network import inputs_of

OPSET: Final = 17
# The oldest that this opset allows: older runtimes can read the file too.
IR_VERSION: Final = 8
_FLOAT: Final = 1
"""TensorProto.FLOAT."""
_ONE_TO_ONE: Final = {"relu": "Relu", "sigmoid": "Sigmoid"}
Pads = tuple[int, int, int, int]
"""Top, left, bottom, right, in pixels: ONNX's order."""


class GraphWriter:
    """Collects nodes and arrays; tensors are channels-first inside the graph, as ONNX wants them.

    Two simplifications are made on the way, both exact up to float32 rounding: a BatchNorm behind a
    convolution or dense layer is folded into it (in float64), and zero padding in front of a convolution
    becomes the convolution's own.

    Args:
        layers: all that will be written.
        shown: Keras tensors that are outputs too: no norm is folded into what makes them.
    """

    def __init__(self, layers: Sequence[Any], shown: Sequence[Any] = ()) -> None:
        self.nodes: list[Any] = []
        self.arrays: dict[str, NDArray[Any]] = {}
        self._helper = require("onnx.helper", "train")
        self._named: dict[int, str] = {}
        self._padding: dict[int, Pads] = {}
        self._foldable: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], None]] = {}
        self._consumers = Counter(id(t) for layer in layers for t in inputs_of(layer))
        self._consumers.update(id(t) for t in shown)
        self._readers: dict[int, list[Any]] = {}
        for layer in layers:
            for tensor in inputs_of(layer):
                self._readers.setdefault(id(tensor), []).append(layer)

    def name_of(self, tensor: Any) -> str:
        """The ONNX name of a Keras tensor that was written."""
        return self._named[id(tensor)]

    def set_name(self, tensor: Any, name: str) -> None:
        """Let a Keras tensor be known under a name."""
        self._named[id(tensor)] = name

    def node(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Add a node with one output; the output has the node's name, which is returned."""
        self.add(kind, inputs, [name], **attributes)
        return name

    def add(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> None:
        """Add a node, named after its first output."""
        made = self._helper.make_node(kind, list(inputs), list(outputs), name=outputs[0], **attributes)
        self.nodes.append(made)

    def array(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        """Add a constant; its name is returned."""
        self.arrays[name] = np.ascontiguousarray(values, dtype)
        return name

    def write(self, layer: Any) -> None:
        """Add what a layer does.

        Raises:
            BundleError: there is no rule for this kind of layer, or for how it is set.
        """
        kind = type(layer).__name__
        if kind not in _RULES:
            raise _unknown(layer, f"there is no rule for {kind}")
        self.set_name(layer.output, _RULES[kind](self, layer))

    def scale_and_shift(self, source: str, name: str, scale: Any, shift: Any) -> str:
        """Multiply and add, each left out where it does nothing."""
        if not np.array_equal(scale, np.ones_like(scale)):
            source = self.node("Mul", [source, self.array(f"{name}/scale", scale)], f"{name}/scaled")
        if np.any(shift):
            source = self.node("Add", [source, self.array(f"{name}/shift", shift)], f"{name}/shifted")
        return source

    def activation(self, layer: Any, source: str, kind: str) -> str:
        """An activation by Keras's name."""
        if kind == "linear":
            return source
        if kind in _ONE_TO_ONE:
            return self.node(_ONE_TO_ONE[kind], [source], f"{layer.name}/{kind}")
        if kind in ("silu", "swish"):
            gate = self.node("Sigmoid", [source], f"{layer.name}/gate")
            return self.node("Mul", [source, gate], f"{layer.name}/silu")
        raise _unknown(layer, f"there is no rule for the activation {kind}")

    def source(self, layer: Any) -> str:
        """The name of a layer's only input."""
        return self.name_of(layer.input)

    def weighted(self, layer: Any, kind: str, kernel: NDArray[Any], axis: int, **attributes: Any) -> str:
        """A convolution or dense layer with its activation; a norm right behind it can be folded in.

        Args:
            layer: the Keras layer.
            kind: Conv or Gemm.
            kernel: in ONNX's shape.
            axis: of the kernel, that runs over the outputs.
            attributes: of the node.
        """
        bias = (
            _numpy(layer.bias)
            if getattr(layer, "bias", None) is not None
            else np.zeros(kernel.shape[axis], np.float32)
        )
        names = [self.array(f"{layer.name}/kernel", kernel), self.array(f"{layer.name}/bias", bias)]
        output = self.node(kind, [self.source(layer), *names], layer.name, **attributes)
        activation = _activation_name(layer)
        if activation == "linear" and self._consumers[id(layer.output)] == 1:
            self._foldable[output] = lambda scale, shift: self._fold(names, axis, scale, shift)
        return self.activation(layer, output, activation)

    def halve_kernels(self) -> None:
        """Keep kernels as float16 with a cast behind each, which runtimes do once, when they load.

        Raises:
            BundleError: a kernel is not made of float16's numbers, so that it would change.
        """
        casts = []
        for name, values in list(self.arrays.items()):
            if not name.endswith("/kernel"):
                continue
            half = values.astype(np.float16)
            # A folded norm may have moved a number by its last bit.
            if not np.allclose(half, values, rtol=1e-6, atol=0):
                raise BundleError(f"{name} is no array of float16 numbers: export it in float32")
            self.arrays[f"{name}/half"] = np.ascontiguousarray(half)
            del self.arrays[name]
            casts.append(
                self._helper.make_node("Cast", [f"{name}/half"], [name], name=f"{name}/cast", to=_FLOAT)
            )
        self.nodes[:0] = casts

    def fold(self, source: str, scale: NDArray[np.float64], shift: NDArray[np.float64]) -> bool:
        """Fold a norm into what made `source`, if that is possible."""
        if source not in self._foldable:
            return False
        self._foldable.pop(source)(scale, shift)
        return True

    def _fold(
        self, names: Sequence[str], axis: int, scale: NDArray[np.float64], shift: NDArray[np.float64]
    ) -> None:
        kernel, bias = (self.arrays[name].astype(np.float64) for name in names)
        along = [1] * kernel.ndim
        along[axis] = -1
        self.array(names[0], kernel * scale.reshape(along))
        self.array(names[1], bias * scale + shift)

    def pads_taken_over(self, layer: Any) -> Pads:
        """What a ZeroPadding2D in front of this layer left to it."""
        return self._padding.get(id(layer.input), (0, 0, 0, 0))

    def leave_padding(self, layer: Any, pads: Pads) -> bool:
        """Leave a padding to the convolutions that read it, if nothing else does."""
        readers = self._readers.get(id(layer.output), [])
        mine = all(type(one).__name__ in _CONVOLUTIONS and one.padding == "valid" for one in readers)
        if not readers or not mine:
            return False
        self._padding[id(layer.output)] = pads
        return True


def folded_norm(layer: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and shift, float64, of a BatchNormalization in inference mode."""
    mean = _numpy(layer.moving_mean).astype(np.float64)
    variance = _numpy(layer.moving_variance).astype(np.float64)
    gamma = _numpy(layer.gamma).astype(np.float64) if layer.scale else np.ones_like(mean)
    beta = _numpy(layer.beta).astype(np.float64) if layer.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


def _conv(graph: GraphWriter, layer: Any) -> str:
    # Keras: height, width, in, out. ONNX: out, in, height, width.
    kernel = _numpy(layer.kernel).transpose(3, 2, 0, 1)
    return _convolution(graph, layer, kernel, layer.groups)


def _depthwise(graph: GraphWriter, layer: Any) -> str:
    # Keras: height, width, channel, 1. ONNX: channel, 1, height, width; a group for each channel.
    if layer.depth_multiplier != 1:
        raise _unknown(layer, "a depth multiplier other than 1")
    kernel = _numpy(layer.kernel).transpose(2, 3, 0, 1)
    return _convolution(graph, layer, kernel, kernel.shape[0])


def _convolution(graph: GraphWriter, layer: Any, kernel: NDArray[Any], groups: int) -> str:
    if tuple(layer.dilation_rate) != (1, 1):
        raise _unknown(layer, "dilation")
    pads = _same_pads(layer) if layer.padding == "same" else graph.pads_taken_over(layer)
    return graph.weighted(
        layer,
        "Conv",
        kernel,
        axis=0,
        kernel_shape=list(kernel.shape[2:]),
        strides=list(layer.strides),
        pads=list(pads),
        group=groups,
    )


def _same_pads(layer: Any) -> Pads:
    """TensorFlow's "same": ceil(size / stride) outputs, the odd pixel of padding below and on the right."""
    befores, afters = [], []
    for size, kernel, stride in zip(layer.input.shape[1:3], layer.kernel_size, layer.strides, strict=True):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        befores.append(total // 2)
        afters.append(total - total // 2)
    return befores[0], befores[1], afters[0], afters[1]


def _dense(graph: GraphWriter, layer: Any) -> str:
    return graph.weighted(layer, "Gemm", _numpy(layer.kernel), axis=1)


def _norm(graph: GraphWriter, layer: Any) -> str:
    source = graph.source(layer)
    scale, shift = folded_norm(layer)
    if graph.fold(source, scale, shift):
        return source
    return graph.scale_and_shift(source, layer.name, *(_channelwise(layer, one) for one in (scale, shift)))


def _normalization(graph: GraphWriter, layer: Any) -> str:
    mean, variance = (_numpy(v).reshape(-1).astype(np.float64) for v in (layer.mean, layer.variance))
    scale = 1.0 / np.maximum(np.sqrt(variance), 1e-7)
    parts = (_channelwise(layer, one) for one in (scale, -mean * scale))
    return graph.scale_and_shift(graph.source(layer), layer.name, *parts)


def _rescaling(graph: GraphWriter, layer: Any) -> str:
    scale, offset = (np.float64(one) for one in (layer.scale, layer.offset))
    return graph.scale_and_shift(graph.source(layer), layer.name, scale, offset)


def _zero_padding(graph: GraphWriter, layer: Any) -> str:
    (top, bottom), (left, right) = layer.padding
    source = graph.source(layer)
    if graph.leave_padding(layer, (top, left, bottom, right)):
        return source
    # Not left to a MaxPool: ONNX pads those with minus infinity.
    amounts = graph.array(f"{layer.name}/pads", [0, 0, top, left, 0, 0, bottom, right], np.int64)
    return graph.node("Pad", [source, amounts], layer.name)


def _max_pool(graph: GraphWriter, layer: Any) -> str:
    if layer.padding != "valid":
        raise _unknown(layer, 'a padding other than "valid"')
    sizes = {"kernel_shape": list(layer.pool_size), "strides": list(layer.strides)}
    return graph.node("MaxPool", [graph.source(layer)], layer.name, **sizes)


def _global_pool(graph: GraphWriter, layer: Any) -> str:
    pooled = graph.node("GlobalAveragePool", [graph.source(layer)], f"{layer.name}/mean")
    return graph.node("Flatten", [pooled], layer.name)


def _gather(graph: GraphWriter, layer: Any) -> str:
    """The highest + log(mean(exp(r (x - highest)))) / r over the cells.

    Not ReduceLogSumExp: OpenVINO 2026 overlooks its axes in this opset and sums over the pictures too.
    """
    name, cells = layer.name, graph.source(layer)
    sharpness = graph.array(f"{name}/sharpness", layer.sharpness)
    highest = graph.node("GlobalMaxPool", [cells], f"{name}/highest")
    below = graph.node("Sub", [cells, highest], f"{name}/below")
    sharp = graph.node("Mul", [below, sharpness], f"{name}/sharp")
    mean = graph.node("GlobalAveragePool", [graph.node("Exp", [sharp], f"{name}/exp")], f"{name}/mean")
    lowered = graph.node("Div", [graph.node("Log", [mean], f"{name}/log"), sharpness], f"{name}/lowered")
    gathered = graph.node("Add", [lowered, highest], f"{name}/gathered")
    return graph.node("Flatten", [gathered], name)


def _highest(graph: GraphWriter, layer: Any) -> str:
    """The mean of the highest cells."""
    name, count = layer.name, graph.array(f"{layer.name}/count", [layer.count], np.int64)
    flat = graph.node("Flatten", [graph.source(layer)], f"{name}/cells")
    values, places = f"{name}/highest", f"{name}/places"
    graph.add("TopK", [flat, count], [values, places])
    return graph.node("ReduceMean", [values], name, axes=[1], keepdims=1)


def _reshape(graph: GraphWriter, layer: Any) -> str:
    shape = tuple(layer.target_shape)
    if len(shape) != 3 or shape[:2] != (1, 1):
        raise _unknown(layer, f"a reshape to {shape}")
    return graph.node(
        "Reshape",
        [graph.source(layer), graph.array(f"{layer.name}/shape", [0, shape[2], 1, 1], np.int64)],
        layer.name,
    )


def _chained(kind: str) -> Callable[[GraphWriter, Any], str]:
    def rule(graph: GraphWriter, layer: Any) -> str:
        first, *others = [graph.name_of(t) for t in layer.input]
        for i, other in enumerate(others):
            first = graph.node(
                kind, [first, other], layer.name if i == len(others) - 1 else f"{layer.name}/{i}"
            )
        return first

    return rule


def _relu(graph: GraphWriter, layer: Any) -> str:
    if layer.max_value is not None or layer.negative_slope or layer.threshold:
        raise _unknown(layer, "a ReLU with a limit or a slope")
    return graph.activation(layer, graph.source(layer), "relu")


def _channelwise(layer: Any, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values.reshape(1, -1, 1, 1) if len(layer.input.shape) == 4 else values.reshape(1, -1)


def _activation_name(layer: Any) -> str:
    return str(getattr(layer.activation, "__name__", layer.activation))


def _numpy(variable: Any) -> NDArray[Any]:
    values: NDArray[Any] = np.asarray(require("keras.ops", "train").convert_to_numpy(variable))
    return values


def _unknown(layer: Any, what: str) -> BundleError:
    return BundleError(f"layer {layer.name!r} cannot be exported to ONNX ({what}): use --engine keras")


_CONVOLUTIONS: Final = ("Conv2D", "DepthwiseConv2D")
_RULES: Final[dict[str, Callable[[GraphWriter, Any], str]]] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "Dense": _dense,
    "BatchNormalization": _norm,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
    "ZeroPadding2D": _zero_padding,
    "MaxPooling2D": _max_pool,
    "GlobalAveragePooling2D": _global_pool,
    "Gather": _gather,
    "Highest": _highest,
    "Reshape": _reshape,
    "Add": _chained("Add"),
    "Multiply": _chained("Mul"),
    "ReLU": _relu,
    "Activation": lambda graph, layer: graph.activation(layer, graph.source(layer), _activation_name(layer)),
    "Dropout": lambda graph, layer: graph.source(layer),
}
