"""The leaderboard: a JSON contract for programs and a table for 100 columns."""

import json
from pathlib import Path

import pytest
from rich.console import Console
from test_report_files import HOSTILE, edit, write_run

from edgeml.errors import RunError
from edgeml.report import compression, figures, rung_tables
from edgeml.report.leaderboard import rows, table
from edgeml.report.pick import pick_key
from edgeml.report.run_files import Figure, RunFiles, open_run

CONTRACT = {
    "key",
    "number",
    "status",
    "accuracy",
    "accuracy_float",
    "drop",
    "compression",
    "warning",
    "test_accuracy",
    "latency_ms",
    "size_bytes",
    "ram_bytes",
    "macs",
    "params",
    "kinds",
    "pareto",
    "knee",
    "tie",
    "fidelity",
    "parent",
    "inherited_fraction",
    "rung",
    "rungs",
    "reason",
    "source",
    "lineage",
}


def printed(run: RunFiles, width: int = 100) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(table(run))
    return capture.get()


def test_rows_hold_the_contract(tmp_path: Path) -> None:
    found = rows(open_run(write_run(tmp_path / "run")))
    assert all(set(row) == CONTRACT for row in found)
    assert [row["number"] for row in found] == [6, 3, 1, 4, 0, 5, 2]
    assert [row["pareto"] for row in found] == [True] * 3 + [False] * 4
    assert [row["number"] for row in found if row["knee"]] == [3]
    knee = found[1]
    assert set(knee["latency_ms"]) == {"value", "low", "high", "kind", "tool"}
    assert knee["latency_ms"]["kind"] == "measured"
    assert all(isinstance(knee[name], int) for name in ("size_bytes", "ram_bytes", "macs", "params"))
    assert knee["kinds"]["ram_bytes"] == "estimated"
    assert knee["test_accuracy"]["n"] == 360
    assert json.loads(json.dumps(found)) == found


def test_a_target_without_latency_has_null(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", timed=()))
    assert {row["latency_ms"] for row in rows(run)} == {None}
    assert "latency" not in printed(run)


def test_several_targets_each_have_a_column(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", timed=("latency_ms@coral", "latency_ms@cpu")))
    row = rows(run)[0]
    assert row["latency_ms"] is None
    assert row["latency_ms@coral"]["kind"] == "measured"
    assert "coral" in printed(run, 140)


def test_what_cannot_be_picked_of_several_targets_says_why(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", timed=("latency_ms@coral", "latency_ms@cpu")))
    with pytest.raises(RunError, match="no latency_ms to pick by; there is one for each of its targets"):
        pick_key(run, "latency")
    none = open_run(write_run(tmp_path / "none", timed=()))
    with pytest.raises(RunError, match="its target measures none"):
        pick_key(none, "latency")


def test_figures_that_are_null_are_left_out(tmp_path: Path) -> None:
    """NaN is read as null."""
    path = write_run(tmp_path / "run")
    file = next(file for file in path.rglob("candidate.json") if json.loads(file.read_text())["number"] == 0)
    rungs = [{"rung": None, "epochs": None, "accuracy": None, "stopped": "its curve"}]
    variant = {"of": "x", "method": "prune", "sparsity": None, "drop": None, "max_drop": None}
    edit(file, rungs=rungs, status="stopped", compression={**variant, "warning": True})
    edit(path / "run.json", ladder={"name": "two", "rungs": [{"epochs": 0.2}, {"epochs": 1.0}]})
    edit(path / "state.json", rungs=[{"rung": 0}, {"rung": 1}])
    run = open_run(path)
    assert "1/2" in printed(run) and "1/2" in str(rung_tables.endings(run))
    assert "(pruned (0 %)) is 0.0 points worse at int8" in compression.warnings(run)[0]


def test_the_table_fits_100_columns(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run"))
    lines = printed(run).splitlines()
    assert max(map(len, lines)) <= 100
    knee = next(line for line in lines if run.knee and run.knee in line)
    assert "0.0520 (0.0494-0.0546) m" in knee
    assert knee.rstrip().endswith("*K=")
    assert " e " in knee
    assert "m measured, c compiled, e estimated" in "\n".join(lines)
    assert "rung" not in "\n".join(lines)


def test_a_hostile_run_name_is_plain_text(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "[red]x[bold]", hostile=HOSTILE))
    assert "[red]x[bold]" in printed(run)


def test_an_empty_run_has_an_empty_table(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    for file in path.rglob("candidate.json"):
        file.unlink()
    run = open_run(path)
    assert rows(run) == []
    assert "key" in printed(run)


NUMBERS = [(0.05123, "0.0512"), (1.0, "1.00"), (61.23, "61.2"), (100.4, "100"), (0, "0.00"), (None, "-")]
COUNTS = [(999, "999"), (43120, "43.1 k"), (1_234_567, "1.23 M"), (2.5e9, "2.5 G"), (None, "-")]
COUNTS += [(999_400, "999 k"), (999_600, "1 M"), (999_700_000, "1 G"), (999.96, "1 k"), (-999_600, "-1 M")]


def test_numbers_read_well() -> None:
    assert [figures.number(value) for value, _ in NUMBERS] == [text for _, text in NUMBERS]
    assert [figures.count(value) for value, _ in COUNTS] == [text for _, text in COUNTS]
    size = Figure("size_bytes@coral", 61234, "bytes", None, None, None, "compiled", "x", {})
    assert (figures.shown(size), figures.title(size.metric)) == ("61.2 kB", "size on coral")
    assert figures.interval(size) == ""
    assert figures.mark("guessed") == "G"
    assert figures.legend(["guessed"]).endswith("e estimated, G guessed")
