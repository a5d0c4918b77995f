"""One search: trials of the shared space for a fixed number of steps, then more training for the front."""

from __future__ import annotations

from typing import Any

from bench.showdown_peers.convert import macs
from bench.showdown_peers.deadline import Clock
from bench.showdown_peers.front import Front, Member
from bench.showdown_peers.space import build
from bench.showdown_peers.task import Task
from bench.showdown_peers.training import compiled, steps_of_a_trial, trained, validated

TRIALS = 20
"""Trials that the search's part of the budget is divided by, at first guess."""
SEARCHING = 0.6
"""Part of the budget for the search; the rest trains the front on."""
SHORTEST_S, LONGEST_S = 10.0, 90.0
"""Processor seconds of a trial."""


class Trials:
    """What an objective function needs.

    Attributes:
        front: what was found.
        steps: of a trial.
        share_s: processor seconds that a trial was planned with; three times as many end it.
    """

    def __init__(self, task: Task, clock: Clock, out: Any, seed: int) -> None:
        self.task, self.clock, self.seed = task, clock, seed
        self.front = Front(out, task, clock, self.compile)
        self.share_s = min(LONGEST_S, max(SHORTEST_S, SEARCHING * clock.budget_s / TRIALS))
        self.steps = steps_of_a_trial(task, clock, self.share_s, seed)
        self.made = 0

    # user code begins
    def compile(self, config: dict[str, Any]) -> Any:
        """Decisions -> compiled network."""
        model = build(config, self.task.shape, self.task.classes)
        return compiled(model, config["optimizer"], float(config["learning_rate"]))

    def trial(self, config: dict[str, Any], steps: int | None = None) -> tuple[float, int]:
        """Decisions -> validation accuracy and MACs after a training."""
        import keras

        keras.backend.clear_session()
        keras.utils.set_random_seed(1000 * self.seed + self.made)
        began = self.clock.spent()
        model = self.compile(config)
        made = trained(
            model, self.task, self.clock, steps or self.steps, 3 * self.share_s, self.seed + self.made
        )
        return self.note(config, model, began, made)

    # user code ends
    def note(self, config: dict[str, Any], model: Any, began: float, steps: int) -> tuple[float, int]:
        """A trained model -> its accuracy and MACs; kept and written if it is on the front."""
        score, cost = validated(model, self.task), macs(model)
        self.made += 1
        spent = self.clock.spent() - began
        member = Member(dict(config), model.get_weights(), score, cost, spent, steps)
        if self.front.add(member) and self.clock.left() > 0:
            self.front.write(model, score, f"trial {self.made - 1}")
        return score, cost

    def over(self) -> bool:
        """Whether the search has had its part: the rest is what the final training of the front can use."""
        left = self.clock.left(0)
        final = min((1 - SEARCHING) * self.clock.budget_s, self.front.final_seconds())
        return left <= final + 0.5 * self.share_s or left <= 2.0

    def finish(self) -> None:
        """The final training of the front."""
        self.front.finish(self.seed)
