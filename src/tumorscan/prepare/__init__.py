"""Pixels to what the network sees: the one path of training and serving."""
