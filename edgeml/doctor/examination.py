"""Looks at everything: the work of `edgeml doctor`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from edgeml.doctor.computer import computer
from edgeml.doctor.finding import Diagnosis, Line, Section, hidden, masked
from edgeml.doctor.self_test import file_test, self_test
from edgeml.doctor.tools import meters, programs
from edgeml.doctor.versions import extras, versions

RUNS = Path("runs")


def examine(
    folder: Path = RUNS, quick: bool = False, told: Callable[[str], None] = lambda what: None
) -> Diagnosis:
    """This computer and installation -> Diagnosis, without names of users and without the network.

    Args:
        folder: where runs are written; need not exist.
        quick: leave out the self-test (some 20 seconds).
        told: called with what is looked at next.
    """
    began = time.monotonic()
    parts: list[tuple[str, Callable[[], Section]]] = [
        ("versions", versions),
        ("optional parts", extras),
        ("computer", lambda: computer(folder)),
        ("meters", meters),
        ("programs", programs),
    ]
    found = []
    for name, part in parts:
        told(name)
        found.append(_safely(name, part))
    found.append(file_test(folder) if quick else self_test(folder, lambda step: told(f"self-test: {step}")))
    return Diagnosis(masked(found), not quick, time.monotonic() - began)


def _safely(name: str, part: Callable[[], Section]) -> Section:
    """A broken installation must not end the report that is to tell of it."""
    try:
        return part()
    except Exception as error:
        said = hidden(f"{type(error).__name__}: {error}")
        advice = "install edgeml's packages again: pip install -c constraints.txt -e ."
        return Section(name.capitalize(), (Line(name, f"cannot be looked at: {said}", "problem", advice),))
