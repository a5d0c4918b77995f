"""Keras Tuner: Bayesian optimisation and Hyperband over the shared space, scalarised.

Its documentation knows two ways: a list of objectives, of which it "will minimize the sum", and a float that
HyperModel.fit() returns. 1.4.8 refuses the first where fit() returns a dictionary; the float is that sum.
"""

from __future__ import annotations

import math
import tempfile
from contextlib import suppress
from typing import Any

from bench.showdown_peers.space import LEARNING_RATE, SPACE
from bench.showdown_peers.task import batches
from bench.showdown_peers.training import STEPS_AT_ONCE, cosine
from bench.showdown_peers.trials import TRIALS, Trials

COST_WEIGHT = 0.05
"""Points of accuracy (as a fraction) that ten times the MACs are worth."""
EPOCHS, FACTOR = 9, 3
"""Hyperband's longest training, in parts of a trial's steps, and what it divides by (its default)."""
SETTINGS = {
    "bayesian": (
        "BayesianOptimization with its defaults (alpha 1e-4, beta 2.6), but 8 initial points: its default "
        "of 3 a dimension, 48 here, would be random search. HyperModel.fit() returns the float to minimise,"
        " 1 - accuracy + 0.05 log10(MACs). https://keras.io/keras_tuner/api/tuners/bayesian/, "
        "https://keras.io/guides/keras_tuner/getting_started/ (the objective as a float)."
    ),
    "hyperband": (
        "Hyperband(factor=3, its default; max_epochs=9 parts of twice a trial's steps; hyperband_iterations"
        " until the budget ends). HyperModel.fit() returns the float to minimise, 1 - accuracy + 0.05 "
        "log10(MACs). https://keras.io/keras_tuner/api/tuners/hyperband/, "
        "https://keras.io/guides/keras_tuner/getting_started/ (the objective as a float)."
    ),
}


def search(kind: str, trials: Trials) -> None:
    """Kind of tuner, trials -> the search, until it has had its part of the budget."""
    # user code begins
    import keras
    import keras_tuner as kt

    class Enough(KeyboardInterrupt):
        """Keras Tuner goes on after an Exception; this ends it."""

    class Network(kt.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:
            keras.backend.clear_session()
            keras.utils.set_random_seed(1000 * trials.seed + trials.made)
            config = {name: hp.Choice(name, list(choices)) for name, choices in SPACE.items()}
            low, high = LEARNING_RATE
            config["learning_rate"] = hp.Float("learning_rate", low, high, sampling="log")
            self.config, self.began = config, trials.clock.spent()
            return trials.compile(config)

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> float:
            if trials.over():
                raise Enough
            first, last, steps = kwargs.get("initial_epoch", 0), kwargs.get("epochs", 1), trials.steps
            if kind == "hyperband":
                steps = max(1, 2 * trials.steps // EPOCHS // STEPS_AT_ONCE) * STEPS_AT_ONCE
            peak = float(model.optimizer.learning_rate.numpy())
            fall = cosine(trials.clock, peak, first * steps, last * steps, 3 * trials.share_s)
            model.fit(
                batches(trials.task, trials.seed + trials.made), initial_epoch=first, epochs=last,
                steps_per_epoch=steps, verbose=0, shuffle=False,
                callbacks=[fall, *kwargs.get("callbacks", [])],
            )  # fmt: skip
            accuracy, cost = trials.note(self.config, model, self.began, (last - first) * steps)
            return 1 - accuracy + COST_WEIGHT * math.log10(cost)

    options: dict[str, Any] = {"seed": trials.seed, "project_name": kind}
    with tempfile.TemporaryDirectory() as folder:
        if kind == "bayesian":
            tuner: Any = kt.BayesianOptimization(
                Network(), max_trials=10_000, num_initial_points=TRIALS // 3, directory=folder, **options
            )
        else:
            tuner = kt.Hyperband(
                Network(),
                max_epochs=EPOCHS,
                factor=FACTOR,
                hyperband_iterations=1000,
                directory=folder,
                **options,
            )
        with suppress(Enough):
            tuner.search(verbose=0)
    # user code ends
