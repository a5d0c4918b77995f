"""TensorFlow's graph optimiser, switched off where it does not pay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unoptimised() -> Iterator[None]:
    """No graph optimisation by TensorFlow (Grappler) while this lasts.

    On these networks it takes a third of the time of tracing and changes the time of a step by no more than
    measurements differ (bench/training_loop.py); oneDNN's own rewriting happens all the same.
    """
    import tensorflow as tf

    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options(
            {"disable_meta_optimizer": before.get("disable_meta_optimizer", False)}
        )
