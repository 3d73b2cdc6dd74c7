"""Batches to a bundle: network, training, the artefact on disk."""
