"""Pictures and files that are handed in to the page, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image

from tumorscan.app.inbox import Inbox
from tumorscan.data.phantom import draw_phantom

LIMIT = 1_000_000
"""Bytes that the served page takes."""


def slice_pixels(seed: int = 5) -> np.ndarray:
    return draw_phantom(np.random.default_rng(seed), tumor=True, size=200).pixels


def _png() -> bytes:
    return _saved(Image.fromarray(slice_pixels()), "PNG")


def _jpeg_turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return _saved(Image.fromarray(slice_pixels()[:150]), "JPEG", exif=exif, quality=90)


def _png_16_bit() -> bytes:
    return _saved(Image.fromarray(slice_pixels().astype(np.uint16) * 13 + 700), "PNG")


def _palette_transparent() -> bytes:
    image = Image.fromarray(slice_pixels()).convert("P")
    return _saved(image, "PNG", transparency=bytes([0, 120] + [255] * 254))


def _rgba() -> bytes:
    grey = slice_pixels()
    return _saved(Image.fromarray(np.dstack([grey, grey, grey, 255 - grey // 2])), "PNG")


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


PICTURES: dict[str, Callable[[], bytes]] = {
    "plain.png": _png,
    "turned.jpg": _jpeg_turned,
    "deep.png": _png_16_bit,
    "palette.png": _palette_transparent,
    "alpha.png": _rgba,
}
"""By name: each is one that a page which lets its framework decode would get wrong, but for the first."""

BAD_FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "text.png": (lambda: b"Dear colleague, please find attached", "is text"),
    "cut.jpg": (lambda: _jpeg_turned()[:900], "damaged or cut JPEG"),
    "tiny.png": (lambda: _saved(Image.new("L", (1, 1)), "PNG"), "1 x 1 pixels"),
    "large.bmp": (lambda: b"BM" + bytes(LIMIT - 1), f"more than the limit of {LIMIT}"),
    "empty.png": (lambda: b"", "is empty"),
}
"""By name: content, and part of the cause that is shown."""


def handed(inbox: Inbox, files: dict[str, bytes], **options: object) -> dict:
    """What the page is told of uploads that stand in an inbox."""
    listed = []
    for number, (name, data) in enumerate(files.items()):
        folder = inbox.folder / f"upload-{number}"
        folder.mkdir()
        (folder / "token").write_bytes(data)
        listed.append({"name": name, "path": str(folder / "token")})
    return {"files": listed, "options": options}
