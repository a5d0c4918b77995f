"""Meters: each measures models on one kind of device."""
