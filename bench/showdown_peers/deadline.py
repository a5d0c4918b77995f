"""Processor seconds of this process tree, and what stops a training when they are spent."""

from __future__ import annotations

import os
from typing import Any


class BudgetSpentError(KeyboardInterrupt):
    """The processor time is over: no Exception, for the tools catch those and begin the next trial."""


def cpu_seconds(children: bool = False) -> float:
    """User and system seconds since this process began; with `children`, of those that still live too."""
    spent = sum(os.times()[:4])
    if not children:
        return spent
    import psutil

    for child in psutil.Process().children(recursive=True):
        try:
            spent += sum(child.cpu_times()[:4])
        except psutil.Error:  # it ended in between, and is in our own times now
            continue
    return spent


class Clock:
    """A budget of processor seconds.

    Attributes:
        budget_s: of the whole process tree.
        conversion_s: what the last conversion took; kept back for the next.
        children: whether work is done in child processes.
    """

    def __init__(self, budget_s: float, children: bool = False) -> None:
        self.budget_s = budget_s
        self.conversion_s = 2.0
        self.children = children

    def spent(self) -> float:
        """Processor seconds until now."""
        return cpu_seconds(self.children)

    def left(self, conversions: int = 1) -> float:
        """Seconds that remain when so many conversions are kept back."""
        return self.budget_s - self.spent() - 1.5 * self.conversion_s * conversions - 2.0


def versions(*names: str) -> dict[str, str]:
    """Distributions -> their versions, those of the frameworks too."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str] = {}
    for name in ("tensorflow-cpu", "keras", "numpy", *names):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def two_threads() -> Any:
    """TensorFlow with two threads and without a GPU or chatter; returns it."""
    os.environ |= {
        "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", "OMP_NUM_THREADS": "2",
        "KERAS_BACKEND": "tensorflow",
    }  # fmt: skip
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    tf.get_logger().setLevel("ERROR")
    return tf
