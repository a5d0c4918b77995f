"""Searches for devices end to end on digits: figures, limits and checks per target, one front."""

from __future__ import annotations

import json

import pytest

from edgeml.search.archive import pareto
from tests.command import edgeml_run

TINY = ["--data", "digits", "--epochs", "1", "--compress", "none"]

pytestmark = pytest.mark.slow


def test_coral(tmp_path):
    options = ["--target", "coral", "--space", "mbconv_macro", "--trials", 1]
    done = edgeml_run("search", *TINY, *options, "--out", "r", "--json", cwd=tmp_path)
    assert (
        "taken away: activation = hard_swish, refused by coral: HARD_SWISH: Operation not supported"
        in done.stderr
    )
    rows = json.loads(done.stdout)
    assert len(rows) == 1
    for row in rows:
        assert row["latency_ms"]["kind"] in ("estimated", "measured")
        assert row["latency_ms"]["low"] < row["latency_ms"]["value"] < row["latency_ms"]["high"]
        assert row["host_ops"]["value"] == 0 and row["streamed_bytes"]["value"] == 0
    checked = edgeml_run("check", "r", "--json", cwd=tmp_path)
    found = json.loads(checked.stdout)
    assert {one["target"] for one in found} == {"coral"} and all(one["ok"] for one in found)
    assert {one["model"] for one in found} == {row["key"] for row in rows if row["pareto"]}
    board = edgeml_run("leaderboard", "r", cwd=tmp_path).stdout
    assert "e estimated" in board
    page = (tmp_path / "r" / "report.html").read_text()
    assert "taken out of the space: activation = hard_swish" in page


def test_several_targets_give_one_front(tmp_path):
    pytest.importorskip("tflite_micro", reason="needs edgeml[mcu]")
    pytest.importorskip("ethosu.vela", reason="needs edgeml[ethos-u]")
    options = ["--target", "mcu-m4", "--target", "ethos-u55-128", "--limit", "ram_kb@mcu-m4=9"]
    done = edgeml_run("search", *TINY, *options, "--trials", 3, "--out", "r", "--json", cwd=tmp_path)
    rows = json.loads(done.stdout)
    run = json.loads((tmp_path / "r" / "run.json").read_text())
    names = [objective["name"] for objective in run["objectives"] if objective["name"] != "accuracy"]
    assert names == [
        "latency_ms@mcu-m4",
        "ram_bytes@mcu-m4",
        "latency_ms@ethos-u55-128",
        "ram_bytes@ethos-u55-128",
    ]
    assert [target["name"] for target in run["targets"]] == ["mcu-m4", "ethos-u55-128"]
    kinds = ["estimated", "measured", "compiled", "compiled"]
    complete = [row for row in rows if row["status"] == "complete"]
    assert complete
    for row in complete:
        assert [row["kinds"][name] for name in names] == kinds
        assert row["ram_bytes@mcu-m4"]["value"] <= 9000 and row["latency_ms"] is None
    points = [(1 - row["accuracy"], *(row[name]["value"] for name in names)) for row in complete]
    front = {complete[index]["key"] for index in pareto.front(points)}
    assert front == {row["key"] for row in rows if row["pareto"]}
    again = edgeml_run("search", "--resume", "--out", "r", "--trials", 4, "--json", cwd=tmp_path)
    assert {row["key"] for row in rows} <= {row["key"] for row in json.loads(again.stdout)}
    other = edgeml_run("search", "--resume", "--out", "r", "--target", "cpu", cwd=tmp_path, check=False)
    assert other.returncode == 2 and "targets was" in other.stderr and len(other.stderr.splitlines()) == 1
