"""The front of validation accuracy and MACs that a run has found, and the files and notes it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.showdown_peers.convert import accuracy, macs, to_int8
from bench.showdown_peers.deadline import Clock
from bench.showdown_peers.task import Task
from bench.showdown_peers.training import FINAL_EPOCHS, VALIDATED, epoch_steps, trained, validated


@dataclass
class Member:
    """A trained network.

    Attributes:
        config: what builds it.
        weights: its arrays.
        accuracy: of the float model on validation samples.
        macs: for one sample.
        cpu_s: processor seconds that its training took.
        steps: that its training made.
    """

    config: dict[str, Any]
    weights: list[Any]
    accuracy: float
    macs: int
    cpu_s: float
    steps: int


class Front:
    """What a run keeps and writes.

    Attributes:
        members: no other has at least their accuracy and at most their MACs.
        trainings: how many were given.
    """

    def __init__(
        self, out: Path, task: Task, clock: Clock, compile_: Callable[[dict[str, Any]], Any]
    ) -> None:
        self.out, self.task, self.clock, self.compile = out, task, clock, compile_
        self.members: list[Member] = []
        self.trainings = self.files = 0
        (out / "models").mkdir(parents=True, exist_ok=True)
        (out / "progress.jsonl").write_text("")

    def add(self, member: Member) -> bool:
        """Whether it is on the front now."""
        self.trainings += 1
        if any(m.accuracy >= member.accuracy and m.macs <= member.macs for m in self.members):
            return False
        keep = [m for m in self.members if not (member.accuracy >= m.accuracy and member.macs <= m.macs)]
        self.members = sorted([*keep, member], key=lambda m: m.macs)
        return True

    def rebuilt(self, member: Member) -> Any:
        """The compiled model with its weights."""
        model = self.compile(member.config)
        model.set_weights(member.weights)
        return model

    def write(self, model: Any, float_accuracy: float, note: str) -> None:
        """Keras model -> file and line of progress.jsonl."""
        began = self.clock.spent()
        flat = to_int8(model, self.task.x)
        int8 = accuracy(flat, self.task.x_validation[:VALIDATED], self.task.y_validation[:VALIDATED])
        name = f"{self.files:03d}.tflite"
        self.files += 1
        (self.out / "models" / name).write_bytes(flat)
        self.clock.conversion_s = self.clock.spent() - began
        line = {
            "cpu_s": round(self.clock.spent(), 2), "model": name, "validation_accuracy": float_accuracy,
            "validation_accuracy_int8": int8, "macs": macs(model), "note": note,
        }  # fmt: skip
        with (self.out / "progress.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def final_seconds(self) -> float:
        """Processor seconds that training the chosen members for long would take at most."""
        steps = FINAL_EPOCHS * epoch_steps(self.task)
        return sum(m.cpu_s / max(1, m.steps) * steps + 1.5 * self.clock.conversion_s for m in self.chosen(6))

    def chosen(self, most: int) -> list[Member]:
        """At most so many members, spread evenly over the front, the most accurate among them."""
        count = len(self.members)
        if count <= most:
            return list(self.members)
        return (
            [self.members[round(i * (count - 1) / (most - 1))] for i in range(most)]
            if most > 1
            else [self.members[-1]]
        )

    def finish(self, seed: int) -> None:
        """Train the chosen members on for what is left of the budget, the dearer ones longer; write them."""
        import keras

        each = 1.5 * self.clock.conversion_s + 10.0
        chosen = self.chosen(max(1, min(6, int(self.clock.left(0) / each))))
        steps = FINAL_EPOCHS * epoch_steps(self.task)
        for place, member in enumerate(chosen):
            rest = chosen[place:]
            share = self.clock.left(len(rest)) * member.cpu_s / sum(m.cpu_s for m in rest)
            if share < 3.0:
                continue
            keras.backend.clear_session()
            model = self.rebuilt(member)
            trained(model, self.task, self.clock, steps, share, seed + 1000 + place)
            score = validated(model, self.task)
            self.trainings += 1
            if score >= member.accuracy:
                self.write(model, score, f"trained on for {share:.0f} CPU s")
