"""The examples of sensor readings and tables, on little data, as a user runs them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, folder: Path, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / name), "made", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_gestures(tmp_path):
    said = run("gestures.py", tmp_path, "2", "5")
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
def test_tabular(tmp_path):
    said = run("tabular.py", tmp_path, "2")
    rows = [line.split() for line in said.splitlines()[-3:]]
    assert [row[0] for row in rows] == ["1", "2", "3"] and {row[2] for row in rows} <= {"benign", "malignant"}
    best = max(float(found) for found in re.findall(r"([\d.]+) % int8", said))
    assert best >= 90  # guessing has 62.7
