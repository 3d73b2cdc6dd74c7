"""Whole studies: a run from folder to bundle, cross-validation, experiments."""
