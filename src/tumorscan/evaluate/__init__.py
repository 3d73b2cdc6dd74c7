"""Predictions to numbers, pictures and reports."""
