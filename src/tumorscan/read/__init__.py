"""Bytes to pixels: what is in a file, told by its content."""

from tumorscan.read.files import list_files
from tumorscan.read.image import read_bytes, read_scan

__all__ = ["list_files", "read_bytes", "read_scan"]
