"""Non-local means, `fast` against `original`: time and likeness; beside them what they stand on.

`scikit-image` is the direct call that `original` must equal, `opencv` is OpenCV's `fastNlMeansDenoising` with
the same windows and the strength that comes nearest to `original`.

    python benchmarks/prepare.py [--data ../shared/data/kaggle253] [--count 60] [--size 224]

The methods take turns on every picture, so that a busy machine slows both. Without the data, drawn heads
with noise stand in. Needs tumorscan[original].
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage.metrics import structural_similarity
from skimage.restoration import denoise_nl_means, estimate_sigma
from tqdm import tqdm

from tumorscan.config import DenoiseSettings
from tumorscan.prepare.denoise import denoise, noise_sigma
from tumorscan.prepare.frame import resize
from tumorscan.prepare.grey import is_grey, to_grey
from tumorscan.types import Picture


def _scikit_image(picture: Picture) -> Picture:
    rgb = picture / 255.0
    strength = 1.15 * float(np.mean(estimate_sigma(rgb, channel_axis=-1)))
    denoised = denoise_nl_means(rgb, patch_size=5, patch_distance=3, h=strength, channel_axis=-1)
    return np.rint(255.0 * denoised).astype(np.uint8)


def _opencv(picture: Picture) -> Picture:
    grey = is_grey(picture)
    planes = np.ascontiguousarray(picture[..., 0]) if grey else picture
    # scikit-image sums 4 x 4 pixels of a patch and divides by 5 x 5: its h counts 5 / 4 fold.
    strength = 1.25 * 1.15 * noise_sigma(picture[..., :1] if grey else picture)
    denoised = cv2.fastNlMeansDenoising(planes, None, max(strength, 0.01), 5, 7)
    return to_grey(denoised) if grey else denoised


METHODS: dict[str, Callable[[Picture], Picture]] = {
    "original": partial(denoise, settings=DenoiseSettings(method="original")),
    "fast": partial(denoise, settings=DenoiseSettings(method="fast")),
    "scikit-image": _scikit_image,
    "opencv": _opencv,
}


def main() -> None:
    """Measure on the real pictures, or on drawn ones, and print a table."""
    options = _options()
    found = sorted(p for p in options.data.rglob("*") if p.is_file()) if options.data.is_dir() else []
    pictures = list(_real(found, options) if found else _drawn(options))
    print(f"{len(pictures)} pictures, {options.size} x {options.size}: {options.data if found else 'drawn'}")
    print(f"{platform.machine()}, Python {platform.python_version()}, OpenCV {cv2.__version__}")
    for name, kind in (("grey", True), ("colour", False)):
        chosen = [p for p in pictures if is_grey(p) is kind]
        if chosen:
            _compare(name, chosen, options.repeats)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/kaggle253"))
    parser.add_argument("--count", type=int, default=0, help="pictures, evenly chosen; 0 is all (60 drawn)")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=3, help="turns of each method on each picture")
    return parser.parse_args()


def _real(files: list[Path], options: argparse.Namespace) -> Iterator[Picture]:
    step = max(1, len(files) // options.count) if options.count else 1
    for file in files[::step][: options.count or None]:
        with Image.open(file) as image:
            yield resize(np.asarray(image.convert("RGB")), options.size)


def _drawn(options: argparse.Namespace) -> Iterator[Picture]:
    rng = np.random.default_rng(1)
    size = options.size
    for i in range(options.count or 60):
        head = np.zeros((size, size), np.float32)
        centre = (size // 2, size // 2)
        cv2.ellipse(head, centre, (int(size * 0.36), int(size * 0.45)), 0, 0, 360, 200, -1)
        cv2.ellipse(head, centre, (int(size * 0.33), int(size * 0.42)), 0, 0, 360, 90, -1)
        for _ in range(12):
            x, y = rng.uniform(0.3, 0.7, 2) * size
            axes = rng.integers(3, size // 8, 2)
            cv2.ellipse(
                head, (int(x), int(y)), axes.tolist(), rng.uniform(0, 180), 0, 360, rng.uniform(40, 160), -1
            )
        head = cv2.GaussianBlur(head, (0, 0), 1.0)
        channels = 1 if i % 5 else 3
        noisy = head[..., None] + rng.normal(0, rng.uniform(1, 6), (size, size, channels))
        yield np.broadcast_to(np.clip(noisy, 0, 255).astype(np.uint8), (size, size, 3)).copy()


def _compare(name: str, pictures: list[Picture], repeats: int) -> None:
    times: dict[str, list[float]] = {method: [] for method in METHODS}
    psnr: dict[str, list[float]] = {method: [] for method in METHODS}
    ssim: dict[str, list[float]] = {method: [] for method in METHODS}
    for picture in tqdm(pictures, name, leave=False, disable=None):
        results = {}
        for _ in range(repeats):
            for method, run in METHODS.items():
                start = time.perf_counter()
                results[method] = run(picture)
                times[method].append(1e3 * (time.perf_counter() - start))
        for method, result in results.items():
            psnr[method].append(_psnr(results["original"], result))
            ssim[method].append(structural_similarity(results["original"], result, channel_axis=-1))
    print(f"\n{name}: {len(pictures)} pictures, {repeats} turns each; likeness to `original` (median)")
    print(f"{'':14}{'ms (10..90 %)':>22}{'x':>6}{'PSNR, dB':>14}{'5 %':>6}{'worst':>7}{'SSIM':>14}{'5 %':>8}")
    slowest = statistics.median(times["original"])
    for method, spent in times.items():
        low, middle, high = np.percentile(spent, (10, 50, 90))
        decibels = (
            f"{np.median(psnr[method]):14.1f}{np.percentile(psnr[method], 5):6.1f}{min(psnr[method]):7.1f}"
        )
        likeness = f"{np.median(ssim[method]):14.5f}{np.percentile(ssim[method], 5):8.5f}"
        print(f"{method:14}{middle:8.2f} ({low:.2f}..{high:.2f}){slowest / middle:8.1f}{decibels}{likeness}")


def _psnr(one: Picture, other: Picture) -> float:
    """In dB; 100 for equal pictures, so that a median exists."""
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return 100.0 if error == 0.0 else 10.0 * float(np.log10(255.0**2 / error))


if __name__ == "__main__":
    main()
