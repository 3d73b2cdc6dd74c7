"""A network whose kernels are float16 numbers, computing in float32: half the bytes, the same everywhere.

Norms behind convolutions are folded into them first, so that no runtime multiplies a kernel once more;
the others are written around the mean of what they get. Both change what is stored, not what is
computed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscan.errors import require
from tumorscan.model.network import inputs_of
from tumorscan.model.onnx_graph import folded_norm
from tumorscan.model.weights import Named, fill, named_weights


def halve(network: Any, pictures: NDArray[np.uint8]) -> None:
    """Fold the norms of a network and round its kernels to float16, in place.

    Args:
        network: of `build_network`, trained; its logits move by what rounding does.
        pictures: prepared, uint8, N x S x S x 3: to see what the remaining norms get; some dozens do.
    """
    keras = require("keras", "train")
    makers = {id(layer.output): layer for layer in network.layers}
    readers = [id(tensor) for layer in network.layers for tensor in inputs_of(layer)]
    changed: Named = {}
    alone = []
    for norm in network.layers:
        if not isinstance(norm, keras.layers.BatchNormalization):
            continue
        maker = makers.get(id(norm.input))
        alone_reads = readers.count(id(norm.input)) == 1
        if maker is not None and alone_reads and _is_linear_conv(keras, maker):
            changed.update(_folded(maker, norm))
        else:
            alone.append(norm)
    means = _channel_means(keras, network, [norm.input for norm in alone], pictures)
    for norm, mean in zip(alone, means, strict=True):
        changed.update(_centred(norm, mean))
    fill(network.layers, changed, "folding")
    kernels = {
        name: values for name, values in named_weights(network.layers).items() if name.endswith("/kernel")
    }
    fill(
        network.layers,
        {name: v.astype(np.float16).astype(np.float32) for name, v in kernels.items()},
        "halving",
    )


def halved(named: Named) -> Named:
    """Kernels as float16, everything else as it is: what a halved network keeps on disk."""
    return {name: v.astype(np.float16) if name.endswith("/kernel") else v for name, v in named.items()}


def _is_linear_conv(keras: Any, layer: Any) -> bool:
    return isinstance(layer, keras.layers.Conv2D) and layer.activation.__name__ == "linear"


def _folded(maker: Any, norm: Any) -> Named:
    """The convolution with the norm's scale in it; the norm keeps the shift, as its mean."""
    scale, shift = folded_norm(norm)
    as_numpy = require("keras.ops", "train").convert_to_numpy
    changed: Named = {f"{maker.name}/kernel": as_numpy(maker.kernel) * scale}
    if maker.use_bias:
        changed[f"{maker.name}/bias"] = as_numpy(maker.bias) * scale + shift
        shift = np.zeros_like(shift)
    return {**changed, **_norm(norm, np.ones_like(shift), np.zeros_like(shift), -shift)}


def _centred(norm: Any, mean: NDArray[np.float64]) -> Named:
    scale, shift = folded_norm(norm)
    return _norm(norm, scale, shift + scale * mean, mean)


def _norm(norm: Any, gamma: Any, beta: Any, mean: Any) -> Named:
    values = {
        "gamma": gamma,
        "beta": beta,
        "moving_mean": mean,
        "moving_variance": np.full_like(mean, 1 - norm.epsilon),
    }
    return {f"{norm.name}/{key}": np.asarray(value, np.float32) for key, value in values.items()}


def _channel_means(
    keras: Any, network: Any, tensors: list[Any], pictures: NDArray[np.uint8]
) -> list[NDArray[np.float64]]:
    if not tensors:
        return []
    looking = keras.Model(network.input, tensors)
    sums: list[Any] = [0.0] * len(tensors)
    parts = np.array_split(pictures, max(1, len(pictures) // 16))
    for part in parts:
        found = looking.predict_on_batch(part)
        maps = found if isinstance(found, list) else [found]
        for i, one in enumerate(maps):
            values = np.asarray(one, np.float64)
            sums[i] = sums[i] + values.reshape(-1, values.shape[-1]).mean(axis=0) / len(parts)
    return sums
