"""Every candidate of a run: what is kept of it, the front, the pick."""
