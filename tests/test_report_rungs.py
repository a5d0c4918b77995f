"""Rungs in the report: who is trained fully, whether low rungs rank, what learning curves ended."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_report_files import HOSTILE, dump, edit, write_run
from test_report_leaderboard import printed
from test_report_page import Page

from edgeml.data.goal import ACCURACY
from edgeml.report import climb, convergence, rung_plots, size_effect
from edgeml.report.leaderboard import rows
from edgeml.report.page import write_report
from edgeml.report.plots import learning
from edgeml.report.run_files import RunFiles, open_run
from edgeml.report.summary import progress, summary
from edgeml.terminal.lines import trial_line

LADDER = [{"epochs": 0.2, "data": 0.5, "share": 0.4}, {"epochs": 1.0, "data": 1.0, "share": 0.6}]
REASON = f"0.4 % chance to reach 94.0 % {HOSTILE}"
LOW, ENDED = (0, 2), 5
"""Numbers of the candidates that stayed on the first rung, and of the one that its curve ended."""


def climbing(path: Path, spearman: float | None = 0.31, pairs: int = 9, ranks: bool | None = False) -> Path:
    """`write_run` on two rungs: numbers 1, 3, 4 and 6 are trained fully, 3 and 6 from scratch as well."""
    write_run(path)
    for file in path.rglob("candidate.json"):
        value = json.loads(file.read_text(encoding="utf-8"))
        if value["accuracy"] is not None:
            dump(file, {**value, **_climbed(value)})
    found = {"pairs": pairs, "spearman": spearman, "ranks": ranks}
    edit(path / "run.json", ladder={"name": "balanced", "rungs": LADDER, "carry": True})
    both = [{"rung": 0, "trained": 7, "cost": 1.4, **found}, {"rung": 1, "trained": 5, "cost": 4.0}]
    edit(path / "state.json", rungs=both)
    return path


def _climbed(value: dict) -> dict:
    number, accuracy = value["number"], value["accuracy"]
    low = {"rung": 0, "epochs": 8.0, "accuracy": accuracy - 0.1 - 0.01 * number, "cost": 0.2}
    if number in LOW:
        return {"status": "stopped", "rung": 0, "rungs": [low], "accuracy": low["accuracy"]}
    curve = [accuracy - 0.3 / n for n in range(1, 11)]
    high = {"rung": 1, "epochs": 32.0, "accuracy": accuracy, "cost": 0.8, "curve": curve}
    full = {"rung": 1, "rungs": [low, high], "history": _history(accuracy)}
    if number == ENDED:
        high |= {"curve": curve[:4], "stopped": True, "expected": 0.925}
        return {**full, "status": "stopped", "reason": REASON, "accuracy": 0.85}
    confirmed = {3: {"accuracy": 0.961, "accuracy_float": 0.963, "epochs": 40.0}, 6: {"failure": "loss NaN"}}
    return {**full, "confirmed": confirmed.get(number)}


def _history(accuracy: float) -> list[dict]:
    ends = [*range(1, 9), *range(1, 33)]  # every training counts from 0
    return [{"epoch": float(epoch), "loss": 1.0, "accuracy": accuracy} for epoch in ends]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    return open_run(climbing(tmp_path_factory.mktemp("runs") / "climb"))


def test_fully_trained_first_then_by_rung(run: RunFiles) -> None:
    found = rows(run)
    assert [row["number"] for row in found] == [6, 3, 1, 4, 5, 0, 2]
    assert [row["pareto"] for row in found] == [True] * 3 + [False] * 4
    assert [row["rung"] for row in found] == [1, 1, 1, 1, 1, 0, 0]
    ended = found[4]
    assert (ended["status"], ended["reason"], ended["source"]) == ("stopped", REASON, "overlap")
    assert ended["lineage"].startswith("stem: wider 8 -> 12")
    assert ended["rungs"][1]["expected"] == 0.925
    assert found[0]["confirmed"] == {"failure": "loss NaN"}
    assert "confirmed" not in found[2]
    assert json.loads(json.dumps(found)) == found


def test_the_table_says_the_rung_in_100_columns(run: RunFiles) -> None:
    lines = printed(run).splitlines()
    assert max(map(len, lines)) <= 100
    by_key = {words[0]: words[1] for words in map(str.split, lines) if len(words) > 1}
    labels = {c.number: by_key[c.key] for c in run.scored}
    assert labels == {0: "1/2", 1: "2/2", 2: "1/2", 3: "2/2", 4: "2/2", 5: "2/2", 6: "2/2"}
    assert [line.split()[0] for line in lines if line.rstrip().endswith(" !")] == [rows(run)[4]["key"]]
    words = " ".join(" ".join(lines).split())
    assert "rung 2/2 is full training; = as accurate as the best" in words and "! ended early" in words


def test_the_summary_counts_and_warns(run: RunFiles) -> None:
    text = summary(run)
    assert "9 architectures tried, 4 trained fully, 3 on the Pareto front" in text
    assert (
        "WARNING: training for 20 % of the epochs and 50 % of the data did not rank candidates as full "
        "training does (Spearman 0.31 on 9 candidates); use --fidelity full or a higher first rung."
    ) in text
    assert "full training: 0.31 at 20 % of the epochs and 50 % of the data (9 candidates)." in text
    assert "1 training was ended early by its learning curve." in text
    assert "508575d4e3a1 96.5 % in the search, 96.1 % from scratch" in text
    assert "986fa0f21a00 97.5 % in the search, none from scratch (training failed: loss NaN)" in text


@pytest.mark.parametrize(
    ("spearman", "pairs", "ranks", "words"),
    [
        (0.82, 9, True, "0.82 at 20 % of the epochs and 50 % of the data (9 candidates)."),
        (0.5, 3, None, "50 % of the data (3 candidates, too few to judge)."),
        (None, 1, None, "not known at 20 % of the epochs and 50 % of the data (1 candidate, too few to"),
    ],
)
def test_no_warning_where_a_rung_ranks_or_nobody_knows(
    tmp_path: Path, spearman: float | None, pairs: int, ranks: bool | None, words: str
) -> None:
    run = open_run(climbing(tmp_path / "run", spearman, pairs, ranks))
    assert words in climb.correlations(run)[0]
    assert climb.warnings(run) == []


def test_one_rung_has_no_correlation_and_no_section(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run"))
    assert climb.correlations(run) == climb.warnings(run) == climb.endings(run) == []
    assert rung_plots.agreement(run) is rung_plots.curves(run) is None
    assert not climb.has_rungs(run)


def test_few_trials_use_only_the_last_rung(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    edit(path / "run.json", ladder={"name": "balanced", "rungs": LADDER, "carry": True})
    run = open_run(path)
    assert [rung["epochs"] for rung in run.ladder] == [1.0]
    assert {row["rung"] for row in rows(run)} == {0}
    assert "rung" not in printed(run)


def test_pairs_are_of_candidates_trained_to_the_end_on_both(run: RunFiles) -> None:
    assert sorted(c.number for c, _, _ in climb.both(run, 0)) == [1, 3, 4, 6]
    spec = rung_plots.agreement(run)
    assert spec is not None
    points = {row["key"]: (row["low"], row["full"]) for row in spec["data"]["values"]}
    assert points["508575d4e3a1"] == (pytest.approx(0.835), 0.965)
    few = [c for c in run.candidates if c.number in (1, 3)]
    assert rung_plots.agreement(RunFiles(run.path, run.run, run.state, tuple(few), (), None)) is None


def test_curves_mark_where_a_training_was_ended(run: RunFiles) -> None:
    spec = rung_plots.curves(run)
    assert spec is not None
    lines, crosses = (layer["data"]["values"] for layer in spec["layer"])
    assert len(lines) == 4 * 10 + 4
    assert [(row["share"], row["expected"]) for row in crosses] == [(0.4, "92.5 %")]


def test_epochs_go_on_from_rung_to_rung(run: RunFiles, tmp_path: Path) -> None:
    assert _epochs(run) == [float(epoch) for epoch in range(1, 41)]
    path = climbing(tmp_path / "run")
    for file in path.rglob("candidate.json"):  # weights were not carried: 32 epochs are all there is
        edit(file, fidelity={"epochs": 32.0, "samples": 9})
    assert _epochs(open_run(path)) == [float(epoch) for epoch in range(1, 33)]


def _epochs(run: RunFiles) -> list[float]:
    spec = learning(run)
    assert spec is not None
    return [row["epoch"] for row in spec["data"]["values"] if row["key"] == run.knee]


def test_the_curve_of_a_knee_that_is_a_variant_is_its_networks(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run"))
    knee = run.knee_candidate
    assert knee is not None
    variant = replace(knee, key=f"{knee.key}-qat", compression={"of": knee.key, "method": "qat"})
    made = replace(
        run, candidates=(*run.candidates, variant), front=(*run.front, variant.key), knee=variant.key
    )
    spec = learning(made)
    assert spec is not None
    scale = spec["encoding"]["color"]["scale"]
    assert (scale["domain"][0], scale["range"][0]) == (f"{knee.key} (knee)", "theme:knee")


def test_the_page_shows_ladder_warning_curves_and_lineage(run: RunFiles) -> None:
    page = Page(write_report(run.path))
    for words in (
        "20 % of the epochs and 50 % of the data",
        "5.40",
        "Accuracy on a lower rung and after full training",
        "Learning curves that were watched",
        "A cross marks a training that was ended early (1).",
        "from scratch, int8",
        "Where weights came from",
        REASON,
        "not trained fully",
    ):
        assert words in page.text + page.scripts[0]
    warned = [attributes for name, attributes in page.tags if attributes.get("class") == "warning"]
    assert len(warned) == 3  # top of the page, section Rungs, and the estimates of the leaderboard
    lost = page.text.partition("Refused and failed")[2]
    assert "number 7" in lost
    assert REASON not in lost


@pytest.mark.parametrize(
    ("rung", "reason", "words"),
    [
        (0, None, "[3/8] abc rung 1 of 2 | accuracy 50.00 % int8 | macs"),
        (1, None, "[3/8] abc rung 2 of 2 | accuracy 50.00 % int8 | macs"),
        (1, "hopeless", "[3/8] abc rung 2 of 2 | stopped early at 50.00 % int8: hopeless"),
    ],
)
def test_the_plain_line_says_the_rung(rung: int, reason: str | None, words: str) -> None:
    metric = {"metric": "macs", "value": 1000.0, "kind": "counted"}
    candidate = SimpleNamespace(
        key="abc",
        status="stopped",
        accuracy=0.5,
        reason=reason,
        rung=rung,
        metrics={"macs": metric, "size_bytes": {**metric, "metric": "size_bytes"}},
    )
    study = SimpleNamespace(
        progress=SimpleNamespace(trials=3),
        settings=SimpleNamespace(trials=8, planned_trials=8, time_s=0.0),
        archive=SimpleNamespace(front=list, objectives=["macs"], tally=SimpleNamespace(seconds=0.0)),
        goal=ACCURACY,
        rungs=SimpleNamespace(spent=[1.0, 0.0], left=lambda trials: 2.0),
        ladder=SimpleNamespace(top=1, climbs=True),
    )
    assert trial_line(study, candidate).startswith(words)


def test_trainings_that_time_cut_short_are_said_and_not_compared(tmp_path):
    """A network that had 4 of 32 epochs is no example of its size."""
    write_run(tmp_path / "run")
    whole = open_run(tmp_path / "run")
    assert "7 trained fully, 3 on" in progress(whole)
    (cut,) = (c.key for c in whole.trials if c.number == 3)
    file = tmp_path / "run" / "candidates" / cut / "candidate.json"
    value = json.loads(file.read_text(encoding="utf-8"))
    value["rungs"][-1]["share"] = 0.125
    dump(file, value)
    found = open_run(tmp_path / "run")
    assert "7 trained fully (1 of them cut short by --time), 3 on" in progress(found)
    for before, after in (
        (size_effect.sample(whole).points, size_effect.sample(found).points),
        (convergence.speeds(whole), convergence.speeds(found)),
    ):
        assert len(after) == len(before) - 1 > 0
