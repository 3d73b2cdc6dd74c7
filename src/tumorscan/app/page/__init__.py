"""The page: drop a picture, read the verdict. The detector and the reader are the command line's."""

from tumorscan.app.page.build import build_page, draw_examples
from tumorscan.app.page.serve import address, serve

__all__ = ["address", "build_page", "draw_examples", "serve"]
