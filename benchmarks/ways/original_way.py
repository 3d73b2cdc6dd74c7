"""The original's way, written plainly: scikit-image NLM, CLAHE, Keras `predict`, Grad-CAM by `GradientTape`.

Its parameters are those of the preset `original`: NLM on RGB in [0, 1] with patch 5, distance 3 and
h = 1.15 x the estimated noise; CLAHE 2.0 in 8 x 8 tiles on L of LAB; ResNet50V2 and its pooled head. The
weights are random: they do not change how long it takes.

    python original_way.py MODEL.keras --make       save such a model
    python original_way.py MODEL.keras FILE         print a verdict
    python original_way.py MODEL.keras --serve      answer the benchmark

Needs tensorflow, scikit-image, pywavelets, opencv and pillow.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from serving import serve
from skimage.restoration import denoise_nl_means, estimate_sigma

SIZE = 224
LAST_MAP = "post_relu"


def make(path: str) -> None:
    """ResNet50V2 and the original's head, saved as the original saves its model."""
    trunk = keras.applications.ResNet50V2(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))
    x = keras.layers.GlobalAveragePooling2D()(trunk.output)
    x = keras.layers.Dense(256)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Dropout(0.5)(x)
    keras.Model(trunk.input, keras.layers.Dense(1, activation="sigmoid")(x)).save(path)


def read(file: str) -> np.ndarray:
    """uint8 RGB, S x S x 3."""
    return np.asarray(Image.open(file).convert("RGB").resize((SIZE, SIZE)))


def prepare(picture: np.ndarray) -> np.ndarray:
    """Denoise and raise the contrast of a uint8 RGB picture; float32 in [0, 1]."""
    rgb = picture / 255.0
    sigma = float(np.mean(estimate_sigma(rgb, channel_axis=-1)))
    denoised = denoise_nl_means(
        rgb, patch_size=5, patch_distance=3, h=1.15 * sigma, fast_mode=True, channel_axis=-1
    )
    lab = cv2.cvtColor(np.uint8(np.clip(denoised, 0, 1) * 255), cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(lab[..., 0].copy())
    return np.float32(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)) / 255.0


def verdict(probability: float) -> str:
    """At the original's threshold."""
    return "TUMOR DETECTED" if probability >= 0.5 else "NO TUMOR"


def heatmap_png(looking: Any, prepared: np.ndarray, picture: np.ndarray) -> bytes:
    """Grad-CAM (Selvaraju et al. 2017) as Keras's own example computes it, drawn over the picture."""
    with tf.GradientTape() as tape:
        feature_map, said = looking(prepared[None])
        target = said[:, 0]
    gradient = tape.gradient(target, feature_map)
    weights = tf.reduce_mean(gradient, axis=(0, 1, 2))
    heat = np.maximum(np.asarray(tf.tensordot(feature_map[0], weights, 1)), 0)
    share = cv2.resize(heat / max(float(heat.max()), 1e-9), picture.shape[1::-1])
    coloured = cv2.applyColorMap(np.uint8(255 * share), cv2.COLORMAP_JET)[..., ::-1]
    drawn = np.uint8(0.6 * picture + 0.4 * coloured)
    return cv2.imencode(".png", drawn[..., ::-1])[1].tobytes()


def answer_requests(model: Any) -> None:
    """One picture by `predict` of a batch of 1; many as one array, which is Keras's way."""
    looking = keras.Model(model.input, [model.get_layer(LAST_MAP).output, model.output])

    def one(file: str, heatmap: bool) -> dict[str, Any]:
        times = [time.perf_counter()]
        picture = read(file)
        times.append(time.perf_counter())
        prepared = prepare(picture)
        times.append(time.perf_counter())
        said = verdict(float(model.predict(prepared[None], verbose=0)[0, 0]))
        times.append(time.perf_counter())
        if heatmap:
            heatmap_png(looking, prepared, picture)
        times.append(time.perf_counter())
        names = ("read", "prepare", "infer", "explain")
        return {"verdict": said, "stages": dict(zip(names, 1e3 * np.diff(times), strict=True))}

    def bulk(files: Sequence[str]) -> int:
        prepared = np.stack([prepare(read(file)) for file in files])
        return len([verdict(float(p)) for p in model.predict(prepared, batch_size=32, verbose=0)[:, 0]])

    serve(one, bulk)


def main(path: str, what: str) -> None:
    """Make a model, answer one file, or serve."""
    if what == "--make":
        make(path)
        return
    model = keras.models.load_model(path)
    if what == "--serve":
        answer_requests(model)
    else:
        print(verdict(float(model.predict(prepare(read(what))[None], verbose=0)[0, 0])), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
