"""Where weights come from: the real evaluation, on a tiny data set."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save

import edgeml
from edgeml.arch.cell import Arch, Cell, Edge, Stage
from edgeml.data.dataset import Split
from edgeml.errors import ConfigError, UnknownNameError
from edgeml.search import start as beginnings
from edgeml.search.candidate import Candidate
from edgeml.search.evaluate import Job, Order
from edgeml.search.ladder import Rung, load_ladder
from edgeml.search.run_dir import BEFORE, RunDir
from edgeml.search.watching import Watching
from edgeml.target.targets import Targets
from edgeml.train.build import build, get_weights
from edgeml.train.fidelity import Fidelity, full_fidelity
from edgeml.train.inherit import overlap
from edgeml.train.watch import CurvePoint

SPACE = """description: small
kind: stages
stem: {channels: [4, 8]}
stages:
  - {op: [sep_conv], kernel: [3], repeat: [1, 2], channels: [8, 12, 16]}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two classes of 8x8 images, told apart by their brightness."""
    rng = np.random.default_rng(0)
    y = np.arange(160) % 2
    x = np.clip(rng.normal(90 + 60 * y[:, None, None], 20, (160, 8, 8)), 0, 255).astype(np.uint8)
    path = tmp_path_factory.mktemp("data") / "two.npz"
    np.savez(path, x_train=x, y_train=y)
    return path


@pytest.mark.parametrize(
    ("samples", "trials", "what"),
    [
        (51_000, 20, "morph"),  # .7 passes on the low rung
        (51_000, 4, "none"),  # 3.5: few trials are trained fully
        (1_259, 20, "none"),  # 8
        (85, 20, "none"),  # 40
    ],
)
def test_auto_inherits_where_the_first_training_is_short(samples, trials, what):
    ladder = load_ladder("balanced").for_trials(trials)
    full = full_fidelity(samples)
    assert beginnings.weights_from("auto", ladder, full) == what
    for named in ("morph", "bank", "none"):
        assert beginnings.weights_from(named, ladder, full) == named


@pytest.mark.slow
@pytest.mark.parametrize("inherit", ["morph", "bank"])
def test_inherited_weights_are_on_record_and_rungs_go_on_from_their_own(data, tmp_path, inherit):
    space = tmp_path / "small.yaml"
    space.write_text(SPACE)
    out = tmp_path / "run"
    edgeml.search(data, "null", space=str(space), trials=5, epochs=2, inherit=inherit, out=out, confirm=True)
    found = [json.loads(path.read_text()) for path in sorted((out / "candidates").glob("*/candidate.json"))]
    found.sort(key=lambda candidate: candidate["number"])
    first, later = found[0], found[1:]
    assert first["source"] is None and all(c["source"] for c in later)
    assert {c["source"] for c in later} <= ({"bank"} if inherit == "bank" else {"morph", "overlap"})
    assert (out / "bank.safetensors").exists() == (inherit == "bank")
    for candidate in found:
        assert [row["rung"] for row in candidate["rungs"]] == list(range(candidate["rung"] + 1))
        epochs = sum(row["epochs"] for row in candidate["rungs"])
        assert candidate["fidelity"]["epochs"] == pytest.approx(epochs)
        if candidate["source"] in ("morph", "overlap"):
            assert candidate["parent"] in {c["key"] for c in found} and candidate["lineage"]
    front = json.loads((out / "front.json").read_text())["keys"]
    for candidate in found:
        assert (candidate["confirmed"] is not None) == (candidate["key"] in front)


def test_an_unknown_way_to_inherit_lists_the_known(data, tmp_path):
    with pytest.raises(UnknownNameError, match="bank"):
        edgeml.search(data, "null", inherit="bnak", out=tmp_path / "run")


def test_a_strategy_that_refuses_the_space_leaves_nothing_behind(data, tmp_path):
    with pytest.raises(ConfigError, match="grid would train"):
        edgeml.search(data, "null", space="nano", strategy="grid", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_warm_start_is_not_stopped_before_the_run_knows_such_curves():
    """Warming up the learning rate again costs accuracy at first; that is no sign of a bad end."""
    dip = [CurvePoint(epoch, accuracy) for epoch, accuracy in ((1.0, 0.96), (2.0, 0.90), (3.0, 0.91))]
    rising = tuple((0.85, 0.86, 0.87, 0.88, 0.885, 0.89, 0.892, 0.893, 0.894, 0.895) for _ in range(8))
    split = Split(np.zeros((4, 8, 8, 1), np.uint8), np.zeros(4, np.int64))

    def judge(epochs=10.0, warm=True, curves=()):
        order = Order(0, "k", {}, {}, 0, Fidelity(10.0), needed=0.99, curves=curves)
        return Watching(order, split, warm)._judge(dip, epochs)

    assert judge() is None and judge(curves=rising[:7]) is None
    assert "needed to join the front" in judge(warm=False, curves=rising[:7])
    assert "needed to join the front" in judge(curves=rising)
    # What counts is how far it is on the schedule that it has, which --time may have shortened.
    assert "60 % of training done" in judge(epochs=5.0, curves=rising)
    assert judge(epochs=20.0, curves=rising) is None  # too early


def test_a_rung_that_starts_from_fresh_weights_takes_back_what_the_one_below_inherited(tmp_path, monkeypatch):
    monkeypatch.setattr(beginnings, "get_weights", lambda model, graph: {})
    below = {"parent": "p", "inherited_fraction": 0.5, "source": "morph", "lineage": "one cell more"}
    before = Candidate("k", 0, "stopped", {}, {}, 0, **below)
    order = Order(0, "k", {}, {}, 0, Fidelity(1.0), index=1, before=before, carry=False)
    job = Job(str(tmp_path), Targets(()), {}, inherit="morph")
    found = beginnings.start(RunDir(tmp_path), job, order, None, None)
    assert found == dict.fromkeys(below)


@pytest.mark.parametrize(("rung", "source"), [(0, "morph"), (1, "overlap")])
def test_a_parent_that_has_been_promoted_is_the_network_that_its_weights_are_of(tmp_path, rung, source):
    """Half as wide on the lower rung: no child there computes what a parent computes that is wider by now."""
    rungs = small, _ = (Rung(0.2, width=0.5), Rung(1.0))
    sizes = [Stage(Cell(((Edge(0, "conv_3x3"),),)), 1, channels) for channels in (16, 24)]
    parent, child = (Arch((8, 8, 1), 2, 8, (size,)) for size in sizes)
    run, trained = RunDir(tmp_path), rungs[rung].scaled(parent).graph
    weights = get_weights(build(trained, seed=0), trained)
    run.candidates.mkdir()
    run.store(
        Candidate(parent.key, 0, "stopped", {}, parent.to_dict(), 0, rung=rung),
        {"weights.safetensors": save(weights)},
    )
    order = Order(1, child.key, {}, child.to_dict(), 1, Fidelity(1.0), rung=small, parent=parent.key)
    job = Job(str(tmp_path), Targets(()), {}, inherit="morph", rungs=rungs)
    graph = small.scaled(child).graph
    found = beginnings.start(run, job, order, graph, build(graph, seed=1))
    assert found["source"] == source and found["parent"] == parent.key
    assert found["inherited_fraction"] == overlap(graph, trained)


def test_a_kill_between_two_rungs_loses_neither(tmp_path):
    """Killed after the old folder was moved away and before the new one took its place."""
    run = RunDir(tmp_path)
    (run.candidates / f".abc{BEFORE}").mkdir(parents=True)
    (run.candidates / f".abc{BEFORE}" / "candidate.json").write_text("{}")
    (run.candidates / ".def").mkdir()
    run.clear_unfinished()
    assert [path.name for path in run.candidates.iterdir()] == ["abc"]
