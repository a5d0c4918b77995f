"""run_files.py, and `write_run`: the synthetic run directory that every test of the report room reads."""

import json
from pathlib import Path

import pytest

from edgeml.arch.cell import Arch, Cell, Edge, Stage, lower
from edgeml.arch.cost import cost
from edgeml.arch.graph import Graph
from edgeml.errors import RunError
from edgeml.report.run_files import open_run

HOSTILE = "</script><script>window.pwned=1</script><!-- \u2028 & \" ' <img src=x onerror=window.pwned=1>"
OPS = ("sep_conv_3x3", "mbconv_3x3_e4", "skip", "conv_1x1", "avg_pool_3x3", "sep_conv_5x5")


def dump(file: Path, value: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value), encoding="utf-8")


def edit(file: Path, **changes: object) -> None:
    dump(file, {**json.loads(file.read_text(encoding="utf-8")), **changes})


def arch(index: int) -> Arch:
    def op(i: int) -> str:
        return OPS[(index + i) % len(OPS)]

    cell = Cell(
        (
            (Edge(0, op(0)),),
            (Edge(0, op(1)), Edge(1, op(2))),
            (Edge(0, op(3)), Edge(1, "zero"), Edge(2, op(4))),
        ),
        "concat" if index % 2 else "last",
    )
    reduction = Cell(((Edge(0, "conv_3x3"), Edge(0, "max_pool_3x3")),)) if index % 3 == 0 else None
    single = Cell(((Edge(0, "mbconv_3x3_e2"),),))
    stages = (Stage(cell, 1, 8 + index), Stage(cell, 2, 16 + index, 2, reduction), Stage(single, 1, 24, 2))
    return Arch((8, 8, 1), 10, 8, stages, head_channels=32 if index % 2 else 0)


def figure(metric: str, value: float, kind: str, tool: str, spread: float = 0.0, unit: str = "") -> dict:
    low, high = (value * (1 - spread), value * (1 + spread)) if spread else (None, None)
    found = {
        "metric": metric,
        "value": value,
        "unit": unit,
        "low": low,
        "high": high,
        "n": 250 if spread else None,
    }
    return {**found, "kind": kind, "tool": tool, "conditions": {"threads": 1} if spread else {}}


def metrics(graph: Graph, latency: float, names: tuple[str, ...] = ("latency_ms",)) -> dict:
    price = cost(graph)
    timed = {n: figure(n, latency, "measured", "LiteRT 2.3.0 (XNNPACK)", 0.05, "ms") for n in names}
    return {
        **timed,
        "size_bytes": figure("size_bytes", price.size_bytes, "measured", "TFLite file", unit="bytes"),
        "ram_bytes": figure("ram_bytes", price.ram_bytes, "estimated", "activation plan", unit="bytes"),
        "macs": figure("macs", price.macs, "counted", "edgeml graph"),
        "params": figure("params", price.params, "counted", "edgeml graph"),
    }


def learning(final: float) -> list[dict]:
    return [{"epoch": e, "loss": 2 / e, "accuracy": final * (1 - 0.6 / e)} for e in range(1, 41)]


def write_run(path: Path, *, hostile: str = "", timed: tuple[str, ...] = ("latency_ms",)) -> Path:
    """Nine candidates: numbers 1, 3, 6 are the front (6 best, 3 the knee), 7 failed, 8 infeasible."""
    accuracies = [0.93, 0.94, 0.91, 0.965, 0.955, 0.92, 0.975]
    latencies = [0.06, 0.041, 0.07, 0.052, 0.09, 0.075, 0.11]
    keys = []
    for number in range(9):
        value = arch(number)
        keys.append(value.key)
        done = number < 7
        dump(
            path / "candidates" / value.key / "candidate.json",
            {
                "key": value.key,
                "number": number,
                "status": "complete" if done else ("failed" if number == 7 else "infeasible"),
                "reason": None if done else f"number {number}: converter stopped {hostile}",
                "choices": {"op": hostile or "skip"},
                "arch": value.to_dict(),
                "accuracy": accuracies[number] if done else None,
                "accuracy_float": accuracies[number] + 0.004 if done else None,
                "test_accuracy": {"value": accuracies[number] - 0.01, "low": 0.9, "high": 0.98, "n": 360}
                if number in (1, 3, 6)
                else None,
                "metrics": metrics(lower(value), latencies[number], timed) if done else {},
                "fidelity": {"epochs": 40, "samples": 43120},
                "rung": 0,
                "rungs": [{"rung": 0, "epochs": 40.0, "accuracy": accuracies[number], "cost": 1.0}]
                if done
                else [],
                "parent": keys[0] if number else None,
                "inherited_fraction": 0.4 if number else None,
                "source": "overlap" if number else None,
                "lineage": f"stem: wider 8 -> 12 {hostile}" if number else None,
                "seed": number,
                "artifact": {"format": "tflite", "file": "model.tflite", "bytes": 1, "sha256": "0"}
                if done
                else None,
                "history": learning(accuracies[number]) if done else [],
                "time_s": {"train": 9.0},
                "finished_at_s": 20.0 * (number + 1),
                "pareto": number in (1, 3, 6),
            },
        )
    front = [keys[1], keys[3], keys[6]]
    dump(path / "front.json", {"keys": front, "knee": keys[3]})
    _write_state(path, keys[3])
    _write_run_json(path, hostile, timed)
    return path


