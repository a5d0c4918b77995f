"""Does another training recipe pay? The same random networks trained with each, from the same weights.

    python bench/recipes.py --task fsdd --arm smoothed:label_smoothing=0.05 --arm taught:teacher=0.7/3

An arm is NAME:SETTING=VALUE,...: settings of the recipe (edgeml/arch/recipe.py), `epochs` (times those of
full training), `again` (the learning rate of a second training from the first's weights, times the usual one)
or `teacher` (share of the loss/temperature; the best of --teachers larger networks teaches).
The default recipe is the first arm. Accuracies are the float model's on the validation split; for fsdd also
on "far" recordings, made at another time than the others. No test split is looked at: of FSDD's training
recordings index 17 to 49 train, 10 to 16 validate, 5 to 9 are far. Prints JSON rows, then a table.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from bench import fsdd_folder, shared_data, showdown_tasks  # noqa: E402
from edgeml.errors import DisconnectedArchError  # noqa: E402

if TYPE_CHECKING:
    from edgeml.arch.graph import Graph
    from edgeml.arch.recipe import Recipe
    from edgeml.data.dataset import Split
    from edgeml.train.watch import Distil

FRONT = "logmel-30-20-32"
SPACES = {"fsdd": "audio_cell", "digits": "mcu", "fashion-mnist": "mcu", "cifar10": "mcu"}
SMALLEST = 0.05
"""Of the most MACs."""


@dataclass(frozen=True)
class Arm:
    """How the networks are trained.

    Attributes:
        name: of the row.
        recipe: settings that are not the default's.
        epochs: times those of full training.
        again: learning rate of a second training, times the first's; 0: there is none.
        teacher: share of the loss and temperature; None: nobody teaches.
    """

    name: str
    recipe: dict[str, Any]
    epochs: float = 1.0
    again: float = 0.0
    teacher: tuple[float, float] | None = None

    @staticmethod
    def read(text: str) -> Arm:
        """NAME:SETTING=VALUE,... -> the arm."""
        name, _, settings = text.partition(":")
        given: dict[str, str] = dict(one.split("=", 1) for one in settings.split(",") if one)
        epochs, again = float(given.pop("epochs", 1)), float(given.pop("again", 0))
        teacher = given.pop("teacher", None)
        share, _, temperature = (teacher or "").partition("/")
        return Arm(
            name,
            {field: json.loads(value) for field, value in given.items()},
            epochs,
            again,
            (float(share), float(temperature)) if teacher else None,
        )


def read_data(task: str, place: Path) -> tuple[dict[str, Split], Recipe]:
    """Task -> splits train, val and, for fsdd, far; and the default recipe."""
    from edgeml.arch.recipe import default_recipe
    from edgeml.data.dataset import load

    if task != "fsdd":
        try:
            data = load(str(showdown_tasks.source_of(showdown_tasks.prepare(task, place))))
        except showdown_tasks.AbsentError as error:
            sys.exit(f"skipped: {error}")
        return {"train": data.train, "val": data.val}, default_recipe(data.train.inputs.shape[1:])
    npz = shared_data.DATA / "fsdd" / "fsdd_8k.npz"
    if not npz.exists():
        sys.exit(f"skipped: {npz} is not there")
    fsdd_folder.write(npz, place / "all")
    parts = {"test": range(5, 10), "val": range(10, 17), "train": range(17, 50)}
    fsdd_folder.move(place / "all" / "train", place / "data", parts)
    data = load(str(place / "data")).fronted(FRONT)
    splits = {"train": data.train, "val": data.val, "far": data.test}
    return splits, default_recipe(data.train.inputs.shape[1:], FRONT)


def drawn(space: str, shape: Sequence[int], rng: random.Random, within: tuple[float, float]) -> Graph:
    """A random architecture whose MACs are within these."""
    from edgeml.arch.cost import cost
    from edgeml.arch.space import Task
    from edgeml.arch.space_file import load_space

    choices, task = load_space(space), Task((shape[0], shape[1], shape[2]), 10)
    while True:
        try:
            graph = choices.decode(choices.sample(rng), task).graph
        except DisconnectedArchError:
            continue
        if within[0] <= cost(graph).macs <= within[1]:
            return graph


def trained(
    graph: Graph, data: dict[str, Split], recipe: Recipe, arm: Arm, seed: int, teacher: Distil | None
) -> tuple[Any, dict[str, float]]:
    """The network, and its accuracy on each split and processor seconds."""
    from edgeml.train.build import build
    from edgeml.train.fidelity import full_fidelity
    from edgeml.train.fit import accuracy_float, fit

    full = full_fidelity(len(data["train"]))
    model, began = build(graph, seed, recipe.initialiser), time.process_time()
    full = replace(full, epochs=full.epochs * arm.epochs)
    fit(model, data["train"], full, recipe, seed, teacher=teacher)
    if arm.again:
        slower = replace(recipe, learning_rate=arm.again * recipe.learning_rate)
        fit(model, data["train"], full, slower, seed + 1, teacher=teacher)
    seconds = round(time.process_time() - began, 2)
    parts = {part: accuracy_float(model, split) for part, split in data.items() if part != "train"}
    return model, {**parts, "cpu_s": seconds}


def table(rows: Sequence[dict[str, Any]], arms: Sequence[Arm]) -> list[str]:
    """Rows -> lines of a table: means, and points more than the default with their standard error."""
    parts = [part for part in ("val", "far") if part in rows[0]]
    named = ["arm", *(f"{part} % | more" for part in parts), "CPU s"]
    lines = [f"| {' | '.join(named)} |", "|---" * (2 + 2 * len(parts)) + "|"]
    first = [row for row in rows if row["arm"] == arms[0].name]
    for arm in arms:
        own, cells = [row for row in rows if row["arm"] == arm.name], [arm.name]
        for part in parts:
            more = [100 * (a[part] - b[part]) for a, b in zip(own, first, strict=True)]
            error = statistics.stdev(more) / len(more) ** 0.5 if len(more) > 1 else float("nan")
            mean = 100 * statistics.mean(row[part] for row in own)
            cells += [f"{mean:.1f}", f"{statistics.mean(more):+.1f} ({error:.1f})"]
        lines.append(f"| {' | '.join(cells)} | {statistics.mean(row['cpu_s'] for row in own):.1f} |")
    return lines


def main() -> None:
    """Train them all."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--task", choices=list(SPACES), default="digits")
    asked.add_argument("--networks", type=int, default=6)
    asked.add_argument("--most-macs", type=float, default=4e5)
    asked.add_argument("--teachers", type=int, default=3, help="larger networks to choose a teacher from")
    asked.add_argument("--teacher-macs", type=float, default=1.5e6)
    asked.add_argument("--seed", type=int, default=5)
    asked.add_argument("--arm", action="append", default=[], type=Arm.read)
    given = asked.parse_args()
    from edgeml.train.distil import logits
    from edgeml.train.fit import choose_threads
    from edgeml.train.watch import Distil

    arms, rng = [Arm("as it is", {}), *given.arm], random.Random(given.seed)
    with tempfile.TemporaryDirectory() as place:
        data, recipe = read_data(given.task, Path(place))
    space, shape = SPACES[given.task], data["train"].inputs.shape[1:]
    choose_threads(shape[0] * shape[1])
    taught: Any = None
    if any(arm.teacher for arm in arms):
        within = (given.teacher_macs / 3, given.teacher_macs)
        found = [
            trained(drawn(space, shape, rng, within), data, recipe, arms[0], given.seed, None)
            for _ in range(given.teachers)
        ]
        best, accuracies = max(found, key=lambda one: one[1]["val"])
        print(json.dumps({"teacher": accuracies}), flush=True)
        taught = logits(best, data["train"])
    rows = []
    for network in range(given.networks):
        graph = drawn(space, shape, rng, (SMALLEST * given.most_macs, given.most_macs))
        for arm in arms:
            teacher = Distil(taught, *arm.teacher) if arm.teacher else None
            changed = replace(recipe, **arm.recipe)
            _, measured = trained(graph, data, changed, arm, given.seed + network, teacher)
            rows.append({"network": network, "arm": arm.name, **measured})
            print(json.dumps(rows[-1]), flush=True)
    print("\n".join(table(rows, arms)))


if __name__ == "__main__":
    main()
