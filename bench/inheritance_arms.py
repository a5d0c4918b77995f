"""What bench/inheritance.py compares: ways to train the candidates of a search, one after another."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from bench.inheritance_supernet import cover, train_supernet
from edgeml.arch.cell import Arch
from edgeml.arch.cost import cost
from edgeml.arch.graph import Graph
from edgeml.arch.recipe import Recipe, default_recipe
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.data.dataset import Split
from edgeml.errors import DisconnectedArchError
from edgeml.search.archive import pareto
from edgeml.train.bank import MIX, Bank
from edgeml.train.build import Network, Weights, build, get_weights, set_weights
from edgeml.train.distil import logits
from edgeml.train.fidelity import Fidelity, full_fidelity
from edgeml.train.fit import accuracy_float, fit
from edgeml.train.inherit import best_parent_score, inherit
from edgeml.train.watch import Distil

Row = dict[str, Any]


@dataclass(frozen=True)
class Arm:
    """A way to train the candidates.

    Attributes:
        start: "fresh", "parent" (the trained candidate that fits best), "bank" or "morph+bank": the bank
            where no trained candidate has a function that can be carried over.
        unsure: share of training instead of `share` where that is so.
        share: of full training that a candidate gets; a first one without a source gets all.
        rate: factor on the peak learning rate of what is inherited.
        shrink: share of the parent in copied kernels; None is the product's default.
        mix: of a deposit in the bank.
        write_back: candidates deposit what they were trained to.
        networks: random ones trained together before the candidates; 0 for none.
        source_share: full trainings that these get together.
        teacher: weight of the most accurate network so far in the loss; 0 for none.
        temperature: of that.
        polish: share of full training that members of the front get at the end, from their own weights.
    """

    start: str = "fresh"
    share: float = 1.0
    unsure: float | None = None
    rate: float = 1.0
    shrink: float | None = None
    mix: float = MIX
    write_back: bool = True
    networks: int = 0
    source_share: float = 0.0
    teacher: float = 0.0
    temperature: float = 2.0
    polish: float = 0.0


@dataclass(frozen=True)
class Setting:
    """What all arms share: data, space, seed, epochs of full training (None: the product's)."""

    train: Split
    val: Split
    space: str
    seed: int
    epochs: float | None
    batch: int | None = None

    def fidelity(self, share: float = 1.0) -> Fidelity:
        """A share of full training."""
        full = full_fidelity(len(self.train), self.epochs)
        batch = self.batch or full.batch_size
        return replace(full, epochs=full.epochs * share, batch_size=batch)

    @property
    def recipe(self) -> Recipe:
        """The product's default."""
        return default_recipe(self.train.inputs.shape[1:])

    def decode(self, choices: Mapping[str, Any]) -> Arch:
        """Choices of the space -> architecture for the data."""
        height, width, channels = self.train.inputs.shape[1:]
        task = Task((height, width, channels), int(self.train.labels.max()) + 1)
        return load_space(self.space).decode(choices, task)

    def propose(self, rows: Sequence[Row]) -> dict[str, Any]:
        """The next point of a plain evolution: START random ones, then a member of the front, mutated."""
        space, rng = load_space(self.space), random.Random(1_000 * self.seed + len(rows))
        known = {row["key"] for row in rows}
        members = pareto.front([(1 - row["accuracy"], row["macs"]) for row in rows])
        while True:
            if len(rows) < START:
                choices = space.sample(rng)
            else:
                choices = space.mutate(rows[rng.choice(members)]["choices"], rng, rng.choice(EDITS))
            with suppress(DisconnectedArchError):
                if self.decode(choices).key not in known:
                    return dict(choices)


@dataclass
class _State:
    """What a search has trained so far."""

    bank: Bank = field(default_factory=Bank)
    trained: dict[int, tuple[Graph, Weights]] = field(default_factory=dict)
    best: float = 0.0
    teacher: Distil | None = None

    def learn_from(self, arm: Arm, model: Network, accuracy: float, data: Split) -> None:
        """Make a network the teacher where it is the most accurate so far."""
        if arm.teacher and accuracy > self.best:
            self.best, self.teacher = accuracy, Distil(logits(model, data), arm.teacher, arm.temperature)


def search(arm: Arm, setting: Setting, sequence: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    """Train a sequence of candidates, given by their choices; a row each.

    Sources come first, as number -1; what is polished comes last, with "polish" in its row.
    """
    state, rows = _State(), []
    if arm.networks:
        yield _source(arm, setting, state)
    for number, choices in enumerate(sequence):
        rows.append(_candidate(arm, setting, state, number, choices))
        yield rows[-1]
    if arm.polish:
        yield from _polish(arm, setting, state, rows)


def train_one(arm: Arm, setting: Setting, number: int, choices: Mapping[str, Any]) -> Row:
    """One candidate that nothing was trained before."""
    return _candidate(arm, setting, _State(), number, choices)


def _source(arm: Arm, setting: Setting, state: _State) -> Row:
    """Train random networks together and deposit them in the bank."""
    began = time.process_time()
    space, rng, pool = load_space(setting.space), random.Random(setting.seed), []
    while len(pool) < POOL:
        with suppress(DisconnectedArchError):
            pool.append(setting.decode(space.sample(rng)).graph)
    graphs, fidelity = cover(pool, arm.networks), setting.fidelity(arm.source_share)
    train_supernet(state.bank, graphs, setting.train, fidelity, setting.recipe, setting.seed)
    seconds = time.process_time() - began
    return {"number": -1, "macs": [cost(graph).macs for graph in graphs], "cpu_s": round(seconds, 2)}


def _candidate(arm: Arm, setting: Setting, state: _State, number: int, choices: Mapping[str, Any]) -> Row:
    began = time.process_time()
    arch, seed = setting.decode(choices), setting.seed * 1000 + number
    graph = arch.graph
    model = build(graph, seed)
    weights, fraction, source = _start(arm, state, graph, get_weights(model, graph))
    set_weights(model, graph, weights)
    first = number == 0 and arm.start != "fresh" and not arm.networks
    share = arm.share if arm.unsure is None or source == "morph" else arm.unsure
    share = 1.0 if first else share
    accuracy, samples = _train(arm, setting, state, model, share, arm.rate if fraction else 1.0, seed)
    weights = get_weights(model, graph)
    state.trained[number] = graph, weights
    if "bank" in arm.start and arm.write_back:
        state.bank.deposit(graph, weights, samples, arm.mix)
    return {
        "number": number,
        "key": arch.key,
        "choices": dict(choices),
        "macs": cost(graph).macs,
        "accuracy": accuracy,
        "share": round(share, 4),
        "source": source,
        "fraction": round(fraction, 3),
        "cpu_s": round(time.process_time() - began, 2),
    }


def _train(
    arm: Arm, setting: Setting, state: _State, model: Network, share: float, rate: float, seed: int
) -> tuple[float, int]:
    """Train for a share of full training -> (accuracy on the validation split, samples seen)."""
    recipe = setting.recipe
    recipe = replace(recipe, learning_rate=recipe.learning_rate * rate)
    result = fit(model, setting.train, setting.fidelity(share), recipe, seed, teacher=state.teacher)
    accuracy = accuracy_float(model, setting.val)
    state.learn_from(arm, model, accuracy, setting.train)
    return round(accuracy, 5), result.samples


def _polish(arm: Arm, setting: Setting, state: _State, rows: list[Row]) -> Iterator[Row]:
    """Go on training whoever is on the front, most accurate first, until all who are there have had it."""
    best, done = dict(enumerate(rows)), set()
    while True:
        members = pareto.front([(1 - row["accuracy"], row["macs"]) for row in best.values()])
        waiting = [n for n in members if n not in done]
        if not waiting:
            return
        number = max(waiting, key=lambda n: best[n]["accuracy"])
        began, (graph, weights) = time.process_time(), state.trained[number]
        seed = setting.seed * 1000 + 500 + number
        model = build(graph, seed)
        set_weights(model, graph, weights)
        accuracy, _ = _train(arm, setting, state, model, arm.polish, arm.rate, seed)
        done.add(number)
        seconds = round(time.process_time() - began, 2)
        row = {**best[number], "accuracy": accuracy, "share": arm.polish, "polish": True, "cpu_s": seconds}
        best[number] = max(best[number], row, key=lambda r: r["accuracy"])
        yield row


def _start(arm: Arm, state: _State, graph: Graph, fresh: Weights) -> tuple[Weights, float, str]:
    if arm.start in ("parent", "morph+bank") and state.trained:
        parent, weights = max(state.trained.values(), key=lambda pair: best_parent_score(graph, pair[0]))
        found = inherit(graph, fresh, parent, weights, shrink=arm.shrink)
        if arm.start == "parent" or found.source == "morph":
            return found.weights, found.fraction, found.source
    if "bank" in arm.start:
        return *state.bank.slice(graph, fresh), "bank"
    return fresh, 0.0, "fresh"


START = 8
"""Random candidates before the first mutation."""

EDITS = (1, 1, 2, 3)
"""Decisions that a mutation changes, drawn from these."""

POOL = 200
"""Random networks from which those that are trained together are chosen."""

ARMS: dict[str, Arm] = {
    "scratch": Arm(),
    "scratch/3": Arm(share=1 / 3),
    "scratch/6": Arm(share=1 / 6),
    "scratch/6+polish": Arm(share=1 / 6, polish=1 / 4),
    "distil/6": Arm(share=1 / 6, teacher=0.5),
    "parent/6": Arm("parent", 1 / 6),
    "parent/6+exact": Arm("parent", 1 / 6, shrink=1.0),
    "parent/3+exact": Arm("parent", 1 / 3, shrink=1.0),
    "parent/6+polish": Arm("parent", 1 / 6, shrink=1.0, polish=0.5),
    "bank/6": Arm("bank", 1 / 6),
    "bank/6+mix1": Arm("bank", 1 / 6, mix=1.0),
    "bank/4+mix1": Arm("bank", 1 / 4, mix=1.0),
    "bank/6+mix1+polish": Arm("bank", 1 / 6, mix=1.0, polish=1 / 4),
    "bank/6+mix1+distil": Arm("bank", 1 / 6, mix=1.0, teacher=0.5),
    "bank/6+distil": Arm("bank", 1 / 6, teacher=0.5),
    "morph+bank/6": Arm("morph+bank", 1 / 6),
    "morph+bank/6or3": Arm("morph+bank", 1 / 6, 1 / 3),
    "morph+bank/6+polish": Arm("morph+bank", 1 / 6, polish=0.5),
    "morph+bank/6+distil": Arm("morph+bank", 1 / 6, teacher=0.5),
    "supernet/6": Arm("bank", 1 / 6, networks=8, source_share=3),
    "supernet/6+distil": Arm("bank", 1 / 6, networks=8, source_share=3, teacher=0.5),
}
"""By name; /6 is the share of full training that a candidate gets, /6or3 that with a morph and without."""
