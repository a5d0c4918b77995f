"""The examples of sensor readings and tables, on little data, with short trainings."""

from __future__ import annotations

import functools
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import edgeml

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """`run(name, ...)` is what the example's main(...) prints in an empty folder; trainings are short."""
    monkeypatch.chdir(tmp_path)
    short = functools.partial(edgeml.search, epochs=15, compress="none")
    monkeypatch.setattr(edgeml, "search", short)

    def call(name, *arguments):
        runpy.run_path(str(EXAMPLES / name))["main"]("made", *arguments)
        return capsys.readouterr().out

    return call


@pytest.mark.slow
def test_gestures(run, tmp_path):
    said = run("gestures.py", 2, 5)
    assert "preprocess.h" in said
    about = json.loads((tmp_path / "made" / "run" / "run.json").read_text())["dataset"]
    assert about["preprocessing"]["channels"] == ["ax", "ay", "az"]
    assert (about["preprocessing"]["window"], about["preprocessing"]["rate_hz"]) == (100, 50)
    assert sum(about["counts"].values()) == 80 and about["counts"]["test"] == 20  # one person of four
    best = max(float(found) for found in re.findall(r"([\d.]+) % int8", said))
    assert best >= 60  # guessing has 25
    (exported,) = (tmp_path / "made" / "run" / "export").iterdir()
    recording = next((tmp_path / "made" / "gestures" / "rest" / "anna").glob("*.csv"))
    done = subprocess.run(
        [sys.executable, exported / "example_litert.py", recording],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.split()) == 3 and done.stdout.split()[2] in ("circle", "lift", "rest", "shake")
    header = (exported / "preprocess.h").read_text()
    assert "#define PREPROCESS_SAMPLES 100" in header and (exported / "c99").is_dir()


@pytest.mark.slow
def test_tabular(run):
    said = run("tabular.py", 2)
    rows = [line.split() for line in said.splitlines()[-3:]]
    assert [row[0] for row in rows] == ["1", "2", "3"] and {row[2] for row in rows} <= {"benign", "malignant"}
    best = max(float(found) for found in re.findall(r"([\d.]+) % int8", said))
    assert best >= 90  # guessing has 62.7
