"""Bytes to pixels: what is in a file, told by its content."""
