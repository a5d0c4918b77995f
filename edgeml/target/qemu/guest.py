"""One worker process in qemu-aarch64 that counts instructions of models, one after another.

The guest sees the root folder of the CPU it plays (cpu.py) and reads models from memory shared with it, so
nothing is left behind however it ends. It dies with the thread that started it (count.c asks for that).
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import tempfile
from collections.abc import Callable
from typing import IO, Any

from edgeml.target.answers import Answers, NoAnswerError
from edgeml.target.qemu import worker
from edgeml.target.qemu.cpu import Cpu
from edgeml.target.qemu.sysroot import QEMU, Sysroot

START_LIMIT_S = 120.0
"""A start takes 1.4 s on an idle machine."""
MEMORY_LIMIT_BYTES = 4 << 30
"""Of the guest's address space; 0.4 GB are in use before the first model."""


class GuestError(Exception):
    """The guest did not answer as it must; the text says why, as the end of a sentence."""


class GuestRefusedError(GuestError):
    """LiteRT in the guest refused the model; the guest lives on."""


class Guest:
    """A started worker.

    Args:
        command: the descriptor that the counts must go to -> program and arguments.
        environment: of the process, nothing else is passed on.

    Raises:
        GuestError: it did not start.
    """

    def __init__(self, command: Callable[[int], list[str]], environment: dict[str, str]) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the guest)
        self._model = os.memfd_create("model.tflite")
        self._counts, passed = os.pipe()
        os.set_blocking(self._counts, False)
        self._read_counts = b""
        self.hello: dict[str, Any] = {}
        try:
            self._process = subprocess.Popen(
                command(passed),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                pass_fds=[passed, self._model],
                env=environment,
                start_new_session=True,  # Ctrl-C is for edgeml, which may want to finish
            )
        except OSError as error:
            self._close_files()
            raise GuestError(f"{error.filename} cannot be started ({error.strerror})") from error
        finally:
            os.close(passed)
        self._answers = Answers(self._process.stdout)
        try:
            # A process that has ended is noticed when its answer is read.
            with contextlib.suppress(ProcessLookupError):
                limit = (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES)
                resource.prlimit(self._process.pid, resource.RLIMIT_AS, limit)
            self.hello = self._answer(START_LIMIT_S)
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether it can take a model."""
        return self._process.poll() is None

    def count(self, model: bytes, kernels: str, limit_s: float) -> tuple[list[int], str]:
        """TFLite bytes -> instructions of each counted run, and the SHA-256 of its outputs.

        Args:
            model: flatbuffer.
            kernels: "xnnpack" or "reference".
            limit_s: seconds for loading, warm-up and counted runs together.

        Raises:
            GuestRefusedError: LiteRT says why.
            GuestError: it crashed or took too long, and is gone.
        """
        try:
            self._ask(model, kernels)
            answer = self._answer(limit_s)
        except BaseException:  # Ctrl-C too: its answer would be taken for the next model's
            self.close()
            raise
        if "error" in answer:
            memory = f"no reason given; it had {MEMORY_LIMIT_BYTES / 2**30:g} GiB of memory"
            raise GuestRefusedError(str(answer["error"]) or memory)
        readings = self._markers()
        if len(readings) != worker.MARKERS:
            self.close()
            raise GuestError(f"it gave {len(readings)} counts, expected {worker.MARKERS}")
        marker, *runs = readings[1:]
        return [run - marker for run in runs], str(answer["digest"])

    def close(self) -> None:
        """End it at once."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not stream.closed:
                with contextlib.suppress(OSError):  # what was still to be written has no reader any more
                    stream.close()
        self._close_files()

    def _close_files(self) -> None:
        if not self._stderr.closed:
            self._stderr.close()
            os.close(self._counts)
            os.close(self._model)

    def _ask(self, model: bytes, kernels: str) -> None:
        self._markers()  # and forget what a refused model left
        self._stderr.seek(0)  # the guest writes through the same offset
        self._stderr.truncate(0)
        os.truncate(self._model, 0)
        os.lseek(self._model, 0, os.SEEK_SET)
        with os.fdopen(self._model, "wb", closefd=False) as file:
            file.write(model)
        asked = {"descriptor": self._model, "bytes": len(model), "kernels": kernels}
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._died() from None

    def _answer(self, limit_s: float) -> dict[str, Any]:
        try:
            answer = self._answers.next(limit_s)
        except NoAnswerError as error:
            raise GuestError(f"it {error}") from None
        if answer is None:
            raise self._died()
        return answer

    def _died(self) -> GuestError:
        """Why the process ended, with the last thing it said."""
        try:
            status = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return GuestError("it closed its output")
        how = f"exit status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"
        self._stderr.seek(0)
        said = self._stderr.read()[-4096:].decode(errors="replace").strip().splitlines()
        return GuestError(f"it ended with {how}" + (f": {said[-1][:200]}" if said else ""))

    def _markers(self) -> list[int]:
        """Counts that have come in; the guest has written them before it answers."""
        try:
            while read := os.read(self._counts, 65536):
                self._read_counts += read
        except BlockingIOError:
            pass
        lines, _, self._read_counts = self._read_counts.rpartition(b"\n")
        return [int(line) for line in lines.split()]


def start(sysroot: Sysroot, cpu: Cpu) -> Guest:
    """Sysroot and CPU -> Guest.

    Raises:
        GuestError: it did not start, or qemu shows it another CPU.
    """
    try:
        root = sysroot.root_of(cpu)
    except OSError as error:
        raise GuestError(f"{error.filename} cannot be made ({error.strerror})") from error
    plugin = str(sysroot.plugin).replace(",", ",,")
    python = sysroot.root / "usr" / "bin" / "python3.11"
    guest = Guest(
        lambda descriptor: [
            *(QEMU, "-L", str(root), "-cpu", cpu.emulated_as),
            *("-plugin", f"{plugin},fd={descriptor},parent={os.getpid()}"),
            *(str(python), "-s", "-S", "-P", worker.__file__),
        ],
        # Nothing of the user's environment: it would move the guest's stack and could change its Python.
        {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(sysroot.site),
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",
            "LC_ALL": "C.UTF-8",
        },
    )
    if guest.hello.get("cpuinfo") != cpu.proc_cpuinfo:
        guest.close()
        raise GuestError(
            "qemu shows its own /proc/cpuinfo (as 8.2 and newer do), expected that of the profile; "
            "use qemu-user 7.2 of Debian 12"
        )
    return guest
