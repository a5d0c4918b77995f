"""The showdown: processor seconds of a process tree, hypervolumes, which models are kept."""

from __future__ import annotations

import hashlib
import json
import math
import random
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench import showdown, showdown_markdown, showdown_score, showdown_table, showdown_tree, showdown_volume
from tests.speed import SOON_S

BURN = "import time\nwhile time.process_time() < {}: pass\n"


@pytest.mark.alone
def test_processor_seconds_of_ended_children_count(tmp_path: Path) -> None:
    child = BURN.format(0.6)
    parent = (
        f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {child!r}])\ntime.sleep(1.5)"
    )
    seen: list[float] = []
    ended = showdown_tree.run([sys.executable, "-c", parent], 100, tmp_path / "log", seen.append)
    assert ended.code == 0 and not ended.killed
    assert 0.55 < ended.cpu_s < 2 and seen[-1] == pytest.approx(ended.cpu_s, abs=0.06)


@pytest.mark.alone
def test_only_what_stands_still_is_ended_before_its_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showdown_tree, "STILL_S", 4.0)
    busy = [sys.executable, "-c", BURN.format(5)]  # less than a processor second between two looks
    ended = showdown_tree.run(busy, 100, tmp_path / "log", lambda _: None)
    assert ended.code == 0 and not ended.killed
    still = [sys.executable, "-c", "import time\ntime.sleep(600)"]
    ended = showdown_tree.run(still, 100, tmp_path / "log", lambda _: None)
    assert ended.killed and ended.wall_s < SOON_S


def test_a_tree_over_its_budget_is_ended_with_its_children(tmp_path: Path) -> None:
    child = f"open({str(tmp_path / 'child')!r}, 'w').write('x')\n" + BURN.format(60)
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    ended = showdown_tree.run([sys.executable, "-c", parent], 0.5, tmp_path / "log", lambda _: None, core=0)
    assert ended.killed and ended.code < 0
    assert (tmp_path / "child").exists() and 0.5 < ended.cpu_s < 5


def test_a_candidate_that_is_trained_further_is_another_model(tmp_path: Path) -> None:
    made = showdown.Edgeml(tmp_path / "task", tmp_path, 10, 0, [])
    folder = made.run / "candidates" / "abc"
    folder.mkdir(parents=True)

    def put(model: bytes, status: str = "complete", said: bytes | None = None) -> None:
        (folder / "model.tflite").write_bytes(model)
        digest = hashlib.sha256(said or model).hexdigest()
        about = {"key": "abc", "status": status, "artifact": {"sha256": digest}}
        (folder / "new").write_text(json.dumps(about))
        (folder / "new").replace(folder / "candidate.json")

    put(b"one", "stopped")
    made.look(1.0)
    assert made.found() == []
    put(b"one")
    made.look(2.0)
    made.look(3.0)
    put(b"two", said=b"three")  # its model is just being replaced
    made.look(4.0)
    assert [(found.file.read_bytes(), found.cpu_s) for found in made.found()] == [(b"one", 2.0)]
    put(b"two")
    made.look(5.0)
    assert [(found.file.read_bytes(), found.cpu_s) for found in made.found()] == [
        (b"one", 2.0),
        (b"two", 5.0),
    ]


def test_a_result_names_the_commit_of_the_engine_that_made_it(tmp_path: Path) -> None:
    def git(*what: str) -> str:
        who = ["-c", "user.name=edgeml", "-c", "user.email=edgeml@example.org"]
        ran = subprocess.run(["git", "-C", str(tmp_path), *who, *what], capture_output=True, text=True)
        return ran.stdout.strip()

    assert showdown._commit(tmp_path / "absent") == "unknown"
    git("init", "-q")
    (tmp_path / "engine.py").write_text("one")
    git("add", ".")
    git("commit", "-qm", "one")
    assert git("rev-parse", "HEAD").startswith(showdown._commit(tmp_path))
    (tmp_path / "engine.py").write_text("two")
    assert showdown._commit(tmp_path).endswith("-dirty")
    assert showdown.Edgeml(tmp_path, tmp_path, 10, 0, []).about()["versions"]["commit"]


def row(validation: float, test: float, cost: float, cpu_s: float = 1.0) -> dict[str, Any]:
    return {
        "validation": validation,
        "test": test,
        "cpu_s": cpu_s,
        **dict.fromkeys(showdown_score.COSTS, cost),
    }


def test_volume_of_one_model_is_a_rectangle() -> None:
    found = showdown_volume.volume([row(0.9, 0.8, 100)], "macs", (10, 1000), 0.9)
    end = math.log(1000) + 0.1
    assert found == pytest.approx((0.9 - 0.2) * (end - math.log(100)) / (0.9 * (end - math.log(10))))


def test_a_latency_that_one_budget_alone_has_is_bounded_by_its_runs() -> None:
    """Latencies of two sessions do not compare; everything else has one box for all budgets."""
    runs = [
        {"tool": "edgeml", "budget_cpu_s": 9, "models": [row(0.9, 0.9, 10) | {"host_ms": None}]},
        {"tool": "edgeml", "budget_cpu_s": 36, "models": [row(0.9, 0.9, 100) | {"host_ms": 2}]},
        {"tool": "autokeras", "budget_cpu_s": 36, "models": [row(0.9, 0.9, 50) | {"host_ms": 3}]},
    ]
    assert "host_ms" not in showdown_volume.bounds(runs, 9)
    found = showdown_volume.bounds(runs, 36)
    assert (found["macs"], found["host_ms"]) == ((10, 100), (2, 3))
    runs[0]["models"][0]["host_ms"] = 1
    assert showdown_volume.bounds(runs, 36)["host_ms"] == (1, 3)


