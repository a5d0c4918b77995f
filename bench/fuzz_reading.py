"""A command line -> what came of it, in this process, for bench/endurance_fuzz.py.

Where a command would start a process for a model or train for minutes, only that last step is left out:
`check` and `calibrate` do their work here, `export` ends when it has read the candidate, `search` before
the first trial, `rebuild` and `dashboard` before they train or serve.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import traceback
from functools import cache
from pathlib import Path
from typing import Any

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
LONGEST = 4000
"""Characters of a message."""


def said_well(code: int, stderr: str) -> dict[str, Any]:
    """Exit code and stderr -> "clean", "sentence" or what is wrong."""
    if code in (0, 1) and "Traceback" not in stderr:
        return {"what": "clean", "why": ""}
    if code < 0:
        return {"what": "crash", "why": f"signal {-code}"}
    if "Traceback" in stderr or code not in (0, 1, 2):
        return {"what": "traceback", "why": f"exit code {code}: {stderr[-1500:]}"}
    lines = stderr.rstrip("\n").split("\n")
    usage = lines[0].startswith("Usage:")
    wrong = len(lines) != 1 and not usage
    if wrong or CONTROL.search(stderr) or (len(stderr) > LONGEST and not usage):
        return {"what": "not one sentence", "why": repr(stderr[:600])}
    return {"what": "sentence", "why": stderr.strip()[:300]}


LIMIT_S, START_S = 10.0, 20.0
"""A real process may take START_S more: it starts Python and, for models, a runtime."""


def in_process(command: list[str]) -> dict[str, Any]:
    """A command line in a process of its own."""
    words = [os.fsencode(word) for word in command]
    start = time.monotonic()
    try:
        said = subprocess.run(
            [sys.executable.encode(), b"-m", b"edgeml.cli", *words],
            capture_output=True,
            check=False,
            timeout=LIMIT_S + START_S,
        )
    except subprocess.TimeoutExpired:
        return {"what": "hang", "why": f"no end within {LIMIT_S + START_S:g} s"}
    except OSError as error:
        return {"what": "clean", "why": f"the system takes no such command ({error.strerror})"}
    found = said_well(said.returncode, said.stderr.decode("utf-8", "replace"))
    return {**found, "seconds": time.monotonic() - start}


def sendable(command: list[str]) -> list[str]:
    """What no terminal can send is replaced: zero bytes, and surrogates that stand for no byte."""
    command = [word.replace("\0", "") for word in command]
    return [word if _is_name(word) else word.encode("utf-8", "replace").decode() for word in command]


def _is_name(word: str) -> bool:
    try:
        os.fsencode(word)
    except UnicodeEncodeError:
        return False
    return True


class Stop(BaseException):
    """Reading is over."""


@cache
def patched() -> Any:
    """The command line, with the steps above left out."""
    from importlib import import_module

    import altair  # noqa: F401 - a second that no single input is to pay
    import optuna_dashboard  # noqa: F401

    from edgeml.api import devices, exports
    from edgeml.cli import main

    session, study = (import_module(f"edgeml.search.{name}") for name in ("session", "study"))

    def here(path: Any, function: Any, *arguments: Any, **_: Any) -> Any:
        from edgeml.errors import ModelError

        try:
            return function(*arguments)
        except ModelError as error:
            raise ModelError(f"{path}: {error}" if path else str(error)) from error

    def only_read(function: Any, run: Path, key: str, out: Path, formats: Any, settings: Any) -> Any:
        from edgeml.export.read import read_candidate

        read_candidate(run, key, settings)
        raise Stop

    class Unused:
        slots = 1

        def kill(self) -> None:
            pass

        close = kill

    def stop(*_: Any, **__: Any) -> None:
        raise Stop

    session.executor_for = lambda *_: Unused()  # type: ignore[attr-defined]
    study.Study.__init__ = stop
    devices.in_child = here
    exports._in_worker = only_read
    return main


def work(command: list[str]) -> dict[str, Any]:  # noqa: PLR0911 - one for every end
    """Run a command and judge it."""
    from click.testing import CliRunner

    from edgeml.errors import EdgemlError

    main = patched()
    try:
        if command[0].startswith("@"):
            OWN[command[0]](Path(command[1]))
            return {"what": "clean", "why": ""}
        result = CliRunner().invoke(main, command)
    except Stop:
        return {"what": "clean", "why": ""}
    except EdgemlError as error:
        return said_well(2, f"error: {error}\n")
    except MemoryError:
        return {"what": "memory", "why": traceback.format_exc()}
    except Exception:
        return {"what": "traceback", "why": _short(traceback.format_exc())}
    error = result.exception
    if error is None or isinstance(error, SystemExit):
        return said_well(result.exit_code, result.stderr)
    if isinstance(error, Stop):
        return {"what": "clean", "why": ""}
    what = "memory" if isinstance(error, MemoryError) else "traceback"
    return {"what": what, "why": _short("".join(traceback.format_exception(error)))}


def _short(text: str) -> str:
    """The last frame of ours and what was raised."""
    frames = re.findall(r'File "([^"]*/edgeml/[^"]+)", line (\d+), in (\S+)\n\s*(.*)', text)
    last = text.strip().split("\n")[-1][:300]
    named = [(file.rsplit("/edgeml/", 1)[1], line, name) for file, line, name, _ in frames[:-4:-1]]
    where = " <- ".join(f"{file}:{line} {name}" for file, line, name in named)
    return f"{where}: {last}"


def _bank(path: Path) -> None:
    from edgeml.train.bank import Bank

    Bank.open(path)


def _spec(folder: Path) -> None:
    from edgeml.export.checksums import check_sums
    from edgeml.export.spec import NAME, read_spec

    read_spec(folder / NAME)
    check_sums(folder)


def _dashboard(run: Path) -> None:
    from edgeml.report.dashboard import serving

    with serving(run, 0):
        pass


OWN = {"@bank": _bank, "@spec": _spec, "@dashboard": _dashboard}
