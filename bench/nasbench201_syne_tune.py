"""Syne Tune's multi-objective methods on tables: JSON in on stdin, JSON out on stdout.

Started by nasbench201_peers.py in an environment that holds Syne Tune and nothing of ours. The schedulers are
called directly: suggest, on_trial_add, on_trial_result, on_trial_complete.
"""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import datetime
from typing import Any

POPULATION, SAMPLE = 20, 5
SHORT, FULL = 12, 200
"""Epochs."""


def scheduler(name: str, space: dict[str, Any], seed: int) -> Any:
    """Name of a peer -> Syne Tune's scheduler for minimising error and cost."""
    from syne_tune.optimizer.schedulers.multiobjective import MultiObjectiveRegularizedEvolution
    from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA
    from syne_tune.optimizer.schedulers.searchers.random_searcher import MultiObjectiveRandomSearcher
    from syne_tune.optimizer.schedulers.single_fidelity_scheduler import SingleFidelityScheduler

    metrics = ["error", "cost"]
    if name == "syne-tune random":
        # Its own RandomSearch asserts a single metric in 0.16.0.
        searcher = MultiObjectiveRandomSearcher(space, random_seed=seed)
        return SingleFidelityScheduler(space, metrics=metrics, searcher=searcher, random_seed=seed)
    if name == "syne-tune mo-rea":
        searcher = MultiObjectiveRegularizedEvolution(
            space, population_size=POPULATION, sample_size=SAMPLE, random_seed=seed
        )
        return SingleFidelityScheduler(space, metrics=metrics, searcher=searcher, random_seed=seed)
    return MOASHA(
        space, metrics=metrics, time_attr="epoch", max_t=FULL, grace_period=SHORT, reduction_factor=3,
        random_seed=seed,
    )  # fmt: skip


def run(
    name: str, table: dict[str, Any], seed: int, budget: float, short_cost: float
) -> list[tuple[float, int]]:
    """One search -> (total cost, row that was fully trained then)."""
    import numpy as np
    from syne_tune.backend.trial_status import Trial
    from syne_tune.config_space import choice

    random.seed(seed)
    np.random.seed(seed)
    names = list(table["decisions"])
    asked = scheduler(name, {n: choice(c) for n, c in table["decisions"].items()}, seed)
    rows = {tuple(point): row for point, row in table["rows"]}
    spent, cost, number, halving = [], 0.0, 0, name == "syne-tune mo-asha"
    while cost + (short_cost if halving else 1.0) <= budget + 1e-9:
        config = asked.suggest().config
        row = rows.get(tuple(config[n] for n in names))
        if row is None:
            continue
        trial = Trial(trial_id=number, config=config, creation_time=datetime.now())
        number += 1
        last = {"error": table["errors"][row], "cost": table["costs"][row], "epoch": FULL}
        asked.on_trial_add(trial)
        if halving:
            cost += short_cost
            if (
                asked.on_trial_result(trial, {**last, "error": table["short_errors"][row], "epoch": SHORT})
                == "STOP"
            ):
                continue
            cost += 1 - short_cost
        else:
            asked.on_trial_result(trial, last)
            cost += 1
        asked.on_trial_complete(trial, last)
        if cost <= budget + 1e-9:
            spent.append((cost, row))
    return spent


def main() -> None:
    """Every peer on every task."""
    import syne_tune

    order = json.load(sys.stdin)
    runs: dict[str, Any] = {}
    skipped = []
    for task, table in order["tables"].items():
        runs[task] = {}
        for name in order["names"]:
            if name == "syne-tune mo-asha" and table["short_errors"] is None:
                skipped.append(f"{name} on {task}: no low fidelity is published")
                continue
            began = time.process_time()
            spent = [
                run(name, table, seed, order["budget"], order["short_cost"]) for seed in range(order["seeds"])
            ]
            seconds = (time.process_time() - began) / order["seeds"]
            runs[task][name] = {"spent": spent, "cpu_s_per_run": seconds}
            print(task, name, file=sys.stderr)
    print(json.dumps({"version": syne_tune.__version__, "runs": runs, "skipped": skipped}))


if __name__ == "__main__":
    main()
