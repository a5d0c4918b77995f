"""Runs the steps one after the other, each in a child process with a time limit: a crash is a result."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from edgeml.doctor.child import MARK
from edgeml.doctor.finding import Line, Section, existing
from edgeml.doctor.steps import NEEDS, STEPS
from edgeml.target.board.process import Finished, converse

SIGNALS = {
    signal.SIGILL: "this processor lacks an instruction that a package was built with (AVX for TensorFlow): "
    "install packages built for it, or use another computer",
    signal.SIGKILL: "for want of memory perhaps: end other programs, or raise the container's limit",
    signal.SIGBUS: "a disk may be full: free some space",
}
ELSE = "native code of a package crashed: install the packages of constraints.txt again; please report it"


def self_test(folder: Path, told: Callable[[str], None] = lambda step: None) -> Section:
    """Every step; `folder` is where runs are written, `told` is called with the name of each step."""
    return Section("Self-test", tuple(_steps(folder, list(STEPS), told)))


def file_test(folder: Path) -> Section:
    """Only the step about files."""
    return Section("Files", tuple(_steps(folder, ["files"], lambda step: None)))


def _steps(folder: Path, names: Iterable[str], told: Callable[[str], None]) -> Iterator[Line]:
    failed: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="edgeml-doctor-") as kept:
        for name in names:
            told(name)
            if NEEDS.get(name) in failed:
                yield Line(name, f"not tried, because {NEEDS[name]} failed", "note")
                continue
            lines = _files_step(folder) if name == "files" else run_step(name, Path(kept))
            if any(line.state == "problem" for line in lines):
                failed.add(name)
            yield from lines


def _files_step(folder: Path) -> list[Line]:
    """In the folder of runs, which need not exist yet."""
    place = folder
    try:
        place = existing(folder)
        with tempfile.TemporaryDirectory(prefix=".edgeml-doctor-", dir=place) as made:
            return run_step("files", Path(made))
    except OSError as error:
        advice = "choose a folder that you may write to (--out)"
        return [Line("files", f"{place}: cannot be written ({error.strerror})", "problem", advice)]


def run_step(name: str, folder: Path) -> list[Line]:
    """Name and folder of a step -> its lines; one problem where it failed, crashed or did not end."""
    limit_s = STEPS[name][1]
    command = [sys.executable, "-m", "edgeml.doctor.child", name, str(folder)]
    finished = converse(command, time_limit_s=limit_s)
    said = list(_said(finished))
    doing = next((one["doing"] for one in reversed(said) if "doing" in one), "starting")
    if finished.timed_out:
        advice = "the computer is overloaded or a package hangs: try again when nothing else runs"
        return [Line(name, f"not done within {limit_s:g} s while {doing}", "problem", advice)]
    for one in said:
        if "lines" in one:
            return [Line(**line) for line in one["lines"]]
        if "error" in one:
            package = one.get("package")
            advice = f"pip install {package}" if package else _words(finished)
            return [Line(name, f"failed while {doing}: {one['error']}", "problem", advice)]
    return [crashed(name, doing, finished)]


def crashed(name: str, doing: str, finished: Finished) -> Line:
    """A child that ended without an answer -> a line that says how."""
    if finished.code >= 0:
        how, advice = f"ended with status {finished.code}", _words(finished)
    else:
        try:
            found = signal.Signals(-finished.code)
            how, advice = f"died of {found.name}", SIGNALS.get(found, ELSE)
        except ValueError:
            how, advice = f"died of signal {-finished.code}", ELSE
    return Line(name, f"{how} while {doing}", "problem", advice)


def _words(finished: Finished) -> str:
    return f"it said: {finished.complaint}" if finished.complaint else "please report it"


def _said(finished: Finished) -> Iterator[dict[str, Any]]:
    for line in finished.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith(MARK):
            try:
                yield json.loads(line.removeprefix(MARK))
            except ValueError:  # cut short
                continue
