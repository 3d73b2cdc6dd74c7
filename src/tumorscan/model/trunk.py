"""Trunks: convolutional networks of keras.applications without their classifier, scaling included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tumorscan.errors import SettingsError, require


@dataclass(frozen=True)
class TrunkRecipe:
    """How pixels 0..255 become what a trunk of keras.applications expects.

    Attributes:
        factory: name in `keras.applications`; empty for the small trunk of our own.
        scale, offset: of the `Rescaling` layer in front; ResNet50V2 wants [-1, 1], EfficientNetB0
            takes 0..255 and scales inside.
    """

    factory: str
    scale: float
    offset: float


TRUNKS = {
    "ResNet50V2": TrunkRecipe("ResNet50V2", 1 / 127.5, -1.0),
    "EfficientNetB0": TrunkRecipe("EfficientNetB0", 1.0, 0.0),
    "Small": TrunkRecipe("", 1 / 127.5, -1.0),
}

# Filters and stride of the small trunk's convolutions.
_SMALL = ((16, 2), (32, 1), (32, 2), (64, 1), (64, 2), (128, 2))


def attach_trunk(name: str, pixels: Any, cut: str = "") -> Any:
    """Lay the layers of a trunk on an input tensor, as part of one flat graph.

    Args:
        name: a key of `TRUNKS`.
        pixels: Keras tensor, uint8, N x S x S x 3, 0..255.
        cut: the trunk's layer to end at; empty for its last one.

    Returns:
        Keras tensor of the last feature map, N x h x w x C.

    Raises:
        SettingsError: the trunk has no layer of that name.
    """
    keras = require("keras", "train")
    recipe = TRUNKS[name]
    scaled = keras.layers.Rescaling(recipe.scale, recipe.offset, name="scale")(pixels)
    if recipe.factory:
        factory = getattr(keras.applications, recipe.factory)
        features = factory(include_top=False, weights=None, input_tensor=scaled).output
    else:
        features = _small(scaled)
    if not cut:
        return features
    try:
        return keras.Model(pixels, features).get_layer(cut).output
    except ValueError as error:
        raise SettingsError(f"the trunk {name} has no layer {cut!r} for model.cut to end at") from error


def bare_trunk(name: str, weights: str | None = None) -> Any:
    """The trunk alone, as keras.applications builds and saves it.

    Args:
        name: a key of `TRUNKS` that keras.applications has.
        weights: None, or ``"imagenet"`` to let Keras download them (the only place that asks a network).

    Raises:
        SettingsError: keras.applications has no such trunk.
    """
    keras = require("keras", "train")
    factory = TRUNKS[name].factory
    if not factory:
        raise SettingsError(f"the trunk {name} is this project's own: give --weights none or a .npz")
    return getattr(keras.applications, factory)(include_top=False, weights=weights)


def _small(x: Any) -> Any:
    """Six plain convolutions that train from nothing in seconds: for phantoms, teaching and tests."""
    layers = require("keras.layers", "train")
    for i, (filters, stride) in enumerate(_SMALL, start=1):
        x = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False, name=f"conv{i}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"norm{i}")(x)
        x = layers.ReLU(name=f"relu{i}")(x)
    return x
