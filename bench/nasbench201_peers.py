"""Other people's samplers on the tabular tasks of nasbench201_task.py: JSON and a table, mean and sd.

Optuna's samplers run here; Syne Tune's in an environment of its own, for its pins are not ours:

    python -m venv ~/.cache/edgeml-bench/peers
    ~/.cache/edgeml-bench/peers/bin/pip install -r bench/requirements-peers.txt
    PYTHONPATH=. python bench/nasbench201_peers.py --out bench/results/nasbench201_peers.json

Cost 1 is one full training. A proposal that was evaluated before costs again, as it would without a cache;
one without a path from input to output is drawn again at no cost (Optuna is told FAIL). Syne Tune's
MO-REA is its MultiObjectiveRegularizedEvolution (population 20, its default of 100 is random search at these
budgets, sample 5); its MO-ASHA trains 12 epochs for 12/200 and goes on to 200 where it is not stopped.
EHVI, Syne Tune's Gaussian process, needs BoTorch, which is not among the requirements.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bench.nasbench201_task import SHORT_COST, Task, task

TASKS = ("rpi4-cifar100", "pixel3-cifar10", "pi5-cifar100", "macro")
BUDGETS = (25, 50, 100, 200)
PEERS_PYTHON = Path.home() / ".cache" / "edgeml-bench" / "peers" / "bin" / "python"
HERE = "nasbench201_syne_tune.py"
"""What runs in the peers' environment."""


def curve(it: Task, spent: Iterable[tuple[float, int]], budgets: tuple[int, ...]) -> list[float]:
    """(Total cost, row that was fully trained then) -> score at every budget."""
    events = list(spent)
    return [it.score([row for cost, row in events if cost <= budget + 1e-9]) for budget in budgets]


def optuna_sampler(name: str, seed: int) -> Any:
    """Name of a peer -> Optuna's sampler."""
    from optuna import samplers

    return {
        "random": lambda: samplers.RandomSampler(seed=seed),
        "tpe": lambda: samplers.TPESampler(seed=seed),
        "tpe-multivariate": lambda: samplers.TPESampler(seed=seed, multivariate=True),
        "nsga2-50": lambda: samplers.NSGAIISampler(seed=seed),
        "nsga2-20": lambda: samplers.NSGAIISampler(seed=seed, population_size=20),
    }[name]()


def run_optuna(name: str, it: Task, seed: int, budget: int) -> list[tuple[float, int]]:
    """One study, asked and told until the budget is spent."""
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space: dict[str, BaseDistribution] = {
        d.name: CategoricalDistribution(d.choices) for d in it.space.decisions
    }
    study = optuna.create_study(directions=["minimize"] * 2, sampler=optuna_sampler(name, seed))
    spent: list[tuple[float, int]] = []
    while len(spent) < budget:
        trial = study.ask(fixed_distributions=space)
        row = it.row(trial.params)
        if row is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        study.tell(trial, [float(it.errors[row]), float(it.costs[row])])
        spent.append((len(spent) + 1.0, row))
    return spent


OPTUNA = ("random", "tpe", "tpe-multivariate", "nsga2-20", "nsga2-50")
SYNE_TUNE = ("syne-tune random", "syne-tune mo-rea", "syne-tune mo-asha")


def run_syne_tune(names: list[str], tasks: list[str], seeds: int, budget: int) -> dict[str, Any]:
    """All of Syne Tune's runs in its own environment; {"error": why} where it cannot run.

    The tables travel as JSON, for that environment has nothing of ours.
    """
    if not PEERS_PYTHON.exists():
        return {"error": f"no {PEERS_PYTHON}; see the docstring of bench/nasbench201_peers.py"}
    tables = {}
    for name in tasks:
        it = task(name)
        tables[name] = {
            "decisions": {d.name: list(d.choices) for d in it.space.decisions},
            "rows": [[list(point), row] for point, row in it.rows.items()],
            "errors": it.errors.tolist(),
            "costs": it.costs.tolist(),
            "short_errors": None if it.short_errors is None else it.short_errors.tolist(),
        }
    order = {"names": names, "tables": tables, "seeds": seeds, "budget": budget, "short_cost": SHORT_COST}
    done = subprocess.run(
        [str(PEERS_PYTHON), str(Path(__file__).with_name(HERE))],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "it failed"}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def summary(
    scores: list[list[float]], seconds: float, distinct: float, budgets: tuple[int, ...]
) -> dict[str, Any]:
    """Scores by seed and budget -> mean and sd by budget."""
    columns = list(zip(*scores, strict=True))
    return {
        "mean": {str(b): statistics.fmean(c) for b, c in zip(budgets, columns, strict=True)},
        "sd": {
            str(b): statistics.stdev(c) if len(c) > 1 else 0.0 for b, c in zip(budgets, columns, strict=True)
        },
        "cpu_s_per_run": seconds,
        "distinct": distinct,
    }


