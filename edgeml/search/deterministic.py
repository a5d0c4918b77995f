"""--deterministic: the same command gives the same files, byte for byte, on computers of one kind.

What a search does depends on its seed alone once TensorFlow's operators do (op determinism), each process has
a fixed number of threads, and no decision is taken by the clock. The rest of edgeml draws all that is random
from seeds and walks folders in sorted order.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from edgeml.errors import ConfigError
from edgeml.search.settings import Settings
from edgeml.search.workers.compute import Compute
from edgeml.search.workers.executor import Executor
from edgeml.target.targets import Targets

Result = TypeVar("Result")

INDEPENDENT = ("grid", "random")
"""Strategies that propose the same whatever has been trained by then."""
THREADS = 1
"""Of a worker where --worker-threads says nothing: sums are added up in the same order on any computer."""


def check(settings: Settings, targets: Targets, compute: Compute) -> list[str]:
    """What stands against the same result twice.

    Args:
        settings: of the run.
        targets: the profiles.
        compute: where evaluations run.

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
    steering = {*targets.objectives, *settings.limits}
    timed = [name for name in targets.timed if name in steering]
    if timed:
        raise ConfigError(
            f"--deterministic: {timed[0]} of target {' and '.join(targets.names)} is taken with a stopwatch "
            "and steers the search, so no two runs could be the same; use a target whose figures are "
            "estimated or compiled (`edgeml targets`), or null, and time the models afterwards with "
            "`edgeml measure`."
        )
    if compute.scheduler is None and compute.storage is None and compute.workers == 1:
        return []
    if settings.strategy.partition(":")[0] in INDEPENDENT and compute.storage is None:
        return [
            "deterministic: with several workers the same architectures are tried every time; where weights "
            "are inherited from, and who is trained further, depends on what has finished first: one worker, "
            "or --inherit none, --fidelity full and --no-curves, give the same files too."
        ]
    return [
        f"deterministic: with several workers {settings.strategy} proposes by what has finished first, so "
        "another run may try other architectures; not so with one worker, or --strategy random or grid."
    ]


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
        """Run a module-level function elsewhere, in a settled process."""
        return self._executor.submit(Settled(self._threads, function), *arguments)

    def kill(self) -> None:
        """End what runs, at once."""
        self._executor.kill()

    def close(self) -> None:
        """End it for good."""
        self._executor.close()


@dataclass(frozen=True)
class Settled:
    """A function for worker processes, run where TensorFlow computes the same every time.

    Attributes:
        threads: of TensorFlow.
        function: what is run.
    """

    threads: int
    function: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        """Settle this process, then run the function."""
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        with suppress(RuntimeError):  # this process was settled before
            tf.config.threading.set_intra_op_parallelism_threads(self.threads)
            tf.config.threading.set_inter_op_parallelism_threads(self.threads)
            tf.zeros(())  # from here on the number of threads stays
        return self.function(*arguments)
