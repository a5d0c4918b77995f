"""One peer on one task, in the environment that environment.sh makes; nothing of edgeml is imported.

    PEERS_PYTHON bench/showdown_peers/run.py TOOL --task T.npz --budget CPU_SECONDS --seed N --out DIR

Leaves in DIR models/NNN.tflite, progress.jsonl (a line per model, when its file is whole) and about.json.
It stops by itself when the processor seconds of its process tree are spent.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:] = [
    str(ROOT),
    *(p for p in sys.path if Path(p or ".").resolve() != Path(__file__).resolve().parent),
]

from bench.showdown_peers import lines  # noqa: E402
from bench.showdown_peers import task as tasks  # noqa: E402
from bench.showdown_peers.deadline import BudgetSpentError, Clock, two_threads, versions  # noqa: E402

SHARED = ("task.py", "space.py", "convert.py", "training.py", "trials.py")
"""Files whose user code a script over the shared space needs beside its own."""
RECIPE = (
    "Search over space.py: every trial the same number of steps (planned from a moment's training so that "
    "about 20 fit into 60 % of the budget, at most 30 epochs), batch 64 (128 above 20,000 samples), cosine,"
    " light augmentation; then the front's members (at most 6) are trained on with a new cosine for what is"
    " left. A file as soon as a network is on the front."
)


def main() -> int:
    """Run the tool and say how it went."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("tool", help=f"one of {', '.join([*TOOLS, 'reference:NAME'])}")
    asked.add_argument("--task", type=Path, required=True)
    asked.add_argument(
        "--budget", type=float, required=True, help="processor seconds of the whole process tree"
    )
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--out", type=Path, required=True)
    given = asked.parse_args()
    if given.tool not in TOOLS and not given.tool.startswith("reference:"):
        asked.error(f"no tool {given.tool}; expected one of {', '.join([*TOOLS, 'reference:NAME'])}")
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "progress.jsonl").write_text("")
    about: dict[str, Any] = {
        "tool": given.tool, "versions": versions(), "settings": "", "user_lines": 0, "trials": 0,
        "trainings_finished": 0, "cpu_s": 0.0, "error": None,
    }  # fmt: skip
    began, clock = time.monotonic(), Clock(given.budget)
    unfinished = {**about, "error": "it was ended from outside, or crashed, before it could say how it went"}
    (given.out / "about.json").write_text(json.dumps(unfinished, indent=1) + "\n")
    try:
        two_threads().random.set_seed(given.seed)
        TOOLS.get(given.tool, reference)(given, tasks.load(given.task), clock, about)
    except BudgetSpentError:
        pass
    except Exception as failure:  # a peer that fails is a row of the table
        traceback.print_exc()
        about["error"] = (
            f"{type(failure).__name__}: {str(failure).splitlines()[0] if str(failure) else 'no message'}"
        )
    about |= {"cpu_s": round(clock.spent(), 2), "wall_s": round(time.monotonic() - began, 2)}
    (given.out / "about.json").write_text(json.dumps(about, indent=1) + "\n")
    return 0


def over_the_space(
    given: Any, task: tasks.Task, clock: Clock, about: dict[str, Any],
    search: Callable[[Any], None], settings: str, files: tuple[str, ...], *names: str,
) -> None:  # fmt: skip
    """A search over the shared space, noted in `about` however it ends."""
    from bench.showdown_peers.trials import Trials

    about |= {
        "versions": versions(*names),
        "settings": f"{settings} {RECIPE}",
        "user_lines": lines.count(*files),
    }
    about["start_cpu_s"] = round(clock.spent(), 2)
    trials = Trials(task, clock, given.out, given.seed)
    about |= {"steps_of_a_trial": trials.steps, "share_cpu_s": round(trials.share_s, 2)}
    try:
        search(trials)
        about["search_cpu_s"] = round(clock.spent(), 2)
        trials.finish()
    finally:
        about |= {"trials": trials.made, "trainings_finished": trials.front.trainings}


def optuna_tool(kind: str) -> Any:
    """Kind of sampler -> its tool."""

    def tool(given: Any, task: tasks.Task, clock: Clock, about: dict[str, Any]) -> None:
        from bench.showdown_peers import tool_optuna

        over_the_space(
            given, task, clock, about, lambda trials: tool_optuna.search(kind, trials),
            tool_optuna.SETTINGS[kind],
            (*SHARED, "tool_optuna.py"), "optuna",
        )  # fmt: skip

    return tool


def keras_tuner_tool(kind: str) -> Any:
    """Kind of tuner -> its tool."""

    def tool(given: Any, task: tasks.Task, clock: Clock, about: dict[str, Any]) -> None:
        from bench.showdown_peers import tool_keras_tuner

        over_the_space(
            given, task, clock, about, lambda trials: tool_keras_tuner.search(kind, trials),
            tool_keras_tuner.SETTINGS[kind], (*SHARED, "tool_keras_tuner.py"), "keras-tuner",
        )  # fmt: skip

    return tool


def syne_tune_tool(given: Any, task: tasks.Task, clock: Clock, about: dict[str, Any]) -> None:
    """Multi-objective ASHA."""
    from bench.showdown_peers import tool_syne_tune

    over_the_space(
        given, task, clock, about, tool_syne_tune.search, tool_syne_tune.SETTINGS,
        (*SHARED, "tool_syne_tune.py"), "syne-tune",
    )  # fmt: skip


def autokeras_tool(given: Any, task: tasks.Task, clock: Clock, about: dict[str, Any]) -> None:
    """AutoKeras."""
    from bench.showdown_peers import tool_autokeras

    tool_autokeras.run(given, task, clock, about)


def reference(given: Any, task: tasks.Task, clock: Clock, about: dict[str, Any]) -> None:
    """A fixed network, trained for the whole budget."""
    from bench.showdown_peers import tool_reference

    tool_reference.run(given.tool.removeprefix("reference:"), given, task, clock, about)


TOOLS: dict[str, Any] = {
    "optuna-tpe": optuna_tool("tpe"), "optuna-nsga2": optuna_tool("nsga2"),
    "keras-tuner-bayesian": keras_tuner_tool("bayesian"),
    "keras-tuner-hyperband": keras_tuner_tool("hyperband"),
    "syne-tune-moasha": syne_tune_tool,
    "autokeras": autokeras_tool,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
