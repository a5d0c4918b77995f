"""bench/inheritance.py: its figures against values worked out by hand, and a small run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench.inheritance_figures import compare, summary, table
from bench.inheritance_supernet import cover, layout, train_supernet
from edgeml.arch.recipe import Recipe
from edgeml.data.dataset import Split
from edgeml.train.bank import Bank
from edgeml.train.build import build, set_weights
from edgeml.train.fidelity import Fidelity
from edgeml.train.initialise import initial
from tests.test_bank import network

ARMS = ("scratch", "parent/6+exact")


def row(arm: str, number: int, macs: int, accuracy: float, cpu_s: float, **more) -> dict:
    place = {"arm": arm, "space": "nano", "seed": 0, "number": number, "share": 1.0}
    return {**place, "macs": macs, "accuracy": accuracy, "cpu_s": cpu_s, **more}


SCRATCH = [
    row("scratch", 0, 100, 0.8, 30),
    row("scratch", 1, 50, 0.6, 30),
    row("scratch", 2, 80, 0.7, 30),
]


def test_scratch_against_itself() -> None:
    found = compare(SCRATCH, SCRATCH)
    assert found["reached_at_cpu_share"] == 1.0
    assert found["hypervolume_of_scratch"] == 1.0
    assert found["spearman"] == 1.0
    assert found["gain_enough"] == 1.0
    # Reference (0.9, 110): after one of three candidates 0.7 * 10 of 0.7 * 10 + 0.6 * 20 + 0.5 * 30.
    assert found["hypervolume_of_scratch_at_third"] == pytest.approx(7 / 34, abs=1e-4)


def test_sources_count_and_polish_adds() -> None:
    mine = [
        row("bank", -1, 0, 0, 6),
        row("bank", 0, 100, 0.75, 4),
        row("bank", 1, 50, 0.6, 4),
        row("bank", 2, 80, 0.7, 4),
        row("bank", 0, 100, 0.85, 9, polish=True),
    ]
    found = compare(mine, SCRATCH)
    assert found["source_cpu_s"] == 6
    assert found["cpu_share"] == pytest.approx(27 / 90)
    assert found["reached_at_cpu_share"] == pytest.approx(27 / 90)
    assert found["reached_99_percent_at_cpu_share"] == pytest.approx(27 / 90)
    assert found["hypervolume_of_scratch"] == pytest.approx(34.5 / 34, abs=1e-4)
    assert found["accuracy_difference"] == pytest.approx(-0.05 / 3, abs=1e-4)
    assert found["gain_median"] == 1.0
    assert found["candidates"] == 3


def test_never_reached_is_said() -> None:
    mine = [{**r, "arm": "bank", "accuracy": r["accuracy"] / 2} for r in SCRATCH]
    lines = summary([*SCRATCH, *mine])
    assert [line["arm"] for line in lines] == ["scratch", "bank"]
    assert lines[1]["reached_at_cpu_share"] is None
    assert "| - |" in table(lines).splitlines()[-1]


def test_supernet_shares_what_the_bank_would() -> None:
    small, large = network("sep_conv_3x3", 8), network("sep_conv_5x5", 12)
    starts = [initial(graph, 0, "he_normal") for graph in (small, large)]
    vector, selections = layout([small, large], starts)
    assert [len(np.unique(s)) for s in selections] == [len(s) for s in selections]
    assert set(selections[0]) <= set(selections[1])
    assert len(vector) == len(selections[1])
    trained = [
        start[key].ravel() for start in starts[:1] for key in start if not key.endswith(("mean", "variance"))
    ]
    assert np.array_equal(np.sort(vector[selections[0]]), np.sort(np.concatenate(trained)))
    assert cover([small, large], 1) == [large]


@pytest.mark.slow
def test_supernet_learns_and_deposits() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(384) % 3
    images = rng.integers(0, 60, (384, 8, 8, 1), np.uint8)
    images[np.arange(384), 2 * labels + 1] += 150  # a bright line, elsewhere for each class
    graphs = [network("sep_conv_3x3", 6), network("sep_conv_3x3", 8)]
    bank = Bank()
    recipe, fidelity = Recipe(augmentation=0), Fidelity(40, 32)
    loss = train_supernet(bank, graphs, Split(images, labels), fidelity, recipe, 0)
    assert loss < 0.2
    start, fraction = bank.slice(graphs[0], initial(graphs[0], 5, "he_normal"))
    assert fraction == 1.0
    model = build(graphs[0])
    set_weights(model, graphs[0], start)
    logits, _ = model.forward(model.parameters, images.astype(np.float32), training=True)
    assert (np.argmax(logits, 1) == labels).mean() > 0.9


@pytest.mark.slow
def test_small_run_goes_on_where_it_stopped(tmp_path, capsys) -> None:
    from bench.inheritance import main

    out = tmp_path / "inheritance.json"
    given = ["--small", "--seeds", "1", "--out", str(out)]
    main([*given, "--arms", "scratch", "--candidates", "1"])
    first = json.loads(out.read_text())["rows"]
    main([*given, "--arms", ",".join(ARMS), "--candidates", "2"])
    found = json.loads(out.read_text())
    assert found["rows"][0] == first[0]
    assert [line["arm"] for line in found["summary"]] == list(ARMS)
    assert all(line["candidates"] == 2 for line in found["summary"])
    keys = [[r["key"] for r in found["rows"] if r["arm"] == arm] for arm in ARMS]
    assert keys[0] == keys[1]
    assert "parent/6+exact" in capsys.readouterr().out
