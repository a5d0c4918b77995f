"""A Dask scheduler and workers as a user starts them, and functions for their tests to run there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from edgeml.search.candidate import Candidate
from edgeml.search.evaluate import Job, Order
from edgeml.search.run_dir import RunDir
from tests.loopback_sshd import free_port

ROOT = Path(__file__).resolve().parent.parent
DASK = [sys.executable, "-m", "dask"]
EDGEML = [sys.executable, "-m", "edgeml.cli"]
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}


class Dask:
    """A scheduler and the command that keeps its workers running; `settings` are of their environment."""

    def __init__(self, folder: Path, workers: int, protocol: str = "tcp", **settings: str) -> None:
        self.folder, self.settings = folder, settings
        self.address = f"{protocol}://127.0.0.1:{free_port()}"
        where = ["--host", "127.0.0.1", "--port", self.address.split(":")[2], "--protocol", protocol]
        self.scheduler = self._start("scheduler", *where)
        self.nannies = self.join(workers) if workers else None

    def join(self, workers: int, *more: str) -> subprocess.Popen[bytes]:
        local = str(self.folder / "local")
        options = ["--nworkers", str(workers), "--nthreads", "1", "--local-directory", local]
        return self._start("worker", self.address, *options, *more)

    def _start(self, *what: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{what[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [*DASK, *what, "--no-dashboard"],
                env=os.environ | ENVIRONMENT | self.settings,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def processes(self) -> list[psutil.Process]:
        """The Dask workers themselves, oldest first."""
        assert self.nannies is not None
        children = psutil.Process(self.nannies.pid).children()
        found = [child for child in children if "spawn_main" in command_line(child)]
        return sorted(found, key=lambda child: child.create_time())

    def evaluating(self) -> list[psutil.Process]:
        """Their children."""
        return [
            child
            for worker in self.processes()
            for child in worker.children()
            if "spawn_main" in command_line(child)
        ]

    def kill_worker(self) -> None:
        """End a worker that evaluates at once, as a lost computer does (the oldest where none does).

        The oldest may not have joined the search yet. Its nanny starts another.
        """
        with suppress(psutil.Error, IndexError):
            busy = [child.ppid() for child in self.evaluating()]
            (psutil.Process(busy[0]) if busy else self.processes()[0]).kill()

    def stop(self) -> None:
        for process in (self.nannies, self.scheduler):
            if process is None or process.poll() is not None:
                continue
            os.killpg(process.pid, signal.SIGKILL)  # with workers and their children
            process.wait()


def command_line(process: psutil.Process) -> str:
    """Empty where it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextmanager
def dask(folder: Path, workers: int, protocol: str = "tcp", **settings: str):
    cluster = Dask(folder, workers, protocol, **settings)
    try:
        yield cluster
    finally:
        cluster.stop()


@contextmanager
def light(folder: Path, workers: int):
    """Workers that import no TensorFlow: nothing is trained there, and a killed one is soon back."""
    for name in ("tensorflow", "tf_keras"):
        (folder / "empty" / name).mkdir(parents=True)
        (folder / "empty" / name / "__init__.py").touch()
    with dask(folder, workers, PYTHONPATH=f"{folder / 'empty'}:{ROOT}") as found:
        yield found


def until(what, seconds=300.0):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "took too long"
        time.sleep(0.1)
    return found


def store_one(job: Job, key: str) -> str:
    """Writes a candidate as an evaluation does, into the run directory that it is given."""
    run = RunDir(Path(job.run))
    seen = sorted(path.name for path in run.candidates.iterdir())
    run.store(Candidate(key, 0, "complete", {"seen": seen}, {}, 1), {"weights.safetensors": b"w" * 1000})
    print("stored", key, flush=True)
    return job.run


def crash(job: Job) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def linger(job: Job, started: str) -> None:
    Path(started).touch()
    time.sleep(600)


def evaluate_for_a_moment(job: Job, order: Order) -> Candidate:
    """What a training stores, without the training."""
    from tests.killed_engine import evaluate

    time.sleep(0.2)
    return evaluate(job, order)


def documented(first: str) -> str:
    """The indented block of docs/scale.md that has a line which starts so, from there on."""
    page = (ROOT / "docs" / "scale.md").read_text()
    lines = page[page.index(f"    {first}") :].splitlines()
    block = lines[: next(n for n, line in enumerate(lines) if line and not line.startswith("    "))]
    return textwrap.dedent("\n".join(block))
