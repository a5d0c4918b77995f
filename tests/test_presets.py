"""--prefer picks and weighs, --budget spends; explicit options win."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgeml.errors import ConfigError, UnknownNameError
from edgeml.report.pick import pick_key
from edgeml.report.run_files import open_run
from edgeml.search.archive.preference import PREFERS, Focus, favourite, preferring
from edgeml.search.budget import BUDGETS, budget
from edgeml.target.targets import Targets
from edgeml.train.fidelity import full_fidelity

# error, latency in ms, size in bytes
FRONT = [
    (0.02, 9.0, 90_000),
    (0.025, 4.0, 50_000),
    (0.035, 2.0, 60_000),
    (0.038, 6.0, 20_000),
    (0.2, 0.1, 900),
]
COSTS = ("latency_ms", "size_bytes")


@pytest.mark.parametrize(
    ("prefer", "index"), [("accuracy", 0), ("latency", 2), ("size", 3)], ids=["accuracy", "latency", "size"]
)
def test_what_each_preference_picks(prefer, index):
    assert favourite(FRONT, prefer, COSTS) == index
    assert favourite([(0.5, 0.01, 1), *FRONT], prefer, COSTS) == index + 1, (
        "a useless network is never picked"
    )


def test_several_devices_count_the_same():
    points = [(0.0, 1.0, 8.0), (0.0, 4.0, 1.0), (0.0, 2.0, 3.0)]
    assert favourite(points, "latency", ("latency_ms@a", "latency_ms@b")) == 1


def test_balanced_is_the_knee_and_nothing_is_picked_from_nothing():
    from edgeml.search.archive import pareto

    assert favourite(FRONT, "balanced", COSTS) == pareto.knee(FRONT)
    assert favourite([], "latency", COSTS) is None


def test_the_preferred_part_of_the_front():
    points, reference = np.array(FRONT), np.array([0.9, 10.0, 100_000.0])
    bounds = {p: Focus(p, COSTS).reference(points, reference) for p in PREFERS}
    assert bounds["balanced"] is None
    assert bounds["accuracy"].tolist() == pytest.approx([0.03, 10.0, 100_000])
    assert bounds["latency"].tolist() == pytest.approx([0.04, 2.0, 100_000])
    assert bounds["size"].tolist() == pytest.approx([0.04, 10.0, 20_000])


def test_the_preferred_cost_becomes_an_objective():
    coral = Targets.load(["coral"])
    assert preferring(coral, "size").objectives == ["latency_ms", "size_bytes"]
    assert (
        preferring(coral, "latency").objectives == preferring(coral, "balanced").objectives == ["latency_ms"]
    )
    two = preferring(Targets.load(["coral", "mcu-m7"]), "size").objectives
    assert two.count("size_bytes") == 1
    with pytest.raises(ConfigError, match="target null tells no latency"):
        preferring(Targets.load(["null"]), "latency")
    with pytest.raises(UnknownNameError, match="accurate"):
        preferring(coral, "accurate")


@pytest.mark.parametrize("samples", [50, 1_258, 51_000, 2_000_000])
def test_budgets_rise(samples):
    full = [
        full_fidelity(samples, budget(name).epochs(samples)).epochs
        for name in ("quick", "standard", "thorough")
    ]
    assert full == sorted(full) and full[0] < full[2]
    assert BUDGETS["quick"].trials < BUDGETS["standard"].trials < BUDGETS["thorough"].trials
    with pytest.raises(UnknownNameError, match="thorough"):
        budget("huge")


def test_a_search_with_presets(cli, tmp_path):
    code, _, err = cli(
        "search", "--data", "digits", "--target", "null", "--budget", "quick", "--prefer", "size",
        "--trials", 3, "--epochs", 2, "--fidelity", "full", "--compress", "none", "--no-inherit",
        "--no-curves", "--out", tmp_path / "run",
    )  # fmt: skip
    assert code == 0, err
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    settings = run["settings"]
    assert (settings["budget"], settings["prefer"]) == ("quick", "size")
    assert (settings["trials"], settings["epochs"], settings["fidelity"]) == (3, 2.0, "full")
    assert settings["time_s"] == 0, "trials that are counted end no sooner"
    assert [one["name"] for one in run["objectives"]] == ["accuracy", "macs", "size_bytes"]
    files = open_run(tmp_path / "run")
    key = pick_key(files, "preferred")
    best = max(c.accuracy for c in files.front_candidates)
    near = [c for c in files.front_candidates if c.accuracy >= best - 0.02 - 1e-9]
    assert key == min(near, key=lambda c: c.figures["size_bytes"].value).key
    assert "--prefer size" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(("option", "word"), [("--prefer", "fast"), ("--budget", "huge")])
def test_unknown_words_are_one_sentence(cli, tmp_path, option, word):
    code, _, err = cli("search", "--data", "digits", option, word, "--out", tmp_path / "run")
    assert code == 2 and word in err and option in err and "Traceback" not in err
    assert not (tmp_path / "run").exists()
