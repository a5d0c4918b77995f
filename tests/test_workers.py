"""Worker processes: several at once; one that crashes, hangs or eats memory ends alone and says why."""

import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import psutil
import pytest

from edgeml.errors import ConfigError
from edgeml.search.workers import executor, watchdog
from edgeml.search.workers.compute import Compute, parse_size, shown
from edgeml.search.workers.executor import WorkerDiedError, Workers
from edgeml.search.workers.watchdog import how_it_ended
from tests.speed import SOON_S

LIMIT_S = 60


def pid():
    return os.getpid()


def crash():
    os.abort()


def sleep(seconds):
    time.sleep(seconds)
    return seconds


def fill(size):
    block = bytearray(size)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(30)


def meet(mine, other):
    """Only returns where two run at once."""
    mine.touch()
    while not other.exists():
        time.sleep(0.02)
    return True


def with_child(note):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    note.write_text(str(child.pid))
    time.sleep(100)


def loaded():
    """Of what takes seconds to import."""
    return {"tensorflow", "tf_keras", "keras", "sklearn", "scipy.stats"} & set(sys.modules)


def settings():
    names = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")
    return [os.environ.get(name) for name in names]


@pytest.fixture
def workers(tmp_path):
    made = []

    def make(**compute):
        made.append(Workers(tmp_path / "worker.log", Compute(**compute)))
        return made[-1]

    yield make
    for one in made:
        one.kill()


def test_a_crash_ends_one_worker_and_no_other(workers):
    pool = workers(workers=2)
    other = pool.submit(sleep, 1.5)
    with pytest.raises(WorkerDiedError, match=r"died of SIGABRT; .*worker\.log ends with what it printed"):
        pool.submit(crash).result(LIMIT_S)
    assert pool.submit(pid).result(LIMIT_S) != os.getpid()
    assert other.result(LIMIT_S) == 1.5


def test_two_run_at_once_and_the_third_waits(workers, tmp_path):
    pool = workers(workers=2)
    first, second = tmp_path / "first", tmp_path / "second"
    assert pool.slots == 2
    futures = [pool.submit(meet, first, second), pool.submit(meet, second, first), pool.submit(pid)]
    assert [one.result(LIMIT_S) for one in futures[:2]] == [True, True]
    assert futures[2].result(LIMIT_S)


def test_a_process_that_the_system_does_not_start_keeps_nobody_waiting(workers, monkeypatch):
    """No memory or too many processes just now: an error of that evaluation, and the next one is tried."""
    pool, launch, left = workers(recycle=1), executor.ProcessPoolExecutor._spawn_process, [None]

    def refused(self):
        if left:
            left.pop()
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        launch(self)

    first = pool.submit(sleep, 0.5)
    monkeypatch.setattr(executor.ProcessPoolExecutor, "_spawn_process", refused)
    second, third = pool.submit(pid), pool.submit(pid)
    assert first.result(LIMIT_S) == 0.5 and third.result(LIMIT_S)
    with pytest.raises(BlockingIOError):
        second.result(LIMIT_S)


def test_what_takes_too_long_is_ended(workers):
    began = time.monotonic()
    with pytest.raises(WorkerDiedError, match="longer than --trial-time 1 s"):
        workers(trial_s=1.0).submit(sleep, 600).result(LIMIT_S)
    assert time.monotonic() - began < SOON_S


def test_what_stands_still_is_ended(workers, monkeypatch):
    monkeypatch.setattr(watchdog, "STALLED_S", 1.5)
    pool = workers()
    future = pool.submit(sleep, 600)
    with pytest.raises(WorkerDiedError, match="had stood still"):
        future.result(LIMIT_S)


def test_a_worker_that_stays_stopped_is_ended(workers, monkeypatch):
    monkeypatch.setattr(watchdog, "STOPPED_S", 2.0)
    pool = workers()
    os.kill(pool.submit(pid).result(LIMIT_S), signal.SIGSTOP)
    with pytest.raises(WorkerDiedError, match=r"had been stopped \(SIGSTOP\)"):
        pool.submit(pid).result(LIMIT_S)
    assert pool.submit(pid).result(LIMIT_S)


def test_what_needs_too_much_memory_is_ended(workers):
    with pytest.raises(WorkerDiedError, match=r"needed \d\.\d GB of memory, over its limit of 0\.6 GB"):
        workers(memory_bytes=600_000_000).submit(fill, 1_200_000_000).result(LIMIT_S)


