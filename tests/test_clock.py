"""The wall clock is set while a search runs, by a day and back: nothing decided or counted goes by it."""

from __future__ import annotations

import ast
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.jumping_clock import DAY_S, SHIM
from tests.killed_engine import TRIALS, problems

ROOT = Path(__file__).resolve().parent.parent
WALL = {"time.time", "time.time_ns", "clock.time", "datetime.now", "datetime.utcnow", "datetime.today"}
SHOWN = {
    "data/images/image_cache.py",  # which copies nobody used for 30 days
    "search/cluster/worker_data.py",
    "target/calibrate/calibration.py",  # the date in a profile
}
"""What reads the wall clock: what it says is shown, or days more or less do not matter."""


def test_nothing_but_dates_is_read_from_the_wall_clock():
    found = set()
    for path in (ROOT / "edgeml").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if any(f"{name}(" in text for name in WALL) else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func) in WALL:
                found.add(str(path.relative_to(ROOT / "edgeml")))
    assert found == SHOWN


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_a_search_whose_clock_is_set_to_and_fro(tmp_path):
    library, folder = tmp_path / "clock.so", tmp_path / "run0"
    build = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-ldl"]
    subprocess.run(build, input=SHIM, text=True, check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, ROOT / "tests" / "jumping_clock.py", folder]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout)
    assert max(seen) - min(seen) > 1.9 * DAY_S, "the clock has not jumped"
    assert problems(folder) == []
    state = json.loads((folder / "state.json").read_text())
    assert state["status"] == "finished" and state["trials"] == TRIALS
    assert 0 < state["elapsed_s"] < DAY_S / 10 and all(0 <= s < DAY_S / 10 for s in state["time_s"].values())
    rows = [json.loads(file.read_text()) for file in folder.glob("candidates/*/candidate.json")]
    rows.sort(key=lambda row: row["number"])
    firsts = [row["rungs"][0]["at_s"] for row in rows]
    assert all(0 <= one <= other < 100 for one, other in itertools.pairwise(firsts))
