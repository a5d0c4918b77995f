"""A run directory copied elsewhere while it is written to: both go on, each by itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time

import pytest

COMMAND = [
    "search",
    "--data",
    "digits",
    "--target",
    "null",
    "--epochs",
    "2",
    "--trials",
    "4",
    "--compress",
    "none",
]
LIMIT_S = 240


def rows(run):
    """Rows of all trainings, by key and rung, and each candidate's number."""
    found, numbers = {}, {}
    for file in run.glob("candidates/[!.]*/candidate.json"):
        told = json.loads(file.read_text())
        numbers[told["key"]] = told["number"]
        found |= {(told["key"], row["rung"]): row for row in told["rungs"]}
    return found, numbers


@pytest.mark.slow
def test_a_run_is_copied_while_it_runs_and_both_go_on(tmp_path, cli):
    run, copy = tmp_path / "here" / "run", tmp_path / "elsewhere" / "another name"
    run.parent.mkdir()
    copy.parent.mkdir()
    command = [sys.executable, "-m", "edgeml.cli", *COMMAND, "--out", str(run)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        ends = time.monotonic() + LIMIT_S
        while len(rows(run)[0]) < 2 and process.poll() is None and time.monotonic() < ends:
            time.sleep(0.02)
        subprocess.run(["cp", "-r", run, copy], check=False, capture_output=True)  # files vanish meanwhile
        before, numbers = rows(copy)
        assert process.wait(LIMIT_S) == 0, (tmp_path / "log").read_text()[-2000:]
    finally:
        process.kill()
    mine, _ = rows(run)
    shutil.move(run, tmp_path / "away")
    code, _, err = cli("search", "--resume", "--out", copy)
    assert code == 0, err
    after, all_numbers = rows(copy)
    assert len(before) >= 2 and all(after[one] == row for one, row in before.items()), "trained again"
    assert all(mine[one] == row for one, row in before.items())
    assert len(all_numbers) == 4 and sorted(all_numbers.values()) == [0, 1, 2, 3]
    assert numbers.items() <= all_numbers.items() and not run.exists()
    assert (copy / "report.html").exists() and json.loads((copy / "state.json").read_text())["trials"] == 4
    assert not list(copy.rglob(".*")) and rows(tmp_path / "away")[0] == mine
