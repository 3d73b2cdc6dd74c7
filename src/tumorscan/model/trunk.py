"""Trunks: convolutional networks of keras.applications without their classifier, scaling included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tumorscan.errors import require


@dataclass(frozen=True)
class TrunkRecipe:
    """How pixels 0..255 become what a trunk of keras.applications expects.

    Attributes:
        factory: name in `keras.applications`.
        scale, offset: of the `Rescaling` layer in front; ResNet50V2 wants [-1, 1], EfficientNetB0
            takes 0..255 and scales inside.
    """

    factory: str
    scale: float
    offset: float


TRUNKS = {
    "ResNet50V2": TrunkRecipe("ResNet50V2", 1 / 127.5, -1.0),
    "EfficientNetB0": TrunkRecipe("EfficientNetB0", 1.0, 0.0),
}


def attach_trunk(name: str, pixels: Any) -> Any:
    """Lay the layers of a trunk on an input tensor, as part of one flat graph.

    Args:
        name: a key of `TRUNKS`.
        pixels: Keras tensor, uint8, N x S x S x 3, 0..255.

    Returns:
        Keras tensor of the last feature map, N x h x w x C.
    """
    keras = require("keras", "train")
    recipe = TRUNKS[name]
    scaled = keras.layers.Rescaling(recipe.scale, recipe.offset, name="scale")(pixels)
    factory = getattr(keras.applications, recipe.factory)
    return factory(include_top=False, weights=None, input_tensor=scaled).output


def imagenet_trunk(name: str) -> Any:
    """The trunk with ImageNet weights as Keras downloads them (the only place that asks a network)."""
    keras = require("keras", "train")
    return getattr(keras.applications, TRUNKS[name].factory)(include_top=False, weights="imagenet")
