"""A command that runs once a block is over, also where the process that was in it has been killed.

What lies on a phone has to go after Ctrl-C, a time limit and a crash here too, and those end a worker without
another word. So a process that is nobody's child reads a pipe whose other end only the block's process has,
and runs the command when the pipe ends. It is started as a file and imports nothing of edgeml.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

LIMIT_S = 10.0
"""For the command; a phone that does not answer is gone."""


@contextmanager
def afterwards(command: Sequence[str]) -> Iterator[None]:
    """Run a command when the block is left, however it is left; wait for its end where this process lives.

    Args:
        command: program and arguments; no shell. What it prints and how it ends is of no interest.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdin and process.stdout
    try:
        process.wait()  # until then it could be ended as a descendant of this process
        yield
    finally:
        process.stdin.close()
        select.select([process.stdout], [], [], LIMIT_S + 1)  # it ends with the command
        process.stdout.close()


def main() -> None:
    """Leave the family, wait for the end of the input, run the command."""
    if os.fork():
        os._exit(0)
    sys.stdin.buffer.read()
    null = subprocess.DEVNULL
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(sys.argv[1:], stdin=null, stdout=null, stderr=null, timeout=LIMIT_S, check=False)


if __name__ == "__main__":
    main()