def test_a_worker_takes_what_it_started_with_it(workers, tmp_path):
    pool, note = workers(), tmp_path / "child"
    pool.submit(with_child, note)
    while not note.exists() or not note.read_text():
        time.sleep(0.02)
    child = psutil.Process(int(note.read_text()))
    pool.kill()
    psutil.wait_procs([child], timeout=60)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_worker_is_replaced_after_so_many_evaluations(workers):
    pool = workers(recycle=2)
    pids = [pool.submit(pid).result(LIMIT_S) for _ in range(5)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


def test_a_worker_imports_what_evaluations_need_and_no_second_keras(workers):
    pool = workers()
    pool.start()
    assert pool.submit(loaded).result(LIMIT_S) == {"tensorflow", "tf_keras"}


def test_cores_are_shared_between_workers(workers):
    assert workers(workers=2, threads=3).submit(settings).result(LIMIT_S) == ["3", "3"]
    assert Compute(workers=64).threads_each == 1 and Compute().threads_each is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"workers": 0}, "--workers 0: expected at least 1"),
        ({"threads": -1}, "--worker-threads -1"),
        ({"memory_bytes": 1000}, "--worker-memory 1000: expected at least 500,000,000"),
        ({"workers": 2, "scheduler": "tcp://a:1"}, "exclude each other"),
    ],
)
def test_what_cannot_be_is_refused(wrong, said):
    with pytest.raises(ConfigError, match=said):
        Compute(**wrong)


def test_sizes_and_urls():
    assert [parse_size(text) for text in ("4g", "1500M", "2 GiB", "700000000")] == [
        4 * 10**9, 1500 * 10**6, 2 * 10**9, 700_000_000,
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="much"):
        parse_size("much")
    assert shown("postgresql://anna:secret@db:5432/nas?sslkey=x") == "postgresql://anna:***@db:5432/nas?***"
    assert shown("tcp://10.0.0.1:8786") == "tcp://10.0.0.1:8786" and shown(None) is None


def test_how_a_worker_ended_in_words():
    assert how_it_ended(-9, True) == "the worker process was killed (SIGKILL) for want of memory"
    assert "from outside" in how_it_ended(-9, False)
    assert how_it_ended(-11, False).endswith("SIGSEGV") and how_it_ended(3, False).endswith("exit code 3")


@pytest.mark.parametrize(
    ("error", "code", "died"),
    [
        (BrokenProcessPool("gone"), -9, True),
        (OSError(errno.EPIPE, "Broken pipe"), -9, True),
        (OSError(errno.EBADF, "Bad file descriptor"), 1, True),
        (OSError(errno.EPIPE, "Broken pipe"), None, False),
        (OSError(errno.ENOSPC, "No space left on device"), -9, False),
        (None, None, False),
    ],
)
def test_a_pipe_that_breaks_because_the_worker_is_gone_is_its_death(error, code, died):
    process = SimpleNamespace(join=lambda seconds: None, exitcode=code)
    assert executor._died(error, process) is died


def test_a_dead_workers_pool_is_neither_shut_down_nor_forgotten_in_its_own_callback(workers, monkeypatch):
    """From Python 3.12 on either would take a lock that the callback's thread holds, and hang for ever."""
    pool = workers()
    pool.submit(pid).result(LIMIT_S)
    (one,), shut = pool._workers, []
    monkeypatch.setattr(one._pool, "shutdown", lambda **options: shut.append(options))
    kept = one._pool
    with pytest.raises(WorkerDiedError):
        pool.submit(crash).result(LIMIT_S)
    assert shut == [] and [held for _, held in one._ending] == [kept]
    assert pool.submit(pid).result(LIMIT_S) > 0


def test_a_call_that_cannot_start_does_not_lose_the_one_before(workers, monkeypatch):
    pool = workers()
    pool.submit(pid).result(LIMIT_S)
    dog = pool._workers[0]._watchdog
    watched, calls = dog.watch, []

    def watch(process):
        calls.append(process)
        if len(calls) == 2:
            raise RuntimeError("can't start new thread")
        return watched(process)

    monkeypatch.setattr(dog, "watch", watch)
    first, second = pool.submit(sleep, 0.3), pool.submit(pid)
    assert first.result(LIMIT_S) == 0.3
    with pytest.raises(RuntimeError, match="new thread"):
        second.result(LIMIT_S)
    assert pool.submit(pid).result(LIMIT_S) > 0
