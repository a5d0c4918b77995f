"""Spaces without the choices that a device refuses, and proposals judged by what targets say of them."""

from __future__ import annotations

import random

import pytest

from edgeml.arch.cell import lower
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.errors import InfeasibleError, UnknownNameError
from edgeml.search.propose import Proposer
from edgeml.search.prune import prune
from edgeml.target.limits import parse_limits
from edgeml.target.targets import Targets

TASK = Task((16, 16, 1), 4)


def test_what_the_edge_tpu_refuses_is_taken_away_and_said():
    space, targets = load_space("mbconv_macro"), Targets.load(["coral"])
    pruned, lost = prune(space, TASK, targets)
    assert [(one.decision, one.choice) for one in lost] == [("activation", "hard_swish")]
    assert lost[0].reasons == ("coral: HARD_SWISH: Operation not supported (use ReLU or ReLU6)",)
    assert "activation" not in {decision.name for decision in pruned.decisions}
    assert pruned.size * 2 == space.size
    rng = random.Random(1)
    for _ in range(20):
        assert targets.refusals(lower(pruned.decode(pruned.sample(rng), TASK))) == []


def test_nothing_is_taken_where_nothing_is_refused():
    for target in ("cpu", "null"):
        space = load_space("mbconv_macro")
        assert prune(space, TASK, Targets.load([target])) == (space, ())


def test_a_space_that_is_refused_as_a_whole_says_what_the_device_says(tmp_path):
    path = tmp_path / "swish.yaml"
    path.write_text(
        "description: x\nkind: stages\nactivation: hard_swish\nstem: {channels: [8]}\n"
        "stages: [{op: [conv], kernel: [3], repeat: [1, 2], channels: [8, 12]}]\n"
    )
    space, targets = load_space(str(path)), Targets.load(["coral"])
    assert prune(space, TASK, targets) == (space, ())
    proposer = Proposer(space, TASK, targets.limits({}), targets)
    with pytest.raises(InfeasibleError, match="HARD_SWISH: Operation not supported"):
        proposer.check_feasible()
    point = space.sample(random.Random(0))
    assert proposer.judge(point) is None
    assert list(proposer.refused) == ["coral: HARD_SWISH: Operation not supported (use ReLU or ReLU6)"]


def test_limits_of_several_targets_carry_their_names(tmp_path):
    for name, ram in (("small", 1000), ("large", 2000)):
        (tmp_path / f"{name}.yaml").write_text(
            f"inherits: 'null'\ndescription: x\nlimits: {{ram_bytes: {ram}}}\n"
        )
    paths = [str(tmp_path / f"{name}.yaml") for name in ("small", "large")]
    targets = Targets.load(paths)
    assert targets.objectives == ["macs"]
    assert targets.limits({}) == {"ram_bytes@small": 1000, "ram_bytes@large": 2000}
    wanted = parse_limits(["ram_kb@large=1.5", "ram_kb=1.8", "size_kb=7"])
    assert targets.limits(wanted) == {
        "ram_bytes@small": 1000,
        "ram_bytes@large": 1500,
        "size_bytes": 7000,
    }
    with pytest.raises(UnknownNameError, match="small"):
        targets.limits(parse_limits(["ram_kb@lrge=1.5"]))
    alone = Targets.load(paths[:1])
    assert alone.limits(parse_limits(["ram_kb@small=0.5"])) == {"ram_bytes": 500}
    figures = targets.expected(
        lower(load_space("nano").decode(load_space("nano").sample(random.Random(0)), TASK))
    )
    assert {"size_bytes", "macs", "params", "ram_bytes@small", "ram_bytes@large"} <= set(figures)
    assert all(figure.metric == name for name, figure in figures.items())


def test_a_pruned_space_still_knows_how_its_candidates_are_trained(tmp_path):
    path = tmp_path / "trained.yaml"
    path.write_text(
        "description: d\nkind: stages\nactivation: [relu6, hard_swish]\nstem: {channels: [8]}\n"
        "stages: [{op: [sep_conv], kernel: [3], repeat: [1, 2], channels: [8]}]\n"
        "training: {learning_rate: [0.002, 0.008]}\n"
    )
    task = Task((16, 16, 1), 4)
    space, pruned = prune(load_space(str(path)), task, Targets.load(["coral"]))
    assert [one.choice for one in pruned] == ["hard_swish"]
    point = {decision.name: decision.choices[0] for decision in space.decisions}
    assert space.recipe(point, (16, 16, 1)).learning_rate == 0.002
