"""How many children grown by one decision can start as their parent's very function, and the time to tell.

python bench/morphism.py
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator

from edgeml.arch.cell import Arch
from edgeml.arch.space import Choices, Space, Task
from edgeml.arch.space_file import load_space
from edgeml.errors import DisconnectedArchError
from edgeml.train.inherit import best_parent_score

PARENTS, TASK = 100, Task((32, 32, 3), 10)
SPACES = ("micro_cell", "mbconv_macro", "nano")
GROWN_OPS = {"zero": "sep_conv_3x3", "skip": "mbconv_3x3_e2"}
LARGE = 80
"""Layers from which a pair counts as large; the bound for its time is 2 ms."""


def decoded(space: Space, choices: Choices) -> Arch | None:
    """The architecture, or None where it is disconnected."""
    try:
        arch = space.decode(choices, TASK)
        return arch if arch.graph else None
    except DisconnectedArchError:
        return None


def grown(space: Space, choices: Choices) -> Iterator[tuple[str, Choices]]:
    """(decision, choices with that decision raised to the next) for all that can be raised."""
    for decision in space.decisions:
        name, chosen = decision.name, choices[decision.name]
        if name in ("resolution", "activation") or name.endswith((".op", ".source")):
            op = GROWN_OPS.get(str(chosen))
            if op in decision.choices:
                yield f"{name.partition('.')[0]} {chosen} -> {op}", {**choices, name: op}
            continue
        place = decision.choices.index(chosen) + 1
        if place < len(decision.choices):
            yield name, {**choices, name: decision.choices[place]}


def measure(name: str) -> tuple[dict[str, list[float]], list[tuple[int, float]]]:
    """Of one space: decision -> [children, exact ones, sum of overlaps]; (layers, CPU ms) of every pair."""
    space, rng = load_space(name), random.Random(name)
    counts: dict[str, list[float]] = {}
    times = []
    for _ in range(PARENTS):
        choices = space.sample(rng)
        parent = decoded(space, choices)
        if parent is None:
            continue
        for label, raised in grown(space, choices):
            child = decoded(space, raised)
            if child is None or child.graph.key == parent.graph.key:
                continue
            began = time.process_time()
            exact, fraction = best_parent_score(child.graph, parent.graph)
            times.append((len(child.graph.nodes), 1e3 * (time.process_time() - began)))
            row = counts.setdefault(label, [0, 0, 0.0])
            row[0], row[1], row[2] = row[0] + 1, row[1] + exact, row[2] + fraction
    return counts, times


def main() -> None:
    """Print a table and JSON."""
    result: dict[str, object] = {}
    times: list[tuple[int, float]] = []
    print(f"{'space':14}{'raised decision':34}{'children':>9}{'exact':>7}{'carried':>9}")
    for name in SPACES:
        counts, found = measure(name)
        times += found
        total = [sum(row[i] for row in counts.values()) for i in range(3)]
        for label, (children, exact, fraction) in [*sorted(counts.items()), ("all", total)]:
            row = f"{children:9.0f}{exact / children:7.0%}{fraction / children:9.0%}"
            print(f"{name:14}{label:34}{row}")
        result[name] = {
            label: {"children": children, "exact": exact, "mean_overlap": round(fraction / children, 3)}
            for label, (children, exact, fraction) in {**counts, "all": total}.items()
        }
    for label, least in (("all_pairs", 0), ("large_pairs", LARGE)):
        ms = sorted(t for layers, t in times if layers >= least)
        result[label] = {"pairs": len(ms), "median_ms": ms[len(ms) // 2], "p99_ms": ms[int(0.99 * len(ms))]}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
