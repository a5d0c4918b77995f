"""The product's own search on tables of trained networks: training is replaced by a look-up, nothing else.

edgeml.search.study.Study runs as in `edgeml search`, with a two-rung ladder (12 epochs for 0.06 of a full
training) or full trainings only, on the tasks of bench/nasbench201_task.py. Scores are the part of the true
hypervolume that the fully trained networks reach when a given cost has been spent; peers are in
bench/nasbench201_peers.py.

    python bench/nasbench201.py                      # 20 seeds, tasks of the issue and others; minutes
    python bench/nasbench201.py --seeds 2 --tasks rpi4-cifar100 --strategies auto
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.nasbench201_task import SHORT_COST, TASKS, Task, task
from edgeml.arch.space import Choices
from edgeml.search.archive.preference import PREFERS, favourite
from edgeml.search.candidate import Candidate
from edgeml.search.evaluate import Job, Order
from edgeml.search.ladder import Ladder, Rung
from edgeml.search.progress import Listener
from edgeml.search.propose import Proposal, Proposer
from edgeml.search.record import NoRecord
from edgeml.search.run_dir import RunDir
from edgeml.search.settings import Settings
from edgeml.search.study import Study
from edgeml.search.workers.executor import Inline
from edgeml.target.targets import Targets
from edgeml.train.fidelity import Fidelity

BUDGETS = {"full": (50, 100, 200), "two": (25, 50, 100)}
SHARE = 0.35
"""Of the cost that goes to 12-epoch trainings."""
LADDERS = {
    "full": Ladder("full", (Rung(1.0),), carry=False),
    "two": Ladder("two", (Rung(SHORT_COST, share=SHARE), Rung(1.0, share=1 - SHARE)), carry=False),
}
ONE_COST = "latency_ms"
BY_DEFAULT = ("rpi4-cifar100", "pixel3-cifar10", "pi5-imagenet16", "gold6226-cifar100", "1080ti-cifar10")


class TableTargets(Targets):
    """No device: one cost, read from the table."""

    objectives = (ONE_COST,)  # type: ignore[assignment]


class TableProposer(Proposer):
    """Knows the latency of every cell before training, as the real one knows what its targets estimate."""

    def __init__(self, table: Task, targets: Targets) -> None:
        super().__init__(table.space, table.inputs, {}, targets)
        self._table = table
        self._row_of: dict[str, int] = {}

    def _look_anew(self, choices: Choices) -> tuple[Proposal | None, dict[str, float]]:
        row = self._table.row(choices)
        if row is None:
            return None, {}
        proposal, broken = super()._look_anew(choices)
        if proposal is not None:
            self._row_of[id(proposal.graph)] = row  # type: ignore[index]
        return proposal, broken

    def known_costs(self, graph: Any) -> dict[str, float]:
        return {ONE_COST: float(self._table.costs[self._row_of[id(graph)]])}  # type: ignore[index]


class OutOfBudgetError(KeyboardInterrupt):
    """Ends a search as Ctrl-C does."""


def search(
    table: Task,
    strategy: str,
    ladder: Ladder,
    budgets: tuple[int, ...],
    seed: int,
    prefer: str = "balanced",
) -> tuple[dict[int, float], dict[str, Any]]:
    """One run -> score when each budget is spent, and figures about the run."""
    full: list[int] = []
    scores: dict[int, float] = {}
    spent = 0.0
    worst = float(table.errors.max())

    def look_up(job: Job, order: Order) -> Candidate:
        nonlocal spent
        for budget in budgets:
            if spent + order.cost > budget + 1e-9 and budget not in scores:
                scores[budget] = table.score(full)
        if spent + order.cost > max(budgets) + 1e-9:
            raise OutOfBudgetError
        spent += order.cost
        row = table.row(order.choices)
        assert row is not None
        errors = table.errors if order.top else table.short_errors
        assert errors is not None
        if order.top:
            full.append(row)
        accuracy = 1 - float(errors[row]) / 100
        rows = [*(order.before.rungs if order.before else []), {"rung": order.index, "accuracy": accuracy}]
        return Candidate(
            order.key, order.number, "complete" if order.top else "stopped", order.choices, order.arch,
            order.seed, accuracy=accuracy, rung=order.index, rungs=rows, recipe=order.recipe.to_dict(),
            metrics={ONE_COST: {"metric": ONE_COST, "value": float(table.costs[row])}},
        )  # fmt: skip

    targets = TableTargets(())
    settings = Settings("table", [], table.space.name, strategy, trials=10**9, seed=seed, prefer=prefer)
    study = Study(
        RunDir(Path("/nonexistent")), settings, table.space, table.inputs,
        Job("", targets, {}), Fidelity(1), look_up, Inline(), Listener(), ladder,
        NoRecord(), TableProposer(table, targets),
    )  # fmt: skip
    began = time.process_time()
    study.search()
    seconds = time.process_time() - began
    keys = len(study.archive.candidates)
    points = [point for _, point in study.archive.scored()]
    found = {word: favourite(points, word, [ONE_COST]) for word in PREFERS}
    return {b: scores[b] for b in budgets if b in scores}, {
        "architectures": keys, "full": len(full), "duplicates": len(full) - len(set(full)),
        "picks": {word: points[at] for word, at in found.items() if at is not None},
        "seconds": seconds, "worst": worst, "ms_a_proposal": 1e3 * study.seconds["proposal"] / max(1, keys),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--tasks", default=",".join(BY_DEFAULT))
    parser.add_argument("--strategies", default="auto,evolution,bayesian,random,rl")
    parser.add_argument("--ladders", default="two,full")
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    rows = []
    for name in options.tasks.split(","):
        if name not in TASKS:
            parser.error(f"--tasks {name}: known are {', '.join(TASKS)}")
        try:
            table = task(name)
        except FileNotFoundError as error:
            print(f"skipped: {error}")
            return
        for kind in options.ladders.split(","):
            if kind == "two" and table.short_errors is None:
                continue
            for strategy in options.strategies.split(","):
                runs = [
                    search(table, strategy, LADDERS[kind], BUDGETS[kind], s) for s in range(options.seeds)
                ]
                row: dict[str, Any] = {"task": name, "ladder": kind, "strategy": strategy}
                for budget in BUDGETS[kind]:
                    values = [scores[budget] for scores, _ in runs if budget in scores]
                    row[f"cost_{budget}"] = {
                        "mean": statistics.mean(values), "sd": statistics.pstdev(values), "runs": len(values)
                    }  # fmt: skip
                for figure in ("architectures", "full", "duplicates", "seconds", "ms_a_proposal"):
                    row[figure] = statistics.mean(found[figure] for _, found in runs)
                rows.append(row)
                print(_line(row), flush=True)
    result = {"seeds": options.seeds, "share": SHARE, "rows": rows}
    print(json.dumps(result))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def _line(row: dict[str, Any]) -> str:
    cells = [
        f"{key[5:]}: {row[key]['mean']:.4f} +- {row[key]['sd']:.4f}" for key in row if key[:5] == "cost_"
    ]
    return (
        f"| {row['task']} | {row['ladder']} | {row['strategy']} | {' | '.join(cells)} | "
        f"{row['seconds']:.1f} s | {row['ms_a_proposal']:.1f} ms | duplicates {row['duplicates']:.0f} |"
    )


if __name__ == "__main__":
    main()
