"""--deterministic: the same command gives the same files, byte for byte, on computers of one kind.

What a search does depends on its seed alone once TensorFlow's operators do (op determinism), each process has
a fixed number of threads, and no decision is taken by the clock. The rest of edgeml draws all that is random
from seeds and walks folders in sorted order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any, TypeVar

from edgeml.errors import ConfigError
from edgeml.search.compute import Compute
from edgeml.search.executor import Executor
from edgeml.search.settings import Settings
from edgeml.target.targets import Targets

Result = TypeVar("Result")

INDEPENDENT = ("grid", "random")
"""Strategies that propose the same whatever has been trained by then."""
THREADS = 1
"""Of a worker where --worker-threads says nothing: sums are added up in the same order on any computer."""


def check(settings: Settings, targets: Targets, objectives: Collection[str], slots: int) -> list[str]:
    """What stands against the same result twice.

    Args:
        settings: of the run.
        targets: the profiles.
        objectives: metrics that are minimised.
        slots: evaluations that run at once.

    Returns:
        Sentences for the user on what is promised less.

    Raises:
        ConfigError: something is decided by the clock.
    """
    if settings.time_s:
        raise ConfigError(
            "--deterministic and a time limit exclude each other: how much is trained would depend on how "
            "busy this computer is; say how much with --trials, and --epochs perhaps, instead of --time."
        )
    timed = [name for name in targets.timed if name in objectives or name in settings.limits]
    if timed:
        raise ConfigError(
            f"--deterministic: {timed[0]} of target {' and '.join(targets.names)} is taken with a stopwatch "
            "and steers the search, so no two runs could be the same; use a target whose figures are "
            "estimated or compiled (`edgeml targets`), or null, and time the models afterwards with "
            "`edgeml measure`."
        )
    if slots > 1 and settings.strategy.partition(":")[0] not in INDEPENDENT:
        return [
            f"deterministic: with {slots} workers {settings.strategy} proposes by what has finished first: "
            "another run may try other architectures; not so with one worker, or --strategy random or grid."
        ]
    return []


class Deterministic:
    """An executor whose evaluations compute the same every time.

    Args:
        executor: where they run.
        compute: says how many threads each may have.
    """

    def __init__(self, executor: Executor, compute: Compute) -> None:
        self._executor, self._threads = executor, compute.threads or THREADS

    @property
    def slots(self) -> int:
        """Those of the executor."""
        return self._executor.slots

    def submit(self, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Run a module-level function elsewhere, settled."""
        return self._executor.submit(settled, self._threads, function, *arguments)

    def kill(self) -> None:
        """End what runs, at once."""
        self._executor.kill()


def settled(threads: int, function: Callable[..., Result], *arguments: Any) -> Result:
    """Run a function in a process whose TensorFlow computes the same every time. For worker processes."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.zeros(())  # from here on the number of threads stays
    except RuntimeError:  # this process was settled before
        pass
    return function(*arguments)
