"""What the report, the summary and the leaderboard say of compressed finalists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_report_files import write_run

from edgeml.report import compression
from edgeml.report.leaderboard import rows
from edgeml.report.page import write_report
from edgeml.report.pick import pick_key
from edgeml.report.run_files import open_run
from edgeml.report.summary import sentences, summary


@pytest.fixture
def run(tmp_path) -> Path:
    """A run whose most accurate member of the front lost three points and has a pruned variant."""
    path = write_run(tmp_path / "run")
    best = open_run(path).front[0]
    folder = path / "candidates" / best
    candidate = json.loads((folder / "candidate.json").read_text())
    tried = [{"method": "qat", "kept": False, "accuracy": 0.9, "steps": 10}]
    calibrations = [
        {"images": 200, "rule": "converter", "percentile": None, "accuracy": 0.94, "kept": True},
        {"images": 500, "rule": "percentile", "percentile": 99.9, "accuracy": 0.93, "kept": False},
    ]
    record = {"asked": "auto", "max_drop": 0.5, "drop": 3.0, "warning": True, "tried": tried}
    finalist = {**candidate, "compression": {**record, "calibrations": calibrations}}
    (folder / "candidate.json").write_text(json.dumps(finalist))
    variant = {
        **candidate,
        "key": f"{best}-prune",
        "parent": best,
        "rungs": [],
        "compression": {
            "of": best, "method": "prune", "sparsity": 0.5, "drop": 4.0, "warning": True, "max_drop": 1.0
        },
    }  # fmt: skip
    own = path / "candidates" / variant["key"]
    own.mkdir()
    (own / "candidate.json").write_text(json.dumps(variant))
    return path


def test_a_drop_above_the_threshold_is_said_everywhere(run):
    files = open_run(run)
    best = files.front[0]
    said = [sentence for sentence in sentences(files) if sentence.startswith("WARNING")]
    assert any(
        f"{best} is 3.0 points worse at int8 than as float, more than 0.5 points (--max-drop 0.5)" in s
        for s in said
    )
    assert any("quantisation-aware training included" in s for s in said)
    assert any(
        f"{best}-prune (pruned (50 %)) is 4.0 points worse" in s and "--max-drop 1)" in s for s in said
    )
    by_key = {row["key"]: row for row in rows(files)}
    assert by_key[best]["warning"] in said and by_key[f"{best}-prune"]["warning"] in said
    assert all(row["warning"] is None for key, row in by_key.items() if not key.startswith(best))
    page = write_report(run).read_text()
    assert "is 3.0 points worse at int8" in page and "percentile 99.9, 500 images: 93.00 %" in page


def test_variants_are_no_trials_and_do_not_blur_picks(run):
    files = open_run(run)
    best = files.front[0]
    assert len(files.trials) == len(files.candidates) - 1
    assert f"{len(files.trials)} architectures tried" in summary(files)
    assert pick_key(files, best) == pick_key(files, best[:6]) == best
    assert pick_key(files, f"{best}-prune") == pick_key(files, f"{best}-pr") == f"{best}-prune"


def test_what_could_not_be_made_is_said(run):
    best = open_run(run).front[0]
    file = run / "candidates" / best / "candidate.json"
    candidate = json.loads(file.read_text())
    candidate["compression"].update(tried=[{"method": "qat", "failure": "loss became nan"}])
    file.write_text(json.dumps(candidate))
    said = sentences(open_run(run))
    assert f"WARNING: {best}-qat was not made: loss became nan." in said
    assert any("--compress auto or qat trains it" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("metric", "bare", "words"),
    [("rmse", "0.12", "0.12 of RMSE"), ("auc", "0.030", "0.030 of AUC"), ("macro_f1", "3.0", "3.0 points")],
)
def test_a_drop_is_told_in_the_unit_of_the_metric(run, metric, bare, words):
    """A score of 0.03 less is an error larger by 0.03 of the best constant's, not three points."""
    task = {"rmse": "regression", "auc": "anomaly"}.get(metric, "classification")
    described = json.loads((run / "run.json").read_text())
    described["dataset"]["goal"] = {"task": task, "metric": metric, "baseline": 4.0}
    (run / "run.json").write_text(json.dumps(described))
    card = run / "candidates" / open_run(run).front[0] / "candidate.json"
    value = json.loads(card.read_text())
    card.write_text(json.dumps({**value, "accuracy_float": value["accuracy"] + 0.03}))
    files = open_run(run)
    best = next(c for c in files.candidates if c.key == files.front[0])
    assert compression.shown_drop(files, best) == bare
    assert f"{best.key} is {words} worse at int8 than as float, more than" in compression.warnings(files)[0]
    page = write_report(run).read_text()
    assert f"<td>{bare}</td>" in page and ("percentage points" in page) == (metric == "macro_f1")