def _write_state(path: Path, knee: str) -> None:
    dump(
        path / "state.json",
        {
            "status": "finished",
            "finished": "2026-11-24T10:00:00+00:00",
            "elapsed_s": 181.5,
            "time_s": {
                "train": 100.0,
                "convert": 30.0,
                "accuracy": 12.0,
                "measure": 20.0,
                "data": 2.0,
                "other": 6.5,
            },
            "refused": {"size_bytes": 30, "ram_bytes": 2},
            "duplicates_avoided": 12,
            "failed": 1,
            "hypervolume": [[n, 20.0 * (n + 1), 0.2 + 0.05 * min(n, 6) ** 0.5] for n in range(9)],
            "reference_point": [0.1, 1.0],
            "knee": knee,
            "rungs": [{"rung": 0, "epochs": 1.0, "trained": 7, "cost": 7.0}],
        },
    )


def _write_run_json(path: Path, hostile: str, timed: tuple[str, ...]) -> None:
    classes = [str(digit) for digit in range(9)] + [hostile or "9"]
    objectives = [{"name": "accuracy", "direction": "maximize"}]
    objectives += [{"name": name, "direction": "minimize"} for name in timed]
    dump(
        path / "run.json",
        {
            "layout": 3,
            "edgeml": "0.1.0",
            "created": "2026-11-24T09:57:00+00:00",
            "settings": {
                "data": f"my data/{hostile}" if hostile else "digits",
                "targets": ["cpu"],
                "space": "micro_cell",
                "strategy": "evolution",
                "trials": 12,
                "time_s": 180,
                "seed": 0,
                "limits": {"size_bytes": 100000},
            },
            "objectives": objectives,
            "ladder": {"name": "full", "rungs": [{"epochs": 1.0, "share": 1.0}], "carry": True},
            "dataset": {
                "name": hostile or "digits",
                "classes": classes,
                "input_shape": [8, 8, 1],
                "counts": {"train": 1078, "val": 359, "test": 360},
                "hash": "1f3c9a",
                "split_hash": "77ab01",
                "provenance": {
                    "content_hash": "40c1e0",
                    "split_hash": "77ab01",
                    "seed": 0,
                    "split_from": {"train": "train", "val": "train", "test": "train"},
                },
                "warnings": [f"class {classes[-1]} has only 31 samples"],
            },
            "versions": {"python": "3.11.2", "tensorflow": "2.21.0"},
            "host": {"cpu": "Example CPU", "cores": 2, "platform": "Linux"},
            "targets": [{"name": "cpu", "description": "this computer", "limits": {}}],
        },
    )


def test_a_run_is_read_best_first(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run"))
    assert [c.number for c in run.candidates] == [6, 3, 4, 1, 0, 5, 2, 7, 8]
    assert [c.number for c in run.front_candidates] == [6, 3, 1]
    assert run.knee_candidate is not None
    assert run.knee_candidate.number == 3
    assert run.costs == ("latency_ms",)
    assert run.knee_candidate.figures["ram_bytes"].kind == "estimated"


def test_only_fully_trained_candidates_are_on_the_front(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    knee = str(open_run(path).knee)
    edit(path / "candidates" / knee / "candidate.json", status="stopped")
    run = open_run(path)
    assert [c.number for c in run.front_candidates] == [6, 1]
    assert run.knee is None


def test_a_run_still_going_has_no_front(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    (path / "state.json").unlink()
    (path / "front.json").unlink()
    (path / "candidates" / "0123456789ab").mkdir()
    run = open_run(path)
    assert run.state["status"] == "running"
    assert (run.front, run.knee, run.knee_candidate) == ((), None, None)


def test_infinities_are_read_as_nothing(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    worst = open_run(path).candidates[6]
    edit(path / "candidates" / worst.key / "candidate.json", accuracy=float("nan"))
    assert worst.key not in {c.key for c in open_run(path).scored}


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run directory at"):
        open_run(tmp_path / "absent")


def test_names_that_no_directory_can_have(tmp_path: Path) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    for path in (tmp_path / ("a" * 300), circle):
        with pytest.raises(RunError, match="no run directory at"):
            open_run(path)


def test_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"not an edgeml run: it has no run\.json"):
        open_run(tmp_path)


@pytest.mark.parametrize(
    ("layout", "advice"),
    [(7, "upgrade edgeml"), (0, "open it with the edgeml that wrote it"), (None, "layout None")],
)
def test_other_layouts(tmp_path: Path, layout: object, advice: str) -> None:
    path = write_run(tmp_path / "run")
    edit(path / "run.json", layout=layout)
    with pytest.raises(RunError, match=advice) as caught:
        open_run(path)
    assert "this edgeml reads layout 3" in str(caught.value)


@pytest.mark.parametrize("name", ["run.json", "state.json", "front.json", "candidate.json"])
@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_damaged_files_are_named(tmp_path: Path, name: str, text: str) -> None:
    path = write_run(tmp_path / "run")
    file = next(path.rglob(name))
    file.write_text(text, encoding="latin-1")
    with pytest.raises(RunError) as caught:
        open_run(path)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "x"},
        {"accuracy": "high"},
        {"metrics": [1]},
        {"metrics": {"latency_ms": {"value": 1.0, "conditions": {"calm_rounds": "all", "rounds": 5}}}},
        {"rungs": [3]},
        {"rung": "top"},
        {"test_accuracy": {"value": 0.9, "low": 0.8}},
        {"test_accuracy": {"value": 0.9, "low": 0.8, "high": None}},
        {"further": [{"kept": True, "accuracy": 0.9}]},
        {"further": [{"kept": True, "before": 0.9}]},
    ],
)
def test_a_candidate_of_the_wrong_shape_is_damaged(tmp_path: Path, changes: dict) -> None:
    path = write_run(tmp_path / "run")
    file = next(path.rglob("candidate.json"))
    edit(file, **changes)
    with pytest.raises(RunError, match="damaged"):
        open_run(path)
