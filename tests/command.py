"""`edgeml` as tests call it: in this process, which has loaded what a new one would load for seconds."""

from __future__ import annotations

import io
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess


def edgeml_run(*args: object, cwd: Path, check: bool = True) -> CompletedProcess[str]:
    """What the command has said and its exit code, which must be 0 with `check`."""
    from edgeml.cli import main

    words, code = [str(one) for one in args], 0
    with chdir(cwd), redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            main(words)
        except SystemExit as stop:
            code = int(stop.code or 0)
    assert not (check and code), err.getvalue()
    return CompletedProcess(words, code, out.getvalue(), err.getvalue())
