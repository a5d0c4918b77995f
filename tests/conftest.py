"""What several test files share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# The machine is shared, so no deadline; CI draws the same examples every time.
hypothesis.settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """`shared_data("fsdd")` is that folder of ../shared/data; the test skips where it is not there."""

    def folder(name: str) -> Path:
        path = ROOT.parent / "shared" / "data" / name
        if not path.exists():
            pytest.skip(f"needs the data set {name!r} in {path.parent}, which is not on this machine")
        return path

    return folder


@pytest.fixture
def cli(tmp_path, monkeypatch, capfd):
    """`cli(args...)` -> (exit code, stdout, stderr), in an empty folder."""
    from edgeml.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*args):
        capfd.readouterr()
        try:
            main([str(a) for a in args])
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capfd.readouterr()
        return code, out, err

    return call