def measure(
    run: Callable[[int], list[tuple[float, int]]], it: Task, seeds: int, budgets: tuple[int, ...]
) -> dict[str, Any]:
    """A peer on a task, once for every seed."""
    began = time.process_time()
    runs = [run(seed) for seed in range(seeds)]
    seconds = (time.process_time() - began) / seeds
    distinct = statistics.fmean(len({row for _, row in spent}) for spent in runs)
    return summary([curve(it, spent, budgets) for spent in runs], seconds, distinct, budgets)


def versions() -> dict[str, str]:
    """What the figures were made with."""
    import numpy
    import optuna

    return {"python": sys.version.split()[0], "optuna": optuna.__version__, "numpy": numpy.__version__}


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--peers", nargs="*", default=[*OPTUNA, *SYNE_TUNE])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--budgets", type=int, nargs="*", default=list(BUDGETS))
    parser.add_argument("--out", type=Path, help="JSON; other tasks and peers that it holds stay")
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    budgets, found = tuple(sorted(asked.budgets)), dict[str, Any]()
    there = run_syne_tune([n for n in asked.peers if n in SYNE_TUNE], asked.tasks, asked.seeds, budgets[-1])
    for name in asked.tasks:
        it, found[name] = task(name), {}
        for peer in (n for n in asked.peers if n in OPTUNA):
            found[name][peer] = measure(
                lambda seed, it=it, peer=peer: run_optuna(peer, it, seed, budgets[-1]),
                it,
                asked.seeds,
                budgets,
            )
            print(name, peer, file=sys.stderr)
        for peer, said in there.get("runs", {}).get(name, {}).items():
            runs = [[(cost, row) for cost, row in spent] for spent in said["spent"]]
            distinct = statistics.fmean(len({row for _, row in spent}) for spent in runs)
            scores = [curve(it, spent, budgets) for spent in runs]
            found[name][peer] = summary(scores, said["cpu_s_per_run"], distinct, budgets)
    result: dict[str, Any] = {
        "seeds": asked.seeds,
        "versions": {**versions(), "syne-tune": there.get("version", f"not run: {there.get('error')}")},
        "skipped": there.get("skipped", []),
        "tasks": found,
    }
    if asked.out and asked.out.exists():
        before = json.loads(asked.out.read_text())
        if (before["seeds"], before["versions"]) == (result["seeds"], result["versions"]):
            old = before["tasks"]
            result["tasks"] = {
                name: {**old.get(name, {}), **found.get(name, {})} for name in {**old, **found}
            }
            result["skipped"] = sorted({*before["skipped"], *result["skipped"]})
    if asked.out:
        asked.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))
    print(table(result, budgets))


def table(result: dict[str, Any], budgets: tuple[int, ...]) -> str:
    """The result as Markdown: mean and, behind it, sd."""
    lines = ["| task | peer | " + " | ".join(map(str, budgets)) + " | distinct | CPU s a run |"]
    lines.append("|---" * (len(budgets) + 4) + "|")
    for name, peers in result["tasks"].items():
        for peer, said in peers.items():
            cells = [f"{said['mean'][str(b)]:.3f} ± {said['sd'][str(b)]:.3f}" for b in budgets]
            ends = f"{said['distinct']:.0f} | {said['cpu_s_per_run']:.1f}"
            lines.append(f"| {name} | {peer} | {' | '.join(cells)} | {ends} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
