"""The result in plain words: figures of the run only, ties called ties."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from edgeml.report.headline import headline, tied
from edgeml.report.leaderboard import rows, table
from edgeml.report.page import write_report
from edgeml.report.pick import preferred
from edgeml.report.run_files import RunFiles, open_run
from tests.test_report_files import write_run

SPANS = {1: (0.930, 0.915, 0.945), 3: (0.955, 0.942, 0.968), 6: (0.965, 0.952, 0.978)}
"""Test score with its interval by number: 3 and 6 overlap, 1 lies apart from 6."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = write_run(tmp_path / "run")
    for file in (path / "candidates").glob("*/candidate.json"):
        record = json.loads(file.read_text())
        if record["number"] in SPANS:
            value, low, high = SPANS[record["number"]]
            record["test_accuracy"] = {"value": value, "low": low, "high": high, "n": 360}
            file.write_text(json.dumps(record))
    return path


def prefer(path: Path, word: str) -> RunFiles:
    run = json.loads((path / "run.json").read_text())
    run["settings"]["prefer"] = word
    (path / "run.json").write_text(json.dumps(run))
    return open_run(path)


def test_the_knee_with_its_figures_and_its_tie(path):
    run = open_run(path)
    knee, best, far = (next(c for c in run.candidates if c.number == n) for n in (3, 6, 1))
    first, second, third = headline(run)
    assert first.startswith("95.5 % accuracy on test at 0.0520 ms on ")
    assert first.endswith(f"kB ({knee.key}, the best compromise).")
    assert (
        f"than {best.key}, the most accurate on the front: no difference in accuracy that the test split "
        "can show" in second
    )
    ratio = float(re.search(r"([\d.]+)x faster", second)[1])
    assert ratio == pytest.approx(0.11 / 0.052, abs=0.06)
    assert best.key in third and "no difference that the test split can show" in third
    assert tied(run, knee, best) and not tied(run, best, far)


def test_the_leaderboard_marks_what_the_split_cannot_tell_from_the_best(path):
    run = open_run(path)
    ties = {row["number"] for row in rows(run) if row["tie"]}
    assert 3 in ties and not ties & {1, 6}, "3 overlaps with 6, the best; 1 lies apart"
    console = Console(width=100)
    with console.capture() as captured:
        console.print(table(run))
    said = captured.get()
    assert "= as accurate as the best, as far as its split can show" in " ".join(said.split())
    keys = {c.number: c.key for c in run.candidates}
    marks = {line.split()[0]: line.split()[-1] for line in said.splitlines() if line.split()}
    assert marks[keys[3]] == "*K=" and marks[keys[6]] == marks[keys[1]] == "*"
    page = write_report(path).read_text(encoding="utf-8")
    assert '<span class="badge">tie</span>' in page and "cannot tell it from the most accurate" in page


def test_accuracy_lost_is_said_in_figures(path):
    run = prefer(path, "latency")
    pick = preferred(run)
    assert pick.number == 3, "number 1 is faster and gives up more than 2 points"
    assert "--prefer latency: the fastest that gives up at most 2 points" in headline(run)[0]
    record = path / "candidates" / pick.key / "candidate.json"
    found = json.loads(record.read_text())
    found["test_accuracy"] = {"value": 0.940, "low": 0.930, "high": 0.950, "n": 360}
    record.write_text(json.dumps(found))
    assert "94.0 % accuracy against 96.5 % on test" in headline(open_run(path))[1]


def test_the_most_accurate_is_held_against_a_larger_equal(path):
    run = prefer(path, "accuracy")
    pick = preferred(run)
    assert pick.number == 6
    lines = headline(run)
    other = re.search(r" than (\w+), the largest of its equals", " ".join(lines))
    assert other is not None, lines
    rival = next(c for c in run.candidates if c.key == other[1])
    assert rival.figures["size_bytes"].value > pick.figures["size_bytes"].value and tied(run, pick, rival)


def test_estimates_say_so_and_no_front_says_nothing(path):
    run = open_run(path)
    knee = path / "candidates" / run.knee / "candidate.json"
    found = json.loads(knee.read_text())
    found["metrics"]["latency_ms"]["kind"] = "estimated"
    knee.write_text(json.dumps(found))
    lines = headline(open_run(path))
    assert "0.0520 ms (estimated)" in lines[0]
    assert "faster" not in lines[1], "an estimate is not held against a measurement"
    (path / "front.json").unlink()
    assert headline(open_run(path)) == []
