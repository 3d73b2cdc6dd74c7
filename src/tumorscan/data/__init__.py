"""Folders to batches: labels, groups, splits, augmentation, phantoms."""
