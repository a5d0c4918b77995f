"""What bench/inheritance.py compares: ways to train the candidates of a search, one after another."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from edgeml.arch.cell import Arch
from edgeml.arch.cost import cost
from edgeml.arch.graph import Graph
from edgeml.arch.recipe import Recipe, default_recipe
from edgeml.arch.space import Space, Task
from edgeml.arch.space_file import load_space
from edgeml.data.dataset import Split
from edgeml.errors import DisconnectedArchError
from edgeml.train.bank import MIX, Bank
from edgeml.train.build import Weights, build, get_weights, set_weights
from edgeml.train.distil import logits
from edgeml.train.fidelity import Fidelity, full_fidelity
from edgeml.train.fit import accuracy_float, fit
from edgeml.train.inherit import best_parent_score, inherit
from edgeml.train.supernet import cover, train_supernet
from edgeml.train.watch import Distil

Row = dict[str, Any]


@dataclass(frozen=True)
class Arm:
    """A way to train the candidates.

    Attributes:
        start: "fresh", "parent" (the trained candidate that fits best) or "bank".
        share: of full training that a candidate gets; a first one without a source gets all.
        rate: factor on the peak learning rate of what is inherited.
        shrink: share of the parent in copied kernels; None is the product's default.
        mix: of a deposit in the bank.
        write_back: candidates deposit what they were trained to.
        networks: trained together before the candidates; 0 for none.
        source_share: full trainings that these get together.
        teacher: weight of the most accurate network so far in the loss; 0 for none.
        temperature: of that.
    """

    start: str = "fresh"
    share: float = 1.0
    rate: float = 1.0
    shrink: float | None = None
    mix: float = MIX
    write_back: bool = True
    networks: int = 0
    source_share: float = 0.0
    teacher: float = 0.0
    temperature: float = 2.0

    @property
    def stateless(self) -> bool:
        """No candidate depends on another."""
        return self.start == "fresh" and not self.teacher


@dataclass(frozen=True)
class Setting:
    """What all arms share: data, space, seed, epochs of full training (None: the product's)."""

    train: Split
    val: Split
    space: str
    seed: int
    epochs: float | None

    def fidelity(self, share: float = 1.0) -> Fidelity:
        """A share of full training."""
        full = full_fidelity(len(self.train), self.epochs)
        return replace(full, epochs=full.epochs * share)

    @property
    def recipe(self) -> Recipe:
        """The product's default."""
        return default_recipe(self.train.images.shape[-1])

    def points(self, seed: int) -> Iterator[Arch]:
        """Distinct connected random points of the space."""
        height, width, channels = self.train.images.shape[1:]
        task = Task((height, width, channels), int(self.train.labels.max()) + 1)
        space, rng, seen = load_space(self.space), random.Random(seed), set()
        while True:
            arch = _connected(space, task, rng)
            if arch.key not in seen:
                seen.add(arch.key)
                yield arch


def _connected(space: Space, task: Task, rng: random.Random) -> Arch:
    while True:
        arch = space.decode(space.sample(rng), task)
        try:
            assert arch.key
        except DisconnectedArchError:
            continue
        return arch


@dataclass
class _State:
    """What a search has trained so far."""

    bank: Bank = field(default_factory=Bank)
    trained: list[tuple[Graph, Weights]] = field(default_factory=list)
    best: float = 0.0
    teacher: Distil | None = None

    def learn_from(self, arm: Arm, model: Any, accuracy: float, data: Split) -> None:
        """Make a network the teacher where it is the most accurate so far."""
        if arm.teacher and accuracy > self.best:
            self.best, self.teacher = accuracy, Distil(logits(model, data), arm.teacher, arm.temperature)


def search(arm: Arm, setting: Setting, count: int, done: int = 0) -> Iterator[Row]:
    """Train a sequence of candidates; a row each, sources first as number -1.

    Args:
        arm: how.
        setting: data and space.
        count: candidates.
        done: rows of a stateless arm that are there already.
    """
    state = _State()
    if arm.networks:
        yield _source(arm, setting, state)
    points = setting.points(setting.seed)
    for number in range(count):
        arch = next(points)
        if number >= done:
            yield _candidate(arm, setting, state, number, arch)


def _source(arm: Arm, setting: Setting, state: _State) -> Row:
    """Train networks together, deposit them; the most accurate is the first teacher."""
    began = time.process_time()
    pool = [arch.graph for arch, _ in zip(setting.points(setting.seed + 10_000), range(200), strict=False)]
    graphs = cover(pool, arm.networks)
    fidelity = setting.fidelity(arm.source_share)
    train_supernet(state.bank, graphs, setting.train, fidelity, setting.recipe, setting.seed)
    seconds = time.process_time() - began
    return {"number": -1, "macs": [cost(graph).macs for graph in graphs], "cpu_s": round(seconds, 2)}


def _candidate(arm: Arm, setting: Setting, state: _State, number: int, arch: Arch) -> Row:
    began, graph, seed = time.process_time(), arch.graph, setting.seed * 1000 + number
    model = build(graph, seed)
    weights, fraction = _start(arm, state, graph, get_weights(model, graph))
    set_weights(model, graph, weights)
    recipe, share = setting.recipe, arm.share
    if fraction:
        recipe = replace(recipe, learning_rate=recipe.learning_rate * arm.rate)
    if number == 0 and not arm.networks and arm.start != "fresh":
        share = 1.0
    result = fit(model, setting.train, setting.fidelity(share), recipe, seed, teacher=state.teacher)
    accuracy = accuracy_float(model, setting.val)
    weights = get_weights(model, graph)
    if arm.start == "parent":
        state.trained.append((graph, weights))
    elif arm.start == "bank" and arm.write_back:
        state.bank.deposit(graph, weights, result.samples, arm.mix)
    state.learn_from(arm, model, accuracy, setting.train)
    return {
        "number": number,
        "key": arch.key,
        "macs": cost(graph).macs,
        "accuracy": round(accuracy, 5),
        "samples": result.samples,
        "share": round(share, 4),
        "fraction": round(fraction, 3),
        "cpu_s": round(time.process_time() - began, 2),
    }


def _start(arm: Arm, state: _State, graph: Graph, fresh: Weights) -> tuple[Weights, float]:
    if arm.start == "bank":
        return state.bank.slice(graph, fresh)
    if arm.start == "parent" and state.trained:
        parent, weights = max(state.trained, key=lambda pair: best_parent_score(graph, pair[0]))
        found = inherit(graph, fresh, parent, weights, shrink=arm.shrink)
        return found.weights, found.fraction
    return fresh, 0.0


ARMS: dict[str, Arm] = {
    "scratch": Arm(),
    "scratch/3": Arm(share=1 / 3),
    "scratch/6": Arm(share=1 / 6),
    "distil/6": Arm(share=1 / 6, teacher=0.5),
    "parent/6": Arm("parent", 1 / 6),
    "parent/6+exact": Arm("parent", 1 / 6, shrink=1.0),
    "bank/6": Arm("bank", 1 / 6),
    "bank/6+distil": Arm("bank", 1 / 6, teacher=0.5),
    "supernet/6": Arm("bank", 1 / 6, networks=8, source_share=3),
    "supernet/6+distil": Arm("bank", 1 / 6, networks=8, source_share=3, teacher=0.5),
}
"""By name; /6 is the share of full training that a candidate gets."""
