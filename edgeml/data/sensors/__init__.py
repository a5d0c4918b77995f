"""Readings of sensors over time -> windows."""
