"""Trained weights -> artifact bytes -> files."""
