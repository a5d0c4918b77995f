"""A candidate of a run -> a folder that stands alone."""
