"""Int8 TFLite -> dependency-free C99: `to_c99`."""

from edgeml.deploy.c99.compile import C99, to_c99

__all__ = ["C99", "to_c99"]
