"""Optuna: two objectives, every trial trained for the same number of steps."""

from __future__ import annotations

from typing import Any

from bench.showdown_peers.space import LEARNING_RATE, SPACE
from bench.showdown_peers.trials import Trials

SETTINGS = {
    "tpe": (
        "TPESampler(multivariate=True, group=True, constant_liar off, n_startup_trials=10, its default); "
        "create_study(directions=[maximize, minimize]); no pruner, which multi-objective studies refuse. "
        "https://optuna.readthedocs.io/en/stable/tutorial/20_recipes/002_multi_objective.html and "
        "https://optuna.readthedocs.io/en/stable/reference/samplers/generated/optuna.samplers.TPESampler.html"
    ),
    "nsga2": (
        "NSGAIISampler(population_size=10; its default of 50 would be random search at some 25 trials); "
        "create_study(directions=[maximize, minimize]); no pruner, which multi-objective studies refuse. "
        "https://optuna.readthedocs.io/en/stable/reference/samplers/generated/optuna.samplers.NSGAIISampler.html"
    ),
}


def search(kind: str, trials: Trials) -> None:
    """Kind of sampler, trials -> the search, until it has had its part of the budget."""
    # user code begins
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if kind == "tpe":
        sampler: Any = optuna.samplers.TPESampler(multivariate=True, group=True, seed=trials.seed)
    else:
        sampler = optuna.samplers.NSGAIISampler(population_size=10, seed=trials.seed)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)

    def objective(trial: Any) -> tuple[float, int]:
        config = {name: trial.suggest_categorical(name, choices) for name, choices in SPACE.items()}
        config["learning_rate"] = trial.suggest_float("learning_rate", *LEARNING_RATE, log=True)
        return trials.trial(config)

    def stop(study: Any, trial: Any) -> None:
        if trials.over():
            study.stop()

    study.optimize(objective, callbacks=[stop])
    # user code ends