def test_what_looks_good_on_test_only_does_not_count() -> None:
    chosen, lucky = row(0.9, 0.7, 50), row(0.8, 0.99, 60)
    volume = partial(showdown_volume.volume, cost="macs", within=(10, 1000), guess=0.9)
    assert volume([chosen, lucky]) == volume([chosen]) > 0
    assert showdown_table.under([chosen, lucky], "macs", 100) == 0.7
    assert showdown_table.under([chosen, lucky], "macs", 40) is None


def test_a_fixed_network_is_held_against_the_front_by_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    lucky, fair = row(0.8, 0.99, 60), row(0.95, 0.9, 80)
    ours = {"tool": "edgeml", "budget_cpu_s": 9, "models": [row(0.9, 0.7, 50), lucky]}
    fixed = {"tool": "reference:resnet8", "budget_cpu_s": 9, "models": [row(0.9, 0.85, 160)]}
    monkeypatch.setattr(showdown_table, "load", lambda task, processor: [ours, fixed])
    assert showdown_table.references("digits", 9, "here")[0]["share_macs"] == math.inf
    ours["models"] = [row(0.9, 0.7, 50), lucky, fair]
    assert showdown_table.references("digits", 9, "here")[0]["share_macs"] == 0.5


def test_what_is_switched_off_is_compared_in_what_was_measured_of_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain: dict[str, Any] = {
        "tool": "edgeml",
        "budget_cpu_s": 9,
        "seed": 0,
        "options": [],
        "models": [row(0.9, 0.9, 50)],
    }
    peer = {**plain, "tool": "optuna-tpe", "models": [row(0.9, 0.9, 500)]}
    for model in (*plain["models"], *peer["models"]):
        model["host_ms"] = 1.0
    without = {**plain, "options": ["--no-curves"], "models": [row(0.9, 0.9, 50)]}
    runs = {False: [plain, peer], True: [without]}
    monkeypatch.setattr(showdown_table, "load", lambda task, changed=False, processor=None: runs[changed])
    found = showdown_table.ablations("digits", 9, "here")
    assert [each["options"] for each in found] == ["as it is", "--no-curves"]
    assert found[0]["mean"] == found[1]["mean"]


def test_only_runs_on_the_same_kind_of_processor_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(tool: str, processor: str, cost: float, seed: int = 0) -> None:
        run = {"task": "digits", "tool": tool, "seed": seed, "processor": processor, "options": []}
        run |= {"budget_cpu_s": 9, "models": [row(0.9, 0.9, cost), row(0.8, 0.8, cost / 2)]}
        folder = showdown_table.folder_of(processor)
        folder.mkdir(exist_ok=True)
        about = {"models_in_budget": 2, "about": {"user_lines": 1}}
        (folder / f"digits.{tool}.9.{seed}.json").write_text(json.dumps(run | about))

    monkeypatch.setattr(showdown_table, "RESULTS", tmp_path)
    fast, slow = "AMD EPYC", "Intel(R) Xeon(R) Processor @ 2.50GHz"
    for processor, cost in ((fast, 10), (slow, 1000)):
        put("edgeml", processor, cost)
        put("optuna-tpe", processor, 4 * cost)
    before = [showdown_table.table("digits", 9, on) for on in (fast, slow)]
    put("autokeras", slow, 1)
    assert showdown_table.comparisons() == [("digits", 9, fast), ("digits", 9, slow)]
    assert showdown_table.table("digits", 9, fast) == before[0]
    assert showdown_table.table("digits", 9, slow)[0]["tool"] == "autokeras"
    assert sorted(place.name for place in tmp_path.iterdir()) == ["amd-epyc", "intel-xeon-2-50ghz"]


def test_results_lie_where_their_processor_belongs() -> None:
    for file in showdown_table.RESULTS.rglob("*.json"):
        assert file.parent == showdown_table.folder_of(json.loads(file.read_text())["processor"]), file


def test_the_documentation_has_the_tables_of_the_raw_files() -> None:
    page = showdown_markdown.PAGE.read_text(encoding="utf-8")
    assert page == showdown_markdown.page(), "run `python bench/showdown_markdown.py`"
    assert page.count("| edgeml | 3 |") >= 1


def test_when_a_hypervolume_was_reached() -> None:
    run = {"models": [row(0.5, 0.5, 100, 5.0), row(0.9, 0.9, 50, 20.0)]}
    volume = partial(showdown_volume.volume, cost="macs", within=(10, 1000), guess=0.9)
    assert showdown_volume.reached_after(run, volume(run["models"][:1]), volume) == 5.0
    assert showdown_volume.reached_after(run, volume(run["models"]), volume) == 20.0
    assert showdown_volume.reached_after(run, 1.0, volume) is None


def test_models_that_are_kept_tell_every_earlier_front() -> None:
    rng = random.Random(0)
    rows = [row(rng.random(), rng.random(), rng.randint(10, 1000), float(time)) for time in range(60)]
    for one in rows:
        one["coral_ms"] = None if rng.random() < 0.2 else rng.randint(1, 50)
    kept = showdown_score.kept(rows)
    assert len(kept) < len(rows)
    for time in range(0, 60, 7):
        for cost in ("macs", "coral_ms"):
            before, after = ([r for r in given if r["cpu_s"] <= time] for given in (rows, kept))
            volumes = [showdown_volume.volume(given, cost, (1, 1000), 0.9) for given in (before, after)]
            assert volumes[0] == volumes[1]
